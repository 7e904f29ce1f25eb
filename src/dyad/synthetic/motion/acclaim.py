"""Readers of Acclaim files: a skeleton (ASF) and its motion (AMC), as CMU's motion capture library publishes them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from dyad.core.errors import BadInput
from dyad.synthetic.motion.motion_text import MOST_JOINTS, Line, check_unit, read_lines
from dyad.synthetic.motion.motions import Motion
from dyad.synthetic.motion.rotations import Array, from_euler, unit

_INCH = 0.0254
_FREEDOMS = ("tx", "ty", "tz", "rx", "ry", "rz", "l")


@dataclass(frozen=True, eq=False)
class Bone:
    """One bone as the file has it: where it points in the world at rest, and about which axes it turns.

    `axes` (3, 3) is C: the bone turns by C R C⁻¹, with R the product of the turns in `freedoms` (rx first to act).
    """

    name: str
    tail: Array = field(default_factory=lambda: np.zeros(3))
    axes: Array = field(default_factory=lambda: np.eye(3))
    freedoms: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Acclaim:
    """A skeleton: bones, the root first, parents before children, in the file's units.

    `metres_per_unit` is an inch over the file's `length`: CMU's files say 0.45 and mean that a length of 0.45 is an
    inch. `position` (3,) and `heading` (3, 3) place the root at rest.
    """

    bones: tuple[Bone, ...]
    parents: tuple[int, ...]
    position: Array
    heading: Array
    metres_per_unit: float
    degrees: bool
    source: str

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the bones; the joint at a bone's near end has its name."""
        return tuple(bone.name for bone in self.bones)


def read_asf(path: str | Path) -> Acclaim:
    """The skeleton in an ASF file. Limits of the joints are read over. BadInput with file and line on any fault."""
    sections = _sections(read_lines(path), Path(path))
    for name in ("root", "bonedata", "hierarchy"):
        if not sections.get(name):
            raise BadInput(f"{path} is no ASF file with a skeleton: it lacks the section :{name}")
    length, degrees = _units(sections.get("units", []))
    root, position, heading = _root(sections["root"], degrees)
    bones = {root.name: root}
    for bone in _bones(sections["bonedata"], degrees):
        if bone.name in bones:
            raise BadInput(f"{path}: the bone {bone.name[:60]} is described twice")
        bones[bone.name] = bone
    order, parents = _hierarchy(sections["hierarchy"], bones)
    placed = tuple(bones[name] for name in order)
    return Acclaim(placed, parents, position, heading, _INCH / length, degrees, Path(path).name)


def read_amc(
    asf: str | Path | Acclaim, amc: str | Path, *, fps: float = 120.0, metres_per_unit: float | None = None
) -> Motion:
    """The motion in an AMC file, of the skeleton in an ASF file.

    Joints are named after the bones that begin at them; where a bone has no child, its far end is a joint too, named
    with `_end`. AMC files do not state their frame rate; CMU's have 120 a second. `metres_per_unit` overrides what the
    ASF says. Translations of bones other than the root, and changes of length, are left out. BadInput with file and
    line where the file is not as it should be.
    """
    check_unit(metres_per_unit)
    skeleton = asf if isinstance(asf, Acclaim) else read_asf(asf)
    scale = metres_per_unit or skeleton.metres_per_unit
    values = _frames(read_lines(amc), skeleton, Path(amc))
    frames, count = len(values[0]), len(skeleton.bones)
    rotations = np.empty((frames, count, 3, 3))
    for number, bone in enumerate(skeleton.bones):
        turns = [i for i, name in enumerate(bone.freedoms) if name[0] == "r"]
        # What is named first acts first, hence stands last in the product.
        order = "".join(bone.freedoms[i][1] for i in reversed(turns))
        turn = from_euler(order, values[number][:, turns[::-1]])
        rotations[:, number] = bone.axes @ turn @ bone.axes.T
    rotations[:, 0] = rotations[:, 0] @ skeleton.heading
    shifts = np.zeros((frames, 3))
    for i, name in enumerate(skeleton.bones[0].freedoms):
        if name[0] == "t":
            shifts[:, "xyz".index(name[1])] = values[0][:, i]
    leaves = [number for number in range(count) if number not in skeleton.parents and skeleton.bones[number].tail.any()]
    parents = (*skeleton.parents, *leaves)
    offsets = np.array([np.zeros(3), *(skeleton.bones[parent].tail for parent in parents[1:])])
    ends = np.broadcast_to(np.eye(3), (frames, len(leaves), 3, 3))
    return Motion(
        (*skeleton.names, *(f"{skeleton.bones[number].name}_end" for number in leaves)),
        parents,
        offsets * scale,
        np.concatenate((rotations, ends), 1),
        (skeleton.position + shifts) * scale,
        fps,
        source=Path(amc).name,
    )


