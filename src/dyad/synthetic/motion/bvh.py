"""Reader of BVH files (Biovision hierarchy: a tree of joints, then one line of channel values a frame)."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from dyad.core.errors import BadInput
from dyad.synthetic.motion.motion_text import MOST_JOINTS, Line, check_unit, guess_unit, read_lines
from dyad.synthetic.motion.motions import Motion
from dyad.synthetic.motion.rotations import Array, about, from_euler

_CHANNEL = re.compile(r"([xyz])(position|rotation)", re.IGNORECASE)


@dataclass
class _Joint:
    name: str
    parent: int
    offset: list[float] | None = None
    channels: list[tuple[str, str]] = field(default_factory=list)
    end: bool = False


def read_bvh(path: str | Path, *, metres_per_unit: float | None = None, up: Literal["y", "z"] = "y") -> Motion:
    """The motion in a BVH file.

    Any order of channels is read; rotations are in degrees and multiply in the order in which the file names them. End
    sites become joints that never turn, named after their parent with `_end`. Positions given for the root are its
    place in the world; for another joint they take the place of its OFFSET, unless all are zero, and since bones do
    not stretch here, their median over time is used. `up` names the file's upward axis; z is turned to y.

    `metres_per_unit` says how long the file's unit is; BVH files do not. Left out, it is guessed from the size of the
    skeleton, as `motion_text.guess_unit` says. BadInput with file and line where the file is not as it should be.
    """
    check_unit(metres_per_unit)
    lines = read_lines(path)
    pieces = _pieces(lines)
    if not pieces or pieces[0].text.upper() != "HIERARCHY":
        raise BadInput(f"{path}: expected the word HIERARCHY at the start of a BVH file")
    joints, at = _hierarchy(pieces)
    _, fps, values = _values(pieces[at:], sum(len(joint.channels) for joint in joints), Path(path))
    offsets = np.array([joint.offset or (0.0, 0.0, 0.0) for joint in joints])
    rotations = np.broadcast_to(np.eye(3), (len(values), len(joints), 3, 3)).copy()
    translation = np.broadcast_to(offsets[0], (len(values), 3)).copy()
    column = 0
    for number, joint in enumerate(joints):
        own = values[:, column : column + len(joint.channels)]
        column += len(joint.channels)
        turns = [i for i, (_, kind) in enumerate(joint.channels) if kind == "rotation"]
        order = "".join(joint.channels[i][0] for i in turns)
        rotations[:, number] = from_euler(order, np.radians(own[:, turns]))
        moves = [(i, "xyz".index(axis)) for i, (axis, kind) in enumerate(joint.channels) if kind == "position"]
        for i, axis in moves:
            if number == 0:
                translation[:, axis] = own[:, i]
        if number and moves and own[:, [i for i, _ in moves]].any():
            for i, axis in moves:
                offsets[number, axis] = np.median(own[:, i])
    if up == "z":
        upright = about((1.0, 0.0, 0.0), -np.pi / 2)
        rotations[:, 0], translation = upright @ rotations[:, 0], translation @ upright.T
    parents = tuple(joint.parent for joint in joints)
    offsets[0] = 0.0
    unit = metres_per_unit or guess_unit(parents, offsets)
    names = tuple(joint.name for joint in joints)
    return Motion(names, parents, offsets * unit, rotations, translation * unit, fps, source=Path(path).name)


def _pieces(lines: list[Line]) -> list[Line]:
    """Lines of the hierarchy with braces on lines of their own, then the lines of the motion as they are."""
    found: list[Line] = []
    for place, line in enumerate(lines):
        if line.text.upper() == "MOTION":
            return found + lines[place:]
        parts = (part.strip() for part in re.split(r"([{}])", line.text))
        found.extend(Line(line.file, line.number, part) for part in parts if part)
    return found


def _hierarchy(pieces: list[Line]) -> tuple[list[_Joint], int]:
    """The joints in the file's order, and the place of the line MOTION."""
    joints: list[_Joint] = []
    opened: list[int] = []
    awaited: int | None = None
    for at, line in enumerate(pieces[1:], 1):
        word, _, rest = line.text.partition(" ")
        word, rest = word.split("\t")[0].upper(), line.text[len(word.split("\t")[0]) :].strip()
        if awaited is not None:
            if line.text != "{":
                raise line.fault("'{'")
            opened.append(awaited)
            awaited = None
        elif word in ("ROOT", "JOINT", "END"):
            awaited = _begin(line, word, rest, joints, opened)
        elif word == "}":
            if not opened:
                raise line.fault("no '}' where nothing is open")
            closed = joints[opened.pop()]
            if closed.offset is None:
                raise line.fault(f"an OFFSET for {closed.name} before its end")
        elif word == "OFFSET" and opened:
            joints[opened[-1]].offset = line.numbers(rest.split(), 3, "x y z of OFFSET")
        elif word == "CHANNELS" and opened:
            joints[opened[-1]].channels = _channels(line, rest.split())
        elif word == "MOTION":
            if opened or not joints:
                raise line.fault("the hierarchy's closing '}'" if opened else "a ROOT before MOTION")
            return joints, at
        else:
            raise line.fault("ROOT, JOINT, End Site, OFFSET, CHANNELS, '}' or MOTION")
    last = pieces[-1]
    raise BadInput(f"{last.file} ends at line {last.number} within the hierarchy; a line MOTION was expected")


