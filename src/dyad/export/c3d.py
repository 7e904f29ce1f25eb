"""People as C3D: a binary file of marker positions. Millimetres, z up, 32-bit floats of Intel's byte order.

https://www.c3d.org/docs/C3D_User_Guide.pdf
"""

import struct
from pathlib import Path
from typing import Any

import numpy as np

from dyad import __version__
from dyad.core.errors import BadInput
from dyad.core.files import whole_file
from dyad.export.clock import Clock, sampled
from dyad.export.markers import marker_names
from dyad.export.upright import TO_Z_UP, Upright

_BLOCK = 512
_MM = 1000.0
_CHUNK = 512
_MOST_LABELS = 255
_MOST_BLOCKS = 255
_STEP = 4.0
"""Millimetres of one step of the residual, which is a byte."""


def write_c3d(path: str | Path, space: Upright, clock: Clock) -> None:
    """Write everyone's joints as markers into one file, which appears whole or not at all.

    x points to the right, y away from the camera, z up. A marker is called P3:LKnee, with the person's number before
    the colon, and each person is one of the group SUBJECTS. A joint that is missing has the residual -1 and the place
    0 0 0; the residual of others is their sigma (root of the mean square over the axes), to 4 mm and up to 508 mm.
    BadInput where there are more people than the format's header holds.
    """
    people = space.people()
    names = marker_names(space.tracks.skeleton)
    labels = [f"P{person.number}:{name}" for person in people for name in names]
    subjects = [f"P{person.number}" for person in people]
    parameters = _parameters(labels, subjects, clock)
    blocks = -(-len(parameters) // _BLOCK)
    if blocks > _MOST_BLOCKS or len(labels) > 32767:
        raise BadInput(f"a C3D file cannot hold the names of {len(labels)} markers; export fewer people at a time")
    frames = len(clock.times)
    with whole_file(path) as partial, partial.open("wb") as file:
        last = min(frames, 65535)
        header = struct.pack("<BBHHHHHfHHf", 2, 80, len(labels), 0, 1, last, 0, -_STEP, 2 + blocks, 0, clock.rate)
        file.write(header.ljust(_BLOCK, b"\0"))
        file.write(parameters.ljust(blocks * _BLOCK, b"\0"))
        for start in range(0, frames, _CHUNK):
            times = clock.times[start : start + _CHUNK]
            points = np.zeros((len(times), len(people), len(names), 4), np.float32)
            for place, person in enumerate(people):
                xyz, sigma = sampled(space, person, times)
                known = np.asarray(np.isfinite(xyz).all(-1))
                points[:, place, :, :3] = np.where(known[..., None], xyz @ TO_Z_UP.T * _MM, 0.0)
                error = np.sqrt((sigma**2).mean(-1)) * _MM
                steps = np.where(np.isfinite(error), np.clip(np.ceil(error / _STEP), 0, 127), 0)
                points[:, place, :, 3] = np.where(known, steps, -1)
            file.write(points.astype("<f4").tobytes())
        file.write(b"\0" * (-file.tell() % _BLOCK))


def _parameters(labels: list[str], subjects: list[str], clock: Clock) -> bytes:
    """The parameter section; where the data begin follows from its own length."""
    data = 0
    while True:
        made = _section(_groups(labels, subjects, clock, data))
        start = 2 + -(-len(made) // _BLOCK)
        if start == data or start > 300:
            return made
        data = start


def _groups(labels: list[str], subjects: list[str], clock: Clock, data: int) -> dict[str, dict[str, Any]]:
    frames = len(clock.times)
    point: dict[str, Any] = {"USED": len(labels), "SCALE": -_STEP, "RATE": clock.rate, "DATA_START": data}
    point |= {"FRAMES": min(frames, 65535), "UNITS": ["mm"], "X_SCREEN": ["+X"], "Y_SCREEN": ["+Z"]}
    for number, start in enumerate(range(0, len(labels), _MOST_LABELS), 1):
        suffix = "" if number == 1 else str(number)
        point[f"LABELS{suffix}"] = labels[start : start + _MOST_LABELS]
        point[f"DESCRIPTIONS{suffix}"] = [""] * len(point[f"LABELS{suffix}"])
    # A frame's number takes two words of 16 bits here, for clips too long for the header's one.
    ends = {"ACTUAL_START_FIELD": (1, 0), "ACTUAL_END_FIELD": (frames & 0xFFFF, frames >> 16)}
    return {
        "POINT": point,
        "ANALOG": {"USED": 0, "SCALE": (), "RATE": 0.0, "GEN_SCALE": 1.0, "OFFSET": (), "LABELS": [], "UNITS": []},
        "TRIAL": {**ends, "CAMERA_RATE": clock.rate},
        "SUBJECTS": {
            "USED": len(subjects),
            "USES_PREFIXES": 1,
            "NAMES": subjects[:_MOST_LABELS],
            "LABEL_PREFIXES": [name + ":" for name in subjects[:_MOST_LABELS]],
        },
        "MANUFACTURER": {"COMPANY": ["Dyad"], "SOFTWARE": [f"Dyad {__version__}"]},
    }


def _section(groups: dict[str, dict[str, Any]]) -> bytes:
    entries = []
    for number, (group, parameters) in enumerate(groups.items(), 1):
        entries.append((group, -number, b"\0"))
        entries += [(name, number, _value(value) + b"\0") for name, value in parameters.items()]
    body = b""
    for place, (name, number, content) in enumerate(entries):
        last = place == len(entries) - 1
        body += struct.pack("<bb", len(name), number) + name.encode("ascii")
        # The way to the next entry is counted from this word on; 0 ends the list.
        body += struct.pack("<H", 0 if last else 2 + len(content)) + content
    blocks = -(-(4 + len(body)) // _BLOCK)
    return struct.pack("<BBBB", 1, 80, min(blocks, 255), 84) + body


def _value(value: Any) -> bytes:
    """Type, dimensions and data of a parameter: a whole number, a real one, a tuple of whole ones, or texts."""
    match value:
        case int():
            return struct.pack("<bBH", 2, 0, value)
        case float():
            return struct.pack("<bBf", 4, 0, value)
        case tuple():
            return struct.pack("<bBB", 2, 1, len(value)) + struct.pack(f"<{len(value)}H", *value)
        case _:
            wide = max(map(len, value), default=0)
            text = b"".join(entry.ljust(wide).encode("ascii") for entry in value)
            return struct.pack("<bBBB", -1, 2, wide, len(value)) + text
