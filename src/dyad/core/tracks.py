"""Everyone in a video over time: the one type that every stage after tracking takes and returns."""

import json
import math
from dataclasses import dataclass, replace
from enum import IntFlag
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from dyad.core.archives import is_archive, read_npz, write_npz
from dyad.core.camera import Camera
from dyad.core.columns import filled, in_file, picked, rest
from dyad.core.errors import BadInput, one_line
from dyad.core.files import whole_file
from dyad.core.skeleton import BODY17, Skeleton

SCHEMA = "dyad-tracks"
VERSION = 1
_WHOLE = frozenset(("frame", "person", "frames", "flags", "filled"))


class Flag(IntFlag):
    """What is doubtful about a row; bits may be combined."""

    CONTESTED = 1
    BORDER = 2
    FLAT = 4
    SWAPPED_SIDES = 8
    SWAPPED_PEOPLE = 16

    @property
    def meaning(self) -> str:
        return {
            Flag.CONTESTED: "another person claims the same joints",
            Flag.BORDER: "cut by the image border",
            Flag.FLAT: "no 3D was estimated; the pose lies on a plane that faces the camera",
            Flag.SWAPPED_SIDES: "left and right are exchanged, as the optical flow tells",
            Flag.SWAPPED_PEOPLE: "these are another person's joints, as the optical flow tells",
        }[self]


