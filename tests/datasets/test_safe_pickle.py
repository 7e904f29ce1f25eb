import io
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from dyad.core.errors import BadInput
from dyad.datasets.safe_pickle import read_object_npz, read_pickle, read_pickled

DATA = {
    "numbers": [0, 1, -5, 255, 70000, 2**40, -(2**70), 0.25, -1e300, True, False, None],
    "text": ("a", "ä", "", "x" * 300, b"bytes", b"", bytearray(b"y")),
    "nested": [{"a": ({}, [], ())}, (1, 2), (1, 2, 3, 4)],
    3: "key",
}
ARRAYS = [
    np.arange(24, dtype=np.float64).reshape(2, 3, 4),
    np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
    np.arange(5, dtype=">i2"),
    np.array([True, False]),
    np.zeros((0, 3)),
    np.array(7.5),
    np.array(["one", "three"]),
    np.arange(10)[::2],
]


@pytest.mark.parametrize("protocol", range(6))
def test_data_comes_out_as_it_went_in(protocol: int) -> None:
    data = {k: v for k, v in DATA.items() if k != "text" or protocol == 5}
    assert read_pickled(pickle.dumps(data, protocol)) == data


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_come_out_as_they_went_in(protocol: int) -> None:
    shared = np.arange(3)
    for value, wanted in zip(
        read_pickled(pickle.dumps([*ARRAYS, shared, shared], protocol)), [*ARRAYS, shared, shared], strict=True
    ):
        assert value.shape == wanted.shape
        assert value.dtype == wanted.dtype.newbyteorder("=")
        assert np.array_equal(value, wanted)
    many = np.empty(2, dtype=object)
    many[0], many[1] = np.arange(3), [None, "x"]
    got = read_pickled(pickle.dumps(many, protocol))
    assert got.dtype == object
    assert got[0].tolist() == [0, 1, 2]
    assert got[1] == [None, "x"]
    assert read_pickled(pickle.dumps((np.float32(1.5), np.int64(-3)), protocol)) == (1.5, -3)


def test_a_pickle_of_python_2_is_read() -> None:
    """As Python 2 writes them: text without encoding, an array's bytes as text, names of the old NumPy."""
    raw = np.array([1.5, -2.0]).tobytes()
    text = (
        b"\x80\x02}q\x00(U\x05namesU\x02\xe4xU\x01acnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02"
        b"K\x00\x85q\x03U\x01bq\x04\x87q\x05Rq\x06(K\x01K\x02\x85q\x07cnumpy\ndtype\nq\x08U\x02f8q\x09K\x00K\x01\x87q\x0a"
        b"Rq\x0b(K\x03U\x01<q\x0cNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x0db\x89T"
        + len(raw).to_bytes(4, "little")
        + raw
        + b"q\x0etq\x0fbu."
    )
    got = read_pickled(text)
    assert got["names"] == "äx"
    assert got["a"].tolist() == [1.5, -2.0]
    assert pickle.loads(text, encoding="latin1")["a"].tolist() == [1.5, -2.0]


class Hostile:
    def __init__(self, call, *arguments) -> None:
        self._what = call, arguments

    def __reduce__(self):
        return self._what


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_that_a_pickle_asks_for_is_done(tmp_path: Path, protocol: int) -> None:
    made = tmp_path / "made"
    # Each of these harms whoever unpickles it.
    attacks = [
        Hostile(os.system, f"touch {made}"),
        Hostile(os.mkdir, str(made)),
        Hostile(eval, f"open({str(made)!r}, 'w')"),
        Hostile(exec, f"open({str(made)!r}, 'w')"),
        Hostile(np.save, str(made), np.zeros(2)),
        Hostile(np.lib.format.open_memmap, str(made), "w+"),
        Hostile(__import__, "antigravity"),
        OrderedDict(a=1),
        {1, 2},
        Path("x"),
        np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
    ]
    for attack in attacks:
        with pytest.raises(BadInput, match="holds more than data"):
            read_pickled(pickle.dumps([np.arange(2), attack], protocol))
    assert not made.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"(S'touch x'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'touch x'\no.",  # OBJ
        b"\x80\x02cos\nsystem\n)\x81.",  # NEWOBJ
        b"\x80\x02\x82\x01.",  # EXT1
        b"Pabc\n.",  # PERSID
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",  # STACK_GLOBAL
        b"\x80\x05\x97.",  # NEXT_BUFFER
        b"cnumpy\nndarray\n(I2\ntR.",  # an array of unwritten memory
        b"cnumpy\ndtype\n(S'O'\nI0\nI1\ntR(I3\nS'|'\nNS'a'\nNI-1\nI-1\nI63\ntb.",
        b"}S'a'\nb.",  # BUILD of a dict
        b"cnumpy.core.multiarray\nscalar\n(I1\nI2\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct.evil\n.",
    ],
)
def test_hand_made_attacks_are_refused(content: bytes) -> None:
    with pytest.raises(BadInput, match="holds more than data"):
        read_pickled(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b".",
        b"(.",
        b"no pickle",
        b"cnumpy\nndarray\n.",
        b"h\x05.",
        b"]I1\nu.",
        b"}(I1\nu.",
        b"}]I1\ns.",
        b"a.",
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR.",
        b"]cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntRa.",
    ],
)
def test_what_is_no_pickle_is_said(content: bytes) -> None:
    with pytest.raises(BadInput, match="no whole pickle"):
        read_pickled(content)


