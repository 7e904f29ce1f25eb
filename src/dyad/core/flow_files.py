"""Optical flow in the files of the field: Middlebury's .flo, KITTI's 16-bit .png, .pfm, and .npz.

`.flo`: "PIEH", width and height as int32, then u and v of each pixel as float32, all little-endian; from 1e9 on a
number means unknown. `.png`: 16 bits a channel; (red - 32768) / 64 is u, (green - 32768) / 64 is v, blue above 0 means
known. `.pfm`: rows from the bottom up, three channels, the third unused; the sign of the third line says which end
comes first. `.npz`: `flow` (…, H, W, 2), NaN where unknown, and if known `occluded` (…, H, W).
"""

import io
import math
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from dyad.core.archives import read_npz
from dyad.core.errors import BadInput, BadUsage, one_line
from dyad.core.files import whole_file
from dyad.core.flow import Flow
from dyad.core.sizes import check_size

FLO_MAGIC = 202021.25
UNKNOWN = 1e10
UNKNOWN_FROM = 1e9
KITTI_STEP = 1 / 64
KITTI_ZERO = 1 << 15

_PFM_HEADER = re.compile(rb"(PF|Pf)\s+(\d{1,9})\s+(\d{1,9})\s+([-+.\deE]{1,30})[ \t]*\r?\n")


def read_flow(path: str | Path) -> Flow:
    """The flow (2, H, W) of a file; an .npz may hold several (…, 2, H, W). The suffix says the format.

    Raises BadInput, in one sentence, for what is missing, damaged, too large or of another kind.
    """
    path = Path(path)
    reader, _ = _format(path)
    try:
        uv, occluded = reader(path)
    except BadInput:
        raise
    except FileNotFoundError:
        raise BadInput(f"there is no flow at {path}") from None
    except Exception as error:  # Damaged archives and images make numpy, zlib and av raise almost anything.
        raise BadInput(f"{path} is no {path.suffix} file of flow that can be read: {one_line(error)}") from error
    # Not a number, and infinity, count as too large to be known.
    near = np.abs(np.nan_to_num(uv, nan=UNKNOWN)) < UNKNOWN_FROM
    known = near[..., 0] & near[..., 1]
    uv = np.where(known[..., None], uv, np.float32(np.nan))
    return Flow.from_numpy(uv, None if known.all() else known, occluded)


def write_flow(path: str | Path, flow: Flow) -> None:
    """Write one flow (2, H, W), or to an .npz any (…, 2, H, W); the suffix says the format.

    A KITTI .png rounds to 1/64 px and holds less than 512 px either way: BadUsage for more.
    """
    path = Path(path)
    _, writer = _format(path)
    if flow.uv.dim() != 3 and path.suffix.lower() != ".npz":
        raise BadUsage(f"{path} holds one flow, got a batch of {tuple(flow.uv.shape)}: write an .npz, or one by one")
    with whole_file(path) as partial:
        writer(partial, flow)


def is_flow_file(path: str | Path) -> bool:
    """Whether the suffix is that of a format read here."""
    return Path(path).suffix.lower() in _FORMATS