def _begin(line: Line, word: str, name: str, joints: list[_Joint], opened: list[int]) -> int:
    """Adds the joint that a line begins; returns its number."""
    if (word == "ROOT") != (not opened) or (word == "ROOT" and joints):
        raise line.fault("a single ROOT, with all joints inside it")
    if len(joints) >= MOST_JOINTS:
        raise line.fault(f"no more than {MOST_JOINTS} joints")
    if opened and joints[opened[-1]].end:
        raise line.fault("no joint within an End Site")
    taken = {joint.name for joint in joints}
    if word == "END":
        name = base = f"{joints[opened[-1]].name}_end"
        count = 1
        while name in taken:
            count += 1
            name = f"{base}_{count}"
    elif not name or name in taken:
        raise line.fault("a joint's name that no other joint has")
    joints.append(_Joint(name, opened[-1] if opened else -1, end=word == "END"))
    return len(joints) - 1


def _channels(line: Line, words: list[str]) -> list[tuple[str, str]]:
    if not words or not words[0].isdecimal() or len(words[0]) > 2 or int(words[0]) != len(words) - 1:
        raise line.fault("CHANNELS with their number and that many names")
    found = []
    for word in words[1:]:
        match = _CHANNEL.fullmatch(word)
        if not match:
            raise line.fault("channels such as Xposition or Zrotation")
        found.append((match[1].lower(), match[2].lower()))
    positions = [axis for axis, kind in found if kind == "position"]
    if len(set(positions)) != len(positions):
        raise line.fault("every position channel once")
    return found


def _values(lines: list[Line], channels: int, path: Path) -> tuple[int, float, Array]:
    """Frames, frames a second and the values (T, channels) below the line MOTION."""
    if len(lines) < 3:
        raise BadInput(f"{path} ends after MOTION; lines 'Frames: N' and 'Frame Time: S' were expected")
    head = re.fullmatch(r"frames\s*:?\s*(\d{1,9})", lines[1].text, re.IGNORECASE)
    if not head or int(head[1]) < 1:
        raise lines[1].fault("'Frames: N' with N at least 1")
    count = int(head[1])
    time = re.fullmatch(r"frame\s+time\s*:?\s*(\S+)", lines[2].text, re.IGNORECASE)
    if not time:
        raise lines[2].fault("'Frame Time: S'")
    seconds = lines[2].numbers([time[1]], 1, "seconds a frame")[0]
    if not 1e-5 < seconds < 100:
        raise lines[2].fault("a frame time from 0.00001 to 100 seconds")
    rows = lines[3:]
    if len(rows) != count:
        raise BadInput(f"{path}: {count} frames are announced, but {len(rows)} lines of values follow")
    values = np.array([row.numbers(row.words, channels, "one for each channel") for row in rows], np.float64)
    return count, 1 / seconds, values.reshape(count, channels)