def test_an_array_cannot_ask_for_more_memory_than_the_file_has() -> None:
    whole = pickle.dumps(np.zeros(3), 2)
    for shape in (b"J\xff\xff\xff\x7f\x85", b"J\xff\xff\xff\xff\x85", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86"):
        huge = whole.replace(b"K\x01K\x03\x85", b"K\x01" + shape)
        assert huge != whole
        with pytest.raises(BadInput, match="no whole pickle"):
            read_pickled(huge)


@pytest.mark.filterwarnings("ignore:invalid escape sequence")
def test_a_damaged_pickle_never_does_more_than_raise() -> None:
    rng = np.random.default_rng(0)
    for protocol in (0, 2, 4, 5):
        whole = pickle.dumps({"a": ARRAYS, "b": [1, 2.0, "text"]}, protocol)
        for length in range(len(whole) - 1):
            with pytest.raises(BadInput):
                read_pickled(whole[:length])
        for _ in range(400):
            broken = bytearray(whole)
            for at in rng.integers(len(whole), size=3):
                broken[at] = rng.integers(256)
            try:
                read_pickled(bytes(broken))
            except BadInput:
                continue


def test_files_and_archives(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"x": np.arange(3)}))
    assert read_pickle(tmp_path / "a.pkl")["x"].tolist() == [0, 1, 2]
    with pytest.raises(BadInput, match="cannot read"):
        read_pickle(tmp_path / "b.pkl")
    with pytest.raises(BadInput, match="cannot read"):
        read_pickle(tmp_path)
    table = {"S1": {"Walk": np.ones((2, 3), np.float32)}}
    np.savez_compressed(tmp_path / "a.npz", table=table, plain=np.arange(4))
    got = read_object_npz(tmp_path / "a.npz", "table", "plain")
    assert got["table"]["S1"]["Walk"].tolist() == [[1, 1, 1], [1, 1, 1]]
    assert got["plain"].tolist() == [0, 1, 2, 3]
    with pytest.raises(BadInput, match="lacks other"):
        read_object_npz(tmp_path / "a.npz", "other")
    np.savez(tmp_path / "evil.npz", table=np.array(Hostile(os.system, f"touch {tmp_path / 'made'}"), dtype=object))
    with pytest.raises(BadInput, match="holds more than data"):
        read_object_npz(tmp_path / "evil.npz", "table")
    assert not (tmp_path / "made").exists()
    content = (tmp_path / "a.npz").read_bytes()
    for length in (0, 10, len(content) // 2, len(content) - 1):
        (tmp_path / "part.npz").write_bytes(content[:length])
        with pytest.raises(BadInput, match="no npz archive"):
            read_object_npz(tmp_path / "part.npz", "table")
    with zipfile.ZipFile(tmp_path / "odd.npz", "w") as archive:
        archive.writestr("table.npy", b"\x93NUMPY garbage")
    with pytest.raises(BadInput, match="no npz archive"):
        read_object_npz(tmp_path / "odd.npz", "table")
    with pytest.raises(BadInput, match="no file"):
        read_object_npz(tmp_path / "none.npz", "table")
    stream = io.BytesIO()
    np.save(stream, np.array([1, "a", None], dtype=object))
    with zipfile.ZipFile(tmp_path / "list.npz", "w") as archive:
        archive.writestr("table.npy", stream.getvalue())
    assert read_object_npz(tmp_path / "list.npz", "table")["table"].tolist() == [1, "a", None]