def read_png16(path: str | Path) -> NDArray[np.uint16]:
    """(H, W, 3) of a PNG with 16 bits in each of three channels; BadInput for any other."""
    path = Path(path)
    data = path.read_bytes()
    if data[:8] != b"\x89PNG\r\n\x1a\n" or len(data) < 29:
        raise BadInput(f"{path} is no PNG image")
    width, height, bits, colour, _, _, woven = struct.unpack(">IIBBBBB", data[16:29])
    check_size(width, height, str(path))
    if (bits, colour, woven) != (16, 2, 0):
        raise BadInput(f"{path} should be a plain PNG of 16 bits in each of three channels (as KITTI's flow)")
    # The decoder would fill damaged parts up without a word.
    _check_png(data, height * (6 * width + 1), path)
    # By its content and not its name, which av would read as an address or as the pattern of a series.
    try:
        with av.open(io.BytesIO(data), mode="r", format="png_pipe") as container:
            frame = next(container.decode(video=0))
    except (av.FFmpegError, ValueError, StopIteration) as error:
        raise BadInput(f"{path} is a damaged PNG image: {one_line(error)}") from error
    if frame.format.name != "rgb48be" or (frame.width, frame.height) != (width, height):
        raise BadInput(f"{path} should decode to {width}x{height} px of rgb48be, got {frame}")
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), ">u2").reshape(plane.height, plane.line_size // 2)
    return rows[:height, : width * 3].reshape(height, width, 3).astype(np.uint16)


def write_png16(path: str | Path, image: NDArray[np.uint16]) -> None:
    """Write (H, W, 3) uint16 as a PNG, losslessly."""
    height, width = image.shape[:2]
    rows = np.ascontiguousarray(image, ">u2").reshape(height, -1).view(np.uint8)
    plain = np.zeros((height, rows.shape[1] + 1), np.uint8)
    # Each row begins with its filter: 1, the difference to the pixel on the left, packs smooth flow best.
    plain[:, 0] = 1
    plain[:, 1:7] = rows[:, :6]
    plain[:, 7:] = rows[:, 6:] - rows[:, :-6]
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(plain.tobytes(), 6)), (b"IEND", b""))
    with Path(path).open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for kind, data in chunks:
            file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))


def read_pfm(path: str | Path) -> NDArray[np.float32]:
    """(H, W, 3) or (H, W, 1), first row on top; the scale's size is not applied. BadInput for any other file."""
    path = Path(path)
    with path.open("rb") as file:
        head = file.read(128)
    found = _PFM_HEADER.match(head)
    if found is None:
        raise BadInput(f"{path} is no PFM image: it should begin with PF, width and height, and a scale")
    kind, width, height, scale = found[1], int(found[2]), int(found[3]), float(found[4])
    channels = 3 if kind == b"PF" else 1
    if not math.isfinite(scale) or not scale:
        raise BadInput(f"{path}: a PFM image's scale is a number other than 0, got {scale}")
    check_size(width, height, str(path))
    _check_length(path, found.end() + 4 * width * height * channels)
    numbers = np.fromfile(path, "<f4" if scale < 0 else ">f4", offset=found.end())
    return numbers.reshape(height, width, channels)[::-1].astype(np.float32)


def write_pfm(path: str | Path, image: NDArray[np.float32]) -> None:
    """Write (H, W, 3) or (H, W, 1), first row on top."""
    height, width, channels = image.shape
    with Path(path).open("wb") as file:
        file.write(f"{'PF' if channels == 3 else 'Pf'}\n{width} {height}\n-1.0\n".encode())
        file.write(np.ascontiguousarray(image[::-1], "<f4").tobytes())


_Read = tuple[NDArray[np.float32], NDArray[np.bool_] | None]


def _read_flo(path: Path) -> _Read:
    with path.open("rb") as file:
        head = file.read(12)
    if len(head) < 12 or struct.unpack("<f", head[:4])[0] != FLO_MAGIC:
        raise BadInput(f"{path} is no .flo file: it should begin with {FLO_MAGIC}, that is PIEH")
    width, height = struct.unpack("<ii", head[4:])
    check_size(width, height, str(path))
    _check_length(path, 12 + 8 * width * height)
    return np.fromfile(path, "<f4", offset=12).reshape(height, width, 2).astype(np.float32), None


def _write_flo(path: Path, flow: Flow) -> None:
    uv = flow.numpy()
    uv = np.where(np.isfinite(uv), uv, np.float32(UNKNOWN))
    with path.open("wb") as file:
        file.write(struct.pack("<fii", FLO_MAGIC, *flow.size) + np.ascontiguousarray(uv, "<f4").tobytes())


def _read_kitti(path: Path) -> _Read:
    image = read_png16(path)
    uv = (image[..., :2].astype(np.float32) - KITTI_ZERO) * np.float32(KITTI_STEP)
    return np.where(image[..., 2:] > 0, uv, np.float32(np.nan)), None


