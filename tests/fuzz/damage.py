"""Damaged copies of small files, each made again by its number: bytes, and the inside of archives, JSON and text."""

import io
import json
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

Random = np.random.Generator
Damage = Callable[[bytes, Random], bytes]

# Values that no sound file has, and that code trips over.
STRANGE: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 2.5, 1e300, -1e300, 10**400, 2**31, 2**63, float("nan"), float("inf"), 1e-320),
    *("", "word", "../../etc/passwd", "\0", "é\n", [], {}, [[]], [None], {"a": 1}, [[1], [1, 2]], [1e300] * 51),
)
WORDS = (
    *("nan", "inf", "-inf", "1e300", "-1", "0", "1e999", "99999999999999999999", "9" * 5000, "{", "}", ":root"),
    *("²", "\0", "begin", "end", "0x10", "1_0", "\ufeff", "MOTION", "End Site", "--", "é", "a" * 3000),
)
NUMBERS = (0, 1, 2, 255, 0x7F, 0xFFFF, 0x7FFF, 1 << 20, 1 << 28, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 40, 1 << 62)


def damaged(kind: str, data: bytes, random: Random) -> bytes:
    """One to three wounds, most of them of the file's own kind."""
    own = KINDS[kind]
    for _ in range(int(random.integers(1, 4))):
        wounds = own if own and random.random() < 0.65 else _BYTES
        wound = wounds[random.integers(len(wounds))]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                data = wound(data, random)
        except Exception:  # What is damaged already need not have an inside any more.
            data = _flip(data, random)
    return data


def _pick(random: Random, values: Any) -> Any:
    return values[int(random.integers(len(values)))]


def _flip(data: bytes, random: Random) -> bytes:
    out = bytearray(data)
    for _ in range(int(2 ** random.uniform(0, 5)) if out else 0):
        out[random.integers(len(out))] ^= 1 << int(random.integers(8))
    return bytes(out)


def _flip_head(data: bytes, random: Random) -> bytes:
    return _flip(data[:200], random) + data[200:]


def _cut(data: bytes, random: Random) -> bytes:
    return data[: random.integers(len(data) + 1)]


def _drop(data: bytes, random: Random) -> bytes:
    a, b = sorted(random.integers(len(data) + 1, size=2))
    return data[:a] + data[min(b, a + 300) :]


def _repeat(data: bytes, random: Random) -> bytes:
    a, b = sorted(random.integers(len(data) + 1, size=2))
    return data[:b] + data[a:]


def _append(data: bytes, random: Random) -> bytes:
    return data + random.bytes(int(random.integers(1, 400)))