@dataclass(frozen=True)
class World:
    """How the camera stands, as far as people's feet tell.

    Attributes:
        gravity: (3,) unit vector that points down, in camera axes.
        floor: (4,) plane a b c d with unit normal (a, b, c) pointing up: a x + b y + c z + d is the height in m.
    """

    gravity: Tensor
    floor: Tensor

    def __post_init__(self) -> None:
        for name, length in (("gravity", 3), ("floor", 4)):
            value = torch.as_tensor(getattr(self, name), dtype=torch.float64)
            if value.shape != (length,) or not torch.isfinite(value).all():
                raise BadInput(f"a world's {name} is {length} finite numbers, got {value.tolist()}")
            object.__setattr__(self, name, value)

    def height(self, xyz: Tensor) -> Tensor:
        """Height (…) in m above the floor of points (…, 3)."""
        floor = self.floor.to(xyz)
        return xyz @ floor[:3] + floor[3]

    def to_json(self) -> dict[str, Any]:
        return {"gravity": self.gravity.tolist(), "floor": self.floor.tolist()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "World":
        # As exact as it was written: a run that goes on from what was kept gives the same bytes.
        return cls(*(torch.tensor(value[name], dtype=torch.float64) for name in ("gravity", "floor")))


class Window(NamedTuple):
    """A dense view of T frames and P people; NaN where a person is absent."""

    frames: Tensor
    times: Tensor
    people: Tensor
    present: Tensor
    filled: Tensor
    xy: Tensor
    confidence: Tensor
    xyz: Tensor
    sigma: Tensor

    @property
    def seen(self) -> Tensor:
        """How well each joint is seen (T, P, J), 0..1: by its confidence.

        Of a person in a frame with neither 2D nor confidence nobody says what is hidden: all joints count as seen,
        unless the row was filled.
        """
        sure = self.confidence.nan_to_num()
        told = torch.isfinite(self.xy).all(-1) | (sure > 0)
        silent = self.present & ~self.filled & ~told.any(-1)
        return torch.where(silent[..., None], 1.0, sure)


@dataclass(frozen=True)
class Tracks:
    """N person-frames, sorted by (person, frame).

    Attributes:
        frame: (N,) int64 index of the frame in the source video.
        person: (N,) int64 identity, stable for the whole video.
        time: (N,) float64 s.
        xy: (N, J, 2) px. confidence: (N, J) 0..1.
        xyz: (N, J, 3) m in the camera frame. sigma: (N, J, 3) m, one standard deviation.
        box: (N, 4) px x0 y0 x1 y1. filled: (N,) no detection in this frame.
        agreement: (N, J) 0..1 how well flow and pose agree. flags: (N,) int64, see `Flag`.
        skeleton, camera: one of each, for all rows. fps: nominal frames a second. video: name of the source.
        frames, times: (T,) every frame that was processed, also those without people.
        world: floor and gravity, or None where nothing tells.
        cuts: frames that begin a new shot; nobody is followed across, and each shot has a camera place of its own.
    """

    frame: Tensor
    person: Tensor
    time: Tensor
    xy: Tensor
    confidence: Tensor
    xyz: Tensor
    sigma: Tensor
    box: Tensor
    filled: Tensor
    agreement: Tensor
    flags: Tensor
    skeleton: Skeleton
    camera: Camera
    frames: Tensor
    times: Tensor
    fps: float = 30.0
    video: str = ""
    world: World | None = None
    cuts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        rows, joints = len(self.frame), len(self.skeleton)
        for name, (shape, dtype) in _row_arrays(rows, joints).items():
            value = getattr(self, name)
            if tuple(value.shape) != shape:
                raise BadInput(f"tracks: {name} should have the shape {shape}, got {tuple(value.shape)}")
            object.__setattr__(self, name, value.to(dtype))
        object.__setattr__(self, "frames", self.frames.long())
        object.__setattr__(self, "times", self.times.double())
        if self.frames.shape != self.times.shape or self.frames.dim() != 1:
            raise BadInput(
                f"tracks: frames {tuple(self.frames.shape)} and times {tuple(self.times.shape)} should agree"
            )
        _check_timeline(self.frames, self.frame)
        lens = [tuple(value.shape) for value in (self.camera.focal, self.camera.centre, self.camera.distortion)]
        if lens != [(2,), (2,), (5,)]:
            raise BadInput(
                "tracks: one camera with a focal length (2,), a centre (2,) and a distortion (5,) sees all frames, got "
                f"shapes {lens[0]}, {lens[1]} and {lens[2]}; give each part of the video with a camera of its own as "
                "tracks of its own"
            )
        if not (math.isfinite(self.fps) and self.fps > 0):
            raise BadInput(f"tracks: fps is a positive number of frames a second, got {self.fps}")
        order = np.lexsort((self.frame.numpy(), self.person.numpy()))
        if rows and not np.array_equal(order, np.arange(rows)):
            raise BadInput("tracks: rows should be sorted by person, then frame; build them with Tracks.of_rows")
        twice = (self.person[1:] == self.person[:-1]) & (self.frame[1:] == self.frame[:-1])
        if twice.any():
            row = int(torch.nonzero(twice)[0])
            raise BadInput(f"tracks: person {int(self.person[row])} appears twice in frame {int(self.frame[row])}")

    @classmethod
    def of_rows(cls, *, skeleton: Skeleton = BODY17, camera: Camera, **given: Any) -> "Tracks":
        """Build tracks from rows in any order; whatever is not given is missing (NaN, 0 or False).

        Needs `frame` and `person`; `time` comes from `frames`/`times` or else from `fps`, and the frames processed
        are those with rows unless given.
        """
        rows, joints = len(given["frame"]), len(skeleton)
        frame = torch.as_tensor(given.pop("frame")).long().contiguous()
        person = torch.as_tensor(given.pop("person")).long()
        fps = float(given.pop("fps", 30.0))
        frames = torch.as_tensor(given.pop("frames", torch.unique(frame))).long()
        _check_timeline(frames, frame)
        time, times = (
            None if given.get(name) is None else torch.as_tensor(given[name], dtype=torch.float64)
            for name in ("time", "times")
        )
        if times is None:
            times = frames.double() / fps
            if time is not None and rows:
                times[torch.searchsorted(frames, frame)] = time
        if time is None:
            time = times[torch.searchsorted(frames, frame)]
        given |= {"time": time, "times": times}
        order = torch.from_numpy(np.lexsort((frame.numpy(), person.numpy())))
        ordered: dict[str, Tensor] = {"frame": frame[order], "person": person[order]}
        for name, (shape, dtype) in _row_arrays(rows, joints).items():
            if name not in ordered:
                blank = torch.nan if dtype.is_floating_point and name != "confidence" else 0
                # One after the other, so that a long clip is not in memory twice.
                value = given.pop(name, None)
                ordered[name] = filled(shape, blank, dtype) if value is None else _ordered(value, order)
        given |= {**ordered, "frames": frames, "fps": fps}
        return cls(skeleton=skeleton, camera=camera, **given)

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def people(self) -> list[int]:
        """Identities, ascending."""
        return torch.unique(self.person).tolist()

    def rows(self, person: int) -> Tensor:
        """Row numbers (n,) of a person, by time."""
        return torch.nonzero(self.person == person)[:, 0]

    def __getitem__(self, chosen: Tensor) -> "Tracks":
        """The rows that a mask or ascending indices pick; the frames processed stay."""
        return replace(self, **{name: getattr(self, name)[chosen] for name in _row_arrays(0, 0)})

    def with_(self, **changes: Any) -> "Tracks":
        """A copy with some fields replaced."""
        return replace(self, **changes)

    def shot(self, frames: Tensor) -> Tensor:
        """The shot (…) that frames lie in, by number: how many cuts come up to them.

        Nobody is followed, and no flow read, from one shot to the next. A cut may lie on a frame that was left out.
        """
        return torch.searchsorted(torch.tensor(sorted(self.cuts), dtype=torch.int64), frames, right=True)

    def window(self, start: int | None = None, stop: int | None = None) -> Window:
        """Dense (T, P, J, ·) view of the processed frames with start ≤ index < stop."""
        keep = torch.ones(len(self.frames), dtype=torch.bool)
        if start is not None:
            keep &= self.frames >= start
        if stop is not None:
            keep &= self.frames < stop
        frames = self.frames[keep]
        people = torch.unique(self.person)
        shape = (len(frames), len(people))
        inside = torch.isin(self.frame, frames)
        place = (torch.searchsorted(frames, self.frame[inside]), torch.searchsorted(people, self.person[inside]))

        def dense(values: Tensor, blank: float) -> Tensor:
            out = torch.full((*shape, *values.shape[1:]), blank, dtype=values.dtype)
            out[place] = values[inside]
            return out

        present = dense(torch.ones(len(self), dtype=torch.bool), False)
        arrays = [dense(v, torch.nan) for v in (self.xy, self.confidence, self.xyz, self.sigma)]
        return Window(frames, self.times[keep], people, present, dense(self.filled, False), *arrays)

    def rest(self) -> None:
        """Let rows that lie in files leave memory until they are read again (`dyad.core.columns`)."""
        rest(*(getattr(self, name) for name in _row_arrays(0, 0)))

    def reproject(self) -> Tensor:
        """Pixels (N, J, 2) at which the 3D joints appear."""
        return self.camera.project(self.xyz)

    def convert(self, target: Skeleton) -> "Tracks":
        """The same people with another skeleton's joints; NaN for joints that cannot be derived."""
        source = self.skeleton
        if source == target:
            return self
        return replace(
            self,
            xy=source.convert(self.xy, target),
            confidence=source.convert_confidence(self.confidence, target),
            xyz=source.convert(self.xyz, target),
            sigma=source.convert_sigma(self.sigma, target),
            agreement=source.convert_confidence(self.agreement, target, underivable=torch.nan),
            skeleton=target,
        )

    def save(self, path: str | Path) -> None:
        """Write `tracks.npz` (no pickle; the layout is in docs/conventions.md)."""
        header = {
            "schema": f"{SCHEMA}/{VERSION}",
            "skeleton": self.skeleton.to_json(),
            "camera": self.camera.to_json(),
            "fps": self.fps,
            "video": self.video,
            "world": self.world.to_json() if self.world else None,
            "cuts": list(self.cuts),
            "flags": {str(flag.value): flag.meaning for flag in Flag},
        }
        arrays = {name: getattr(self, name).detach() for name in (*_row_arrays(0, 0), "frames", "times")}
        with whole_file(path) as partial, partial.open("wb") as file:
            write_npz(file, {"header": np.array(json.dumps(header))}, arrays)

    @classmethod
    def load(cls, path: str | Path) -> "Tracks":
        """Read `tracks.npz` or the folder that holds it; BadInput says in one sentence what is wrong."""
        path = Path(path)
        path = path / "tracks.npz" if path.is_dir() else path
        try:
            header, arrays = _read(path)
        except BadInput:
            raise
        except FileNotFoundError:
            raise BadInput(f"no tracks at {path}; `dyad run VIDEO -o OUT` writes OUT/tracks.npz") from None
        except Exception as error:  # A damaged archive makes numpy, zipfile, zlib and json raise almost anything.
            raise BadInput(f"{path} is not a tracks file of Dyad: {one_line(error)}") from error
        try:
            skeleton, camera = Skeleton.from_json(header["skeleton"]), Camera.from_json(header["camera"])
            world = World.from_json(header["world"]) if header.get("world") else None
            extra = {"fps": float(header.get("fps") or 30.0), "video": str(header.get("video") or ""), "world": world}
            extra["cuts"] = tuple(int(frame) for frame in header.get("cuts") or ())
            return cls.of_rows(skeleton=skeleton, camera=camera, **arrays, **extra)
        except (BadInput, KeyError, TypeError, ValueError, OverflowError, RuntimeError, IndexError) as error:
            raise BadInput(f"{path} does not hold what a tracks file holds: {one_line(error)}") from error


def _ordered(values: Any, order: Tensor) -> Tensor:
    values = torch.as_tensor(values)
    # What lies in a file is large, and was written to be kept.
    return values if in_file(values) and torch.equal(order, torch.arange(len(order))) else picked(values, order)


def _row_arrays(rows: int, joints: int) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    """Name, shape and type of everything that has one entry a row."""
    real = torch.float32
    return {
        "frame": ((rows,), torch.int64),
        "person": ((rows,), torch.int64),
        "time": ((rows,), torch.float64),
        "xy": ((rows, joints, 2), real),
        "confidence": ((rows, joints), real),
        "xyz": ((rows, joints, 3), real),
        "sigma": ((rows, joints, 3), real),
        "box": ((rows, 4), real),
        "filled": ((rows,), torch.bool),
        "agreement": ((rows, joints), real),
        "flags": ((rows,), torch.int64),
    }


def _check_schema(header: dict[str, Any], path: Path) -> None:
    name, _, version = str(header.get("schema", "")).partition("/")
    if name != SCHEMA or not version.isdigit():
        raise ValueError(f"its header says schema {header.get('schema')!r}, expected '{SCHEMA}/{VERSION}'")
    if int(version) > VERSION:
        raise BadInput(f"{path} is of schema {name}/{version}, this Dyad reads up to {name}/{VERSION}: update Dyad")


def _check_timeline(frames: Tensor, used: Tensor) -> None:
    if frames.dim() != 1 or (frames[1:] <= frames[:-1]).any():
        raise BadInput(f"tracks: frames should ascend, got {frames.flatten()[:8].tolist()} …")
    strange = used[~torch.isin(used, frames)]
    if len(strange):
        raise BadInput(f"tracks: a row is of frame {int(strange[0])}, which is not among the frames processed")


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Header and arrays of a tracks file; whatever numpy, zipfile, zlib or json raise comes through."""
    if not path.exists():
        raise FileNotFoundError(path)
    if not is_archive(path):
        raise ValueError("it is no npz archive, or a part of one")
    archive = read_npz(path, ("header", *_row_arrays(0, 0), "frames", "times"))
    if "header" not in archive:
        raise ValueError("it has no header")
    header = json.loads(str(archive.pop("header")))
    if not isinstance(header, dict):
        raise ValueError(f"its header is a JSON {type(header).__name__}, expected an object")
    _check_schema(header, path)
    missing = ", ".join(name for name in _row_arrays(0, 0) if name not in archive)
    missing = missing or ", ".join(key for key in ("skeleton", "camera") if key not in header)
    if missing:
        raise ValueError(f"it lacks {missing}")
    for name, value in archive.items():
        if value.dtype.kind not in ("biu" if name in _WHOLE else "biuf"):
            raise ValueError(f"{name} should hold numbers{', whole ones' if name in _WHOLE else ''}, got {value.dtype}")
        if value.dtype.kind == "f" and np.isinf(value).any():
            raise ValueError(f"{name} holds infinity")
    return header, {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in archive.items()}