def _write_kitti(path: Path, flow: Flow) -> None:
    uv = flow.numpy()
    known = np.isfinite(uv).all(-1, keepdims=True)
    steps = np.rint(np.nan_to_num(uv) / KITTI_STEP) + KITTI_ZERO
    if (steps < 0).any() or (steps > 65535).any():
        far = float(np.nanmax(np.abs(uv)))
        raise BadUsage(f"a KITTI .png holds flow of less than 512 px, got {far:.1f} px: write a .flo or .npz instead")
    image = np.concatenate((steps * known, known), -1)
    write_png16(path, image.astype(np.uint16))


def _read_pfm(path: Path) -> _Read:
    image = read_pfm(path)
    if image.shape[-1] != 3:
        raise BadInput(f"{path} has one channel; a flow in a PFM image has three, the third unused")
    return image[..., :2], None


def _write_pfm(path: Path, flow: Flow) -> None:
    uv = flow.numpy()
    write_pfm(path, np.concatenate((uv, np.zeros_like(uv[..., :1])), -1))


def _read_npz(path: Path) -> _Read:
    if not path.exists():
        raise FileNotFoundError(path)
    archive = read_npz(path, ("flow", "occluded"))
    if "flow" not in archive:
        raise BadInput(f"{path} should hold an array `flow` (…, H, W, 2), and has none of that name")
    uv, occluded = archive["flow"], archive.get("occluded")
    if uv.dtype.kind not in "fiu" or uv.ndim < 3 or uv.shape[-1] != 2:
        raise BadInput(f"{path}: `flow` should be numbers (…, H, W, 2), got {uv.dtype} {uv.shape}")
    check_size(uv.shape[-2], uv.shape[-3], str(path))
    if occluded is not None and occluded.shape != uv.shape[:-1]:
        raise BadInput(f"{path}: `occluded` should be {uv.shape[:-1]}, got {occluded.shape}")
    return uv.astype(np.float32), occluded


def _write_npz(path: Path, flow: Flow) -> None:
    with path.open("wb") as file:
        if flow.occluded is None:
            np.savez_compressed(file, flow=flow.numpy())
        else:
            np.savez_compressed(file, flow=flow.numpy(), occluded=flow.occluded.cpu().numpy())


_FORMATS: dict[str, tuple[Callable[[Path], _Read], Callable[[Path, Flow], None]]] = {
    ".flo": (_read_flo, _write_flo),
    ".png": (_read_kitti, _write_kitti),
    ".pfm": (_read_pfm, _write_pfm),
    ".npz": (_read_npz, _write_npz),
}


def _format(path: Path) -> tuple[Callable[[Path], _Read], Callable[[Path, Flow], None]]:
    try:
        return _FORMATS[path.suffix.lower()]
    except KeyError:
        raise BadUsage(f"flow comes in {', '.join(_FORMATS)}, got {path.name}") from None


def _check_png(data: bytes, expected: int, path: Path) -> None:
    """Every chunk whole and as its sum says, up to IEND, and `expected` bytes of rows packed in them."""
    at, rows, kind, unpacker = 8, 0, b"", zlib.decompressobj()
    while kind != b"IEND":
        if at + 12 > len(data):
            raise BadInput(f"{path} ends early: its last part is missing")
        (length,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        body, total = data[at + 4 : at + 8 + length], data[at + 8 + length : at + 12 + length]
        if len(total) < 4 or zlib.crc32(body) != struct.unpack(">I", total)[0]:
            raise BadInput(f"{path} is damaged: a part of it is cut or does not have the sum it states")
        if kind == b"IDAT":
            # Piece by piece: whole, they would take as much memory as the image.
            body = body[4:]
            while body and rows <= expected:
                rows += len(unpacker.decompress(body, 1 << 20))
                body = unpacker.unconsumed_tail
        at += 12 + length
    if rows + len(unpacker.flush()) != expected:
        raise BadInput(f"{path} is damaged: it should unpack to {expected} bytes of rows")


def _check_length(path: Path, expected: int) -> None:
    length = path.stat().st_size
    if length != expected:
        how = "ends early" if length < expected else "goes on too long"
        raise BadInput(f"{path} {how}: its header promises {expected} bytes, it has {length}")