def _number(data: bytes, random: Random) -> bytes:
    """A binary number of two, four or eight bytes becomes an extreme one."""
    size = _pick(random, (2, 4, 4, 8))
    if len(data) < size:
        return data
    limit = len(data) if random.random() < 0.6 else min(len(data), 256)
    at = int(random.integers(max(1, (limit - size) // 2))) * 2
    order = _pick(random, ("little", "big"))
    return data[:at] + (_pick(random, NUMBERS) % (1 << 8 * size)).to_bytes(size, order) + data[at + size :]


def _float(data: bytes, random: Random) -> bytes:
    form = _pick(random, ("<f", "<d", ">f"))
    value = _pick(random, (np.nan, np.inf, -np.inf, 3e38, -1e30, 1e-40))
    packed = struct.pack(form, value)
    at = int(random.integers(max(1, (len(data) - len(packed)) // 4))) * 4
    return data[:at] + packed + data[at + len(packed) :]


_BYTES: tuple[Damage, ...] = (_flip, _flip, _flip_head, _cut, _drop, _repeat, _append, _number, _number, _float)


def _json_inside(data: bytes, random: Random) -> bytes:
    return json.dumps(strange_json(json.loads(data), random)).encode()


def _json_nested(data: bytes, random: Random) -> bytes:
    deep = int(2 ** random.uniform(4, 17))
    return data[: random.integers(len(data) + 1)] + b"[" * deep if random.random() < 0.5 else b"[" * deep + b"]" * deep


def strange_json(value: Any, random: Random) -> Any:
    """A copy with one value, anywhere, replaced, removed or doubled."""
    if isinstance(value, dict | list) and value and random.random() < 0.8:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = _pick(random, keys)
        copy = dict(value) if isinstance(value, dict) else list(value)
        choice = random.random()
        if choice < 0.75:
            copy[key] = strange_json(value[key], random)
        elif choice < 0.85:
            del copy[key]
        elif isinstance(copy, list):
            copy.append(copy[key])
        else:
            copy[str(_pick(random, STRANGE))[:50]] = copy[key]
        return copy
    if isinstance(value, int | float) and random.random() < 0.3:
        return _pick(random, (-value, value + 0.5, value * 1e9, value + 1, str(value), [value]))
    return _pick(random, STRANGE)


def _word(data: bytes, random: Random) -> bytes:
    words = data.decode("utf-8", "replace").split(" ")
    words[int(random.integers(len(words)))] = _pick(random, WORDS)
    return " ".join(words).encode()


def _line(data: bytes, random: Random) -> bytes:
    lines = data.split(b"\n")
    at, other = random.integers(len(lines), size=2)
    match int(random.integers(5)):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[other])
        case 2:
            lines[at], lines[other] = lines[other], lines[at]
        case 3:
            lines[at] = b" ".join(lines[at].split()[: random.integers(8)])
        case _:
            lines[at:at] = [lines[other]] * int(2 ** random.uniform(0, 12))
    return b"\n".join(lines)


def _value(data: bytes, random: Random) -> bytes:
    """The words of one line, one of them strange."""
    lines = data.split(b"\n")
    at = int(random.integers(len(lines)))
    words = lines[at].split() or [b""]
    words[int(random.integers(len(words)))] = _pick(random, WORDS).encode()
    lines[at] = b" ".join(words)
    return b"\n".join(lines)


def entries(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(content: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in content.items():
            archive.writestr(name, value)
    return out.getvalue()


def npy(array: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def npy_stating(shape: Any, descr: Any = "<f8", body: bytes = b"") -> bytes:
    """An .npy that states a shape and a type, whatever it holds."""
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape!r}, }}".encode()
    text += b" " * (64 - (len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body


SHAPES = ((10**11, 3), (-1, 5), (2**62, 2**62), (0,), (10**9,), (3, 0, 10**18), (1,) * 40, "x", (2.5,), (True,), 7)
DESCRIPTIONS = ("|O", "<U7", "<c16", "<M8[s]", "V8", ">f8", [("a", "<f8")], "f", "|S0", "<f2", "|b1", "bad", None, 3)


def _npz_array(data: bytes, random: Random) -> bytes:
    """One array becomes another: other numbers, another shape or type, or another statement of them."""
    content = entries(data)
    name = _pick(random, list(content))
    content[name] = _npy_inside(content[name], random)
    return zipped(content)


def _npy_inside(raw: bytes, random: Random) -> bytes:
    if random.random() < 0.35:
        return npy_stating(_pick(random, SHAPES), _pick(random, DESCRIPTIONS), raw[128:])
    array = np.load(io.BytesIO(raw))
    if array.dtype.kind == "U" and array.ndim == 0 and str(array).startswith("{") and random.random() < 0.9:
        return npy(np.array(json.dumps(strange_json(json.loads(str(array)), random))))
    changed = array
    with np.errstate(all="ignore"):
        match int(random.integers(9)):
            case 0:
                changed = np.where(random.random(array.shape) < 0.1, _pick(random, (np.nan, np.inf, -np.inf)), array)
            case 1:
                changed = np.full(array.shape, _pick(random, (np.nan, 1e300, -1e300, -1, 2**62, -(2**63), 0)))
            case 2:
                changed = array[:-1] if array.ndim else array[None]
            case 3:
                changed = array.ravel() if array.ndim > 1 else array.reshape(-1, 1)
            case 4:
                changed = array[..., :-1] if array.ndim else np.zeros((0,))
            case 5:
                changed = array.astype(_pick(random, ("U", "f2", "c16", "i1", "u8", "S3", "?", ">f4", "M8[s]")))
            case 6:
                changed = np.zeros((0, *array.shape[1:]))
            case 7:
                changed = np.array(_pick(random, (0.0, "x", True, -1)))
            case _:
                changed = np.broadcast_to(array, (3, *array.shape))
    return npy(changed)


def _npz_members(data: bytes, random: Random) -> bytes:
    """Members that are missing, twice there, exchanged, or named to lead out of the folder."""
    content = entries(data)
    name, other = _pick(random, list(content)), _pick(random, list(content))
    match int(random.integers(5)):
        case 0:
            del content[name]
        case 1:
            content[name], content[other] = content[other], content[name]
        case 2:
            content[_pick(random, ("../evil.npy", "/tmp/evil.npy", "a\\..\\b.npy", "x\0y.npy", "." * 300))] = b"x"
        case 3:
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w") as archive, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for each, value in [*content.items(), (name, content[other])]:
                    archive.writestr(each, value)
            return out.getvalue()
        case _:
            content[name] = bytes(0) if random.random() < 0.5 else b"\x93NUMPY" + random.bytes(50)
    return zipped(content)


def _npz_directory(data: bytes, random: Random) -> bytes:
    """The archive's directory lies about flags, method or sizes."""
    at = data.find(b"PK\x01\x02", int(random.integers(len(data)))) % len(data)
    place, size = _pick(random, ((8, 2), (10, 2), (20, 4), (24, 4), (28, 2), (42, 4)))
    value = _pick(random, NUMBERS) if random.random() < 0.5 else int(random.integers(16))
    return data[: at + place] + (value % (1 << 8 * size)).to_bytes(size, "little") + data[at + place + size :]


@lru_cache(maxsize=1)
def _zeros(megabytes: int) -> tuple[bytes, int, int]:
    """(deflated .npy of zeros, its checksum, its length)."""
    head = npy_stating((megabytes << 17,))
    packer, total, block = zlib.compressobj(1, zlib.DEFLATED, -15), zlib.crc32(head), bytes(1 << 20)
    parts = [packer.compress(head)]
    for _ in range(megabytes):
        parts.append(packer.compress(block))
        total = zlib.crc32(block, total)
    return b"".join([*parts, packer.flush()]), total, len(head) + (megabytes << 20)


def with_bomb(archive: bytes, name: str, megabytes: int = 300) -> bytes:
    """An archive with one more member, which unpacks to so many megabytes."""
    packed, checksum, length = _zeros(megabytes)
    encoded = name.encode()
    at = archive.rfind(b"PK\x05\x06")
    count, size, start = struct.unpack("<10xHII", archive[at : at + 20])
    common = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, checksum, len(packed), length, len(encoded), 0)
    local = b"PK\x03\x04" + common + encoded + packed
    entry = b"PK\x01\x02" + struct.pack("<H", 20) + common + struct.pack("<HHHII", 0, 0, 0, 0, start) + encoded
    directory = archive[start : start + size] + entry
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, count + 1, count + 1, len(directory), start + len(local), 0)
    return archive[:start] + local + directory + end


def _npy_alone(data: bytes, random: Random) -> bytes:
    return _npy_inside(data, random)


def _safetensors(data: bytes, random: Random) -> bytes:
    """The header of names, types, shapes and places, or what it says beside them, is strange."""
    length = int.from_bytes(data[:8], "little")
    header, rest = json.loads(data[8 : 8 + length]), data[8 + length :]
    told = header.get("__metadata__", {}).get("dyad")
    if told is not None and random.random() < 0.7:
        header["__metadata__"]["dyad"] = json.dumps(strange_json(json.loads(told), random))
    else:
        header = strange_json(header, random)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    stated = len(text) if random.random() < 0.9 else _pick(random, NUMBERS)
    return stated.to_bytes(8, "little") + text + rest


def _png(data: bytes, random: Random) -> bytes:
    """Another header of the image, with the right sum."""
    head = bytearray(data[16:29])
    match int(random.integers(3)):
        case 0:
            head[:8] = struct.pack(">II", *(_pick(random, (0, 1, 16384, 65535, 2**31 - 1, 11000)) for _ in range(2)))
        case 1:
            head[8:] = bytes(int(random.integers(20)) for _ in range(5))
        case _:
            head[int(random.integers(13))] ^= 1 << int(random.integers(8))
    return data[:16] + bytes(head) + struct.pack(">I", zlib.crc32(b"IHDR" + bytes(head))) + data[33:]


def _opcodes(data: bytes, random: Random) -> bytes:
    """Operations of a pickle put in between."""
    some = (b"]", b"}", b")", b"(", b"2", b"0", b"1", b"t", b"l", b"d", b"a", b"e", b"s", b"u", b"R", b"b", b"q\x00")
    more = (b"h\x00", b"h\x01", b"K\x07", b"\x85", b"\x86", b"N", b"cos\nsystem\n", b"I99999999999\n", b"\x94", b".")
    at = int(random.integers(len(data) + 1))
    return data[:at] + b"".join(_pick(random, some + more) for _ in range(random.integers(1, 12))) + data[at:]


KINDS: dict[str, tuple[Damage, ...]] = {
    "bytes": (),
    "json": (_json_inside, _json_inside, _json_inside, _json_nested),
    "text": (_word, _line, _value, _value),
    "npz": (_npz_array, _npz_array, _npz_array, _npz_members, _npz_directory),
    "npy": (_npy_alone,),
    "safetensors": (_safetensors,),
    "png": (_png,),
    "pickle": (_opcodes,),
}