def _sections(lines: list[Line], path: Path) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {}
    current: list[Line] | None = None
    for line in lines:
        if line.text.startswith("#"):
            continue
        if line.text.startswith(":"):
            name = line.text[1:].split()[0].lower() if line.text[1:].split() else ""
            if name in found:
                raise line.fault(f"the section :{name} once")
            current = found.setdefault(name, [])
        elif current is None:
            raise line.fault("a section such as :version first")
        else:
            current.append(line)
    if not found:
        raise BadInput(f"{path} is empty; an ASF file was expected")
    return found


def _units(lines: list[Line]) -> tuple[float, bool]:
    length, degrees = 1.0, True
    for line in lines:
        match [word.lower() for word in line.words]:
            case ["length", value]:
                length = line.numbers([value], 1, "length")[0]
                if not 1e-6 < length < 1e6:
                    raise line.fault("a unit of length above 0")
            case ["angle", word]:
                if word[:3] not in ("deg", "rad"):
                    raise line.fault("angle deg or rad")
                degrees = word.startswith("deg")
    return length, degrees


def _axes(line: Line, words: list[str], degrees: bool) -> Array:
    """C of "a b c XYZ": the turns act in the order of the letters."""
    if len(words) != 4 or sorted(words[3].lower()) != ["x", "y", "z"]:
        raise line.fault("axis with three angles and an order such as XYZ")
    angles = np.array(line.numbers(words[:3], 3, "angles of the axis"))
    return from_euler(words[3].lower()[::-1], (np.radians(angles) if degrees else angles)[::-1])


def _freedoms(line: Line, words: list[str]) -> tuple[str, ...]:
    names = tuple(word.lower() for word in words)
    if not set(names) <= set(_FREEDOMS) or len(set(names)) != len(names):
        raise line.fault(f"degrees of freedom from {' '.join(_FREEDOMS)}, each once")
    return names


def _root(lines: list[Line], degrees: bool) -> tuple[Bone, Array, Array]:
    freedoms: tuple[str, ...] = ("tx", "ty", "tz", "rx", "ry", "rz")
    order, position, angles = "xyz", np.zeros(3), np.zeros(3)
    for line in lines:
        match [word.lower() for word in line.words]:
            case ["order", *words]:
                freedoms = _freedoms(line, words)
            case ["axis", word]:
                if sorted(word) != ["x", "y", "z"]:
                    raise line.fault("an order of axes such as XYZ")
                order = word
            case ["position", *words]:
                position = np.array(line.numbers(words, 3, "position of the root"))
            case ["orientation", *words]:
                angles = np.array(line.numbers(words, 3, "orientation of the root"))
            case _:
                raise line.fault("order, axis, position or orientation of the root")
    heading = from_euler(order[::-1], (np.radians(angles) if degrees else angles)[::-1])
    return Bone("root", freedoms=freedoms), position, heading


def _bones(lines: list[Line], degrees: bool) -> list[Bone]:
    found: list[Bone] = []
    stated: dict[str, object] | None = None
    for line in lines:
        word, *rest = line.words
        word = word.lower()
        if word == "begin":
            if stated is not None:
                raise line.fault("'end' before the next 'begin'")
            stated = {}
        elif stated is None:
            raise line.fault("'begin' before what describes a bone")
        elif word == "end":
            found.append(_bone(line, stated))
            stated = None
            if len(found) > MOST_JOINTS:
                raise line.fault(f"no more than {MOST_JOINTS} bones")
        elif word == "name" and len(rest) == 1:
            stated["name"] = rest[0]
        elif word == "direction":
            stated["direction"] = np.array(line.numbers(rest, 3, "direction"))
        elif word == "length":
            stated["length"] = line.numbers(rest, 1, "length")[0]
        elif word == "axis":
            stated["axes"] = _axes(line, rest, degrees)
        elif word == "dof":
            stated["freedoms"] = _freedoms(line, rest)
        elif word not in ("id", "limits", "bodymass", "cofmass") and not word.startswith("("):
            raise line.fault("id, name, direction, length, axis, dof, limits or end")
    if stated is not None:
        raise BadInput(f"{lines[-1].file} ends its bones at line {lines[-1].number} within one; 'end' was expected")
    return found


