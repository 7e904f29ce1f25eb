"""Files of flow: what is written is read, other programs' files are read, damaged ones are refused in one sentence."""

import struct
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dyad.core.errors import BadInput, BadUsage
from dyad.core.flow import Flow
from dyad.core.flow_files import is_flow_file, read_flow, read_pfm, read_png16, write_flow, write_png16

SUFFIXES = (".flo", ".pfm", ".npz", ".png")


def some_flow(width: int = 7, height: int = 5, *, seed: int = 0) -> Flow:
    """Multiples of 1/64 px, of which one is unknown."""
    generator = torch.Generator().manual_seed(seed)
    uv = torch.randint(-640, 640, (2, height, width), generator=generator) / 64
    valid = torch.ones(height, width, dtype=torch.bool)
    valid[height // 2, 1] = False
    return Flow(uv, valid)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_written_is_read(tmp_path, suffix):
    flow = some_flow()
    write_flow(tmp_path / f"a{suffix}", flow)
    again = read_flow(tmp_path / f"a{suffix}")
    assert torch.equal(again.known, flow.known)
    assert torch.equal(again.filled(0), flow.filled(0))
    assert torch.isnan(again.uv[:, ~again.known]).all()
    assert [p.name for p in tmp_path.iterdir()] == [f"a{suffix}"]


def test_an_npz_holds_many_and_occlusion(tmp_path):
    flow = Flow(torch.randn(3, 2, 4, 6), None, torch.rand(3, 4, 6) > 0.5)
    write_flow(tmp_path / "a.npz", flow)
    again = read_flow(tmp_path / "a.npz")
    assert torch.equal(again.uv, flow.uv)
    assert torch.equal(again.occluded, flow.occluded)
    with pytest.raises(BadUsage, match="holds one flow"):
        write_flow(tmp_path / "a.flo", flow)


def test_the_bytes_of_flo_are_those_of_the_format(tmp_path):
    flow = Flow(torch.tensor([[[1.0, 2.0]], [[3.0, torch.nan]]]))
    write_flow(tmp_path / "a.flo", flow)
    data = (tmp_path / "a.flo").read_bytes()
    assert data[:4] == b"PIEH"
    assert struct.unpack("<ii", data[4:12]) == (2, 1)
    assert struct.unpack("<4f", data[12:]) == (1.0, 3.0, 1e10, 1e10)


@pytest.mark.parametrize("marker", [np.nan, np.inf, 1e9, 1e10, -1e10, 1.6666668e9])
def test_markers_of_unknown_flow(tmp_path, marker):
    (tmp_path / "a.flo").write_bytes(b"PIEH" + struct.pack("<ii4f", 2, 1, 1.0, 3.0, marker, 0.0))
    assert read_flow(tmp_path / "a.flo").known.tolist() == [[True, False]]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "should begin with 202021.25"),
        (b"PIEH\x01", "should begin with"),
        (struct.pack(">f", 202021.25) + struct.pack("<ii2f", 1, 1, 0, 0), "should begin with"),
        (b"PIEH" + struct.pack("<ii", 3, 2), "ends early: its header promises 60 bytes, it has 12"),
        (b"PIEH" + struct.pack("<ii3f", 1, 1, 0, 0, 0), "goes on too long"),
        (b"PIEH" + struct.pack("<ii", 0, 2), "0x2 px"),
        (b"PIEH" + struct.pack("<ii", -5, 2), "-5x2 px"),
        (b"PIEH" + struct.pack("<ii", 99999, 99999), "99999x99999 px"),
    ],
)
def test_damaged_flo_files_are_refused(tmp_path, data, message):
    (tmp_path / "a.flo").write_bytes(data)
    with pytest.raises(BadInput, match=message) as refusal:
        read_flow(tmp_path / "a.flo")
    assert "\n" not in str(refusal.value)


def test_no_file_and_no_format(tmp_path):
    for suffix in SUFFIXES:
        with pytest.raises(BadInput, match="there is no flow at"):
            read_flow(tmp_path / f"a{suffix}")
        (tmp_path / f"empty{suffix}").write_bytes(b"")
        with pytest.raises(BadInput):
            read_flow(tmp_path / f"empty{suffix}")
        assert is_flow_file(f"A{suffix.upper()}")
    with pytest.raises(BadUsage, match="flow comes in"):
        read_flow("a.tif")
    (tmp_path / "folder.flo").mkdir()
    with pytest.raises(BadInput):
        read_flow(tmp_path / "folder.flo")


def test_kitti_is_64ths_of_a_pixel_and_blue_says_known(tmp_path):
    image = np.zeros((1, 3, 3), np.uint16)
    image[0, 0] = (32768 + 64, 32768 - 128, 1)
    image[0, 1] = (0, 65535, 1)
    write_png16(tmp_path / "a.png", image)
    flow = read_flow(tmp_path / "a.png")
    assert flow.known.tolist() == [[True, True, False]]
    assert flow.uv[:, 0, :2].T.tolist() == [[1.0, -2.0], [-512.0, 511.984375]]
    with pytest.raises(BadUsage, match=r"less than 512 px, got 512.0 px"):
        write_flow(tmp_path / "b.png", Flow(torch.full((2, 1, 1), 512.0)))
    assert not (tmp_path / "b.png").exists()


