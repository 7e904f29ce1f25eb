"""People as BVH: a tree of joints, then one line of channel values a frame.

Centimetres and degrees, y up. Channels are Xposition Yposition Zposition Zrotation Xrotation Yrotation at the root and
Zrotation Xrotation Yrotation elsewhere: a joint's rotation is Rz Rx Ry on columns. The rest pose is a T.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dyad.core.files import whole_file
from dyad.export.clock import Clock
from dyad.export.motion import Motion
from dyad.export.rig import Names
from dyad.export.turns import euler_zxy
from dyad.export.upright import Array

_CM = 100.0
_TURNS = "Zrotation Xrotation Yrotation"
_MOVES = f"Xposition Yposition Zposition {_TURNS}"
_CHUNK = 1024


def write_bvh(path: str | Path, people: list[Motion], clock: Clock, *, names: Names = "cmu") -> None:
    """Write one person, or several into one file.

    All files of a clip have the same frames, so that people who are loaded together act together; where somebody is
    not seen, the nearest pose is held, and gaps are bridged. In a file of several people, a root named People that
    never moves holds them, joints carry the prefix P and the person's number, and each one's hips have six channels.

    Args:
        path: of the file, which appears whole or not at all.
        people: at least one.
        clock: the frames to write.
        names: of joints, as in the files of CMU's motions or as Mixamo's.
    """
    single = len(people) == 1
    lines = ["HIERARCHY"]
    if not single:
        lines += ["ROOT People", "{", "\tOFFSET 0 0 0", f"\tCHANNELS 6 {_MOVES}"]
    for motion in people:
        prefix = "" if single else f"P{motion.number}_"
        lines += _tree(motion, [prefix + name for name in motion.rig.names(names)], 0 if single else 1)
    lines += [] if single else ["}"]
    lines += ["MOTION", f"Frames: {len(clock.times)}", f"Frame Time: {1 / clock.rate:.10g}"]
    with whole_file(path) as partial, partial.open("w", encoding="ascii", newline="\n") as file:
        file.write("\n".join(lines) + "\n")
        for values in _values(people, clock.times):
            still = np.zeros((len(values), 0 if single else 6))
            rows = np.concatenate([still, values], 1) + 0.0
            form = " ".join(["%.5f"] * rows.shape[1]) + "\n"
            file.writelines(form % tuple(row) for row in rows.tolist())


def _tree(motion: Motion, names: list[str], depth: int) -> list[str]:
    rig, tails = motion.rig, motion.rig.tails()
    lines: list[str] = []

    def add(k: int, depth: int) -> None:
        root = rig.parents[k] < 0
        pad = "\t" * depth
        lines.append(f"{pad}{'JOINT' if depth else 'ROOT'} {names[k]}")
        lines.append(pad + "{")
        lines.append(f"{pad}\tOFFSET {_triple(rig.offsets[k])}")
        lines.append(f"{pad}\tCHANNELS {f'6 {_MOVES}' if root else f'3 {_TURNS}'}")
        for child, parent in enumerate(rig.parents):
            if parent == k:
                add(child, depth + 1)
        if k in tails:
            lines.extend([f"{pad}\tEnd Site", pad + "\t{", f"{pad}\t\tOFFSET {_triple(tails[k])}", pad + "\t}"])
        lines.append(pad + "}")

    add(0, depth)
    return lines


def _values(people: list[Motion], times: Array) -> Iterator[Array]:
    """Channel values (≤ 1024, C) of everyone, chunk by chunk. Nodes lie in the order in which the tree is written."""
    last: list[Array | None] = [None] * len(people)
    for start in range(0, len(times), _CHUNK):
        part = times[start : start + _CHUNK]
        columns = []
        for number, motion in enumerate(people):
            root, turns = motion.at(part)
            angles = euler_zxy(turns, last[number])
            last[number] = angles[-1]
            columns += [root * _CM, angles.reshape(len(part), -1)]
        yield np.concatenate(columns, 1)


def _triple(offset: Array) -> str:
    return " ".join(f"{value:.6f}" for value in (offset * _CM + 0.0).tolist())