def _bone(line: Line, stated: dict[str, object]) -> Bone:
    missing = [word for word in ("name", "direction", "length", "axes") if word not in stated]
    if missing:
        raise line.fault(f"a bone with {' and '.join(missing)}")
    tail = unit(np.asarray(stated["direction"])) * np.asarray(stated["length"])
    freedoms = stated.get("freedoms", ())
    return Bone(
        str(stated["name"]), tail, np.asarray(stated["axes"]), tuple(freedoms if isinstance(freedoms, tuple) else ())
    )


def _hierarchy(lines: list[Line], bones: dict[str, Bone]) -> tuple[list[str], tuple[int, ...]]:
    """Names and parents in an order in which parents come first: as the file lists them, depth first."""
    children: dict[str, list[str]] = {}
    above: dict[str, str] = {}
    for line in lines:
        parent, *rest = line.words
        if not rest and parent.lower() in ("begin", "end"):
            continue
        for name in (parent, *rest):
            if name not in bones:
                raise line.fault(f"bones that :bonedata describes, not {name[:60]}")
        for name in rest:
            if name in above or name == "root":
                raise line.fault(f"{name[:60]} below one bone only")
            above[name] = parent
        children.setdefault(parent, []).extend(rest)
    order: list[str] = []
    waiting = ["root"]
    while waiting:
        name = waiting.pop()
        order.append(name)
        waiting.extend(reversed(children.get(name, [])))
    lost = [name for name in bones if name not in order]
    if lost:
        raise BadInput(f"{lines[0].file}: no way leads from the root to {', '.join(lost[:5])[:200]} in :hierarchy")
    return order, tuple(order.index(above[name]) if name in above else -1 for name in order)


@dataclass
class _Record:
    """Values read so far, for each bone one row a frame."""

    rows: dict[str, list[list[float]]]
    frames: int = 0

    @classmethod
    def of(cls, skeleton: Acclaim) -> Self:
        return cls({bone.name: [] for bone in skeleton.bones if bone.freedoms})

    def finish(self, line: Line) -> None:
        """BadInput unless every bone has a row for each frame so far."""
        for name, rows in self.rows.items():
            if len(rows) != self.frames:
                raise BadInput(
                    f"{line.file}, line {line.number}: frame {self.frames} ends without values for {name[:60]}"
                )


def _frames(lines: list[Line], skeleton: Acclaim, path: Path) -> list[Array]:
    """Values (T, freedoms) of each bone, angles in radians, lengths in the file's units."""
    record, degrees = _Record.of(skeleton), skeleton.degrees
    widths = {bone.name: len(bone.freedoms) for bone in skeleton.bones}
    for line in lines:
        words = line.words
        if line.text.startswith("#"):
            continue
        if line.text.startswith(":"):
            degrees = {":degrees": True, ":radians": False}.get(words[0].lower(), degrees)
        elif len(words) == 1 and words[0].isdecimal():
            record.finish(line)
            record.frames += 1
        elif not record.frames:
            raise line.fault("the number of a frame before its values")
        elif words[0] not in widths:
            raise line.fault("the name of one of the skeleton's bones")
        elif not widths[words[0]]:
            raise line.fault(f"no values for {words[0][:60]}, which has no degree of freedom")
        elif len(record.rows[words[0]]) >= record.frames:
            raise line.fault(f"{words[0][:60]} once a frame")
        else:
            record.rows[words[0]].append(line.numbers(words[1:], widths[words[0]], f"degrees of freedom of {words[0]}"))
    if not record.frames:
        raise BadInput(f"{path} holds no frame of motion")
    record.finish(lines[-1])
    found = []
    for bone in skeleton.bones:
        values = np.array(record.rows.get(bone.name, [[]] * record.frames), np.float64)
        values = values.reshape(record.frames, len(bone.freedoms))
        turns = [i for i, name in enumerate(bone.freedoms) if name[0] == "r"]
        if degrees:
            values[:, turns] = np.radians(values[:, turns])
        found.append(values)
    return found