def filtered_png(image: np.ndarray, kind: int) -> bytes:
    """A PNG whose rows all use one filter: 0 none, 1 sub, 2 up, 3 average, 4 Paeth."""
    height, width = image.shape[:2]
    rows = np.ascontiguousarray(image, ">u2").reshape(height, -1).view(np.uint8).astype(int)
    raw = bytearray()
    for y in range(height):
        raw.append(kind)
        for i in range(width * 6):
            left = rows[y, i - 6] if i >= 6 else 0
            up = rows[y - 1, i] if y else 0
            corner = rows[y - 1, i - 6] if y and i >= 6 else 0
            p = left + up - corner
            best = min((abs(p - left), 0, left), (abs(p - up), 1, up), (abs(p - corner), 2, corner))[2]
            raw.append((rows[y, i] - (0, left, up, (left + up) // 2, best)[kind]) % 256)
    parts = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(raw))))
    out = b"\x89PNG\r\n\x1a\n"
    for name, data in (*parts, (b"IEND", b"")):
        out += struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return out


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_sixteen_bits_are_exact(tmp_path_factory, width, height, seed):
    image = np.random.default_rng(seed).integers(0, 65536, (height, width, 3)).astype(np.uint16)
    path = tmp_path_factory.mktemp("png") / "a.png"
    write_png16(path, image)
    assert np.array_equal(read_png16(path), image)
    for kind in range(5):
        path.write_bytes(filtered_png(image, kind))
        assert np.array_equal(read_png16(path), image)


def test_other_programs_read_our_png(tmp_path):
    image = np.random.default_rng(0).integers(0, 65536, (9, 6, 3)).astype(np.uint16)
    write_png16(tmp_path / "a.png", image)
    with Image.open(tmp_path / "a.png") as seen:
        # Pillow keeps the upper eight bits.
        assert np.array_equal(np.asarray(seen), image >> 8)


def test_damaged_and_other_png_are_refused(tmp_path):
    write_flow(tmp_path / "a.png", some_flow(40, 30))
    data = (tmp_path / "a.png").read_bytes()
    for stop in (10, 40, len(data) // 2, len(data) - 13, len(data) - 3):
        (tmp_path / "b.png").write_bytes(data[:stop])
        with pytest.raises(BadInput):
            read_flow(tmp_path / "b.png")
    for at in range(16, len(data) - 12, 97):
        (tmp_path / "b.png").write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        with pytest.raises(BadInput):
            read_flow(tmp_path / "b.png")
    for at in (30, len(data) - 2):
        (tmp_path / "b.png").write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        with pytest.raises(BadInput, match="does not have the sum it states"):
            read_flow(tmp_path / "b.png")
    for other in (Image.new("RGB", (4, 3)), Image.new("I;16", (4, 3)), Image.new("L", (4, 3))):
        other.save(tmp_path / "c.png")
        with pytest.raises(BadInput, match="16 bits in each of three channels"):
            read_flow(tmp_path / "c.png")


def test_pfm_of_both_ends_and_from_the_bottom(tmp_path):
    numbers = np.arange(12, dtype=np.float32)
    for scale, kind in ((b"-1.0", "<f4"), (b"2.5", ">f4")):
        (tmp_path / "a.pfm").write_bytes(b"PF\n2 2\n" + scale + b"\n" + numbers.astype(kind).tobytes())
        assert read_pfm(tmp_path / "a.pfm")[:, :, 0].tolist() == [[6, 9], [0, 3]]
        assert read_flow(tmp_path / "a.pfm").uv[1].tolist() == [[7, 10], [1, 4]]
    (tmp_path / "b.pfm").write_bytes(b"Pf\n3 4\n-1\n" + numbers.tobytes())
    assert read_pfm(tmp_path / "b.pfm").shape == (4, 3, 1)
    with pytest.raises(BadInput, match="one channel"):
        read_flow(tmp_path / "b.pfm")


@pytest.mark.parametrize(
    "data",
    [
        b"PF\n2 2\n-1.0\n" + b"\0" * 47,
        b"PF\n2 2\n-1.0\n" + b"\0" * 49,
        b"PF\n2 2\n0\n" + b"\0" * 48,
        b"PF\n2 2\nnan\n" + b"\0" * 48,
        b"PF\n0 2\n-1\n",
        b"PF\n999999 999999\n-1\n",
        b"P6\n2 2\n255\n" + b"\0" * 12,
    ],
)
def test_damaged_pfm_files_are_refused(tmp_path, data):
    (tmp_path / "a.pfm").write_bytes(data)
    with pytest.raises(BadInput):
        read_flow(tmp_path / "a.pfm")


def test_wrong_npz_files_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    for arrays in (
        {"uv": np.zeros((2, 3, 2))},
        {"flow": np.zeros((2, 3))},
        {"flow": np.array(["a"])},
        {"flow": np.zeros((2, 3, 2)), "occluded": np.zeros((3, 2), bool)},
    ):
        np.savez(path, **arrays)
        with pytest.raises(BadInput):
            read_flow(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BadInput):
        read_flow(path)


def test_real_files(real):
    sintel = read_flow(real / "flow/sintel_alley_1/frame_0001.flo")
    assert sintel.size == (1024, 436)
    assert sintel.known.all()
    whale = read_flow(real / "flow/rubberwhale/flow10.flo")
    assert whale.size == (584, 388)
    assert 0.01 < float((~whale.known).float().mean()) < 0.02
    assert float(whale.uv[whale.known.expand(2, -1, -1)].abs().max()) < 20
