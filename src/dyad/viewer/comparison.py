"""Two runs on one video: who is whom, how far apart they put the same people, and what each is like by itself."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.core.errors import BadInput
from dyad.core.skeleton import BODY17
from dyad.core.tracks import Flag, Tracks
from dyad.evaluation.pairing import partners
from dyad.viewer.gait import pieces
from dyad.viewer.summary import rounded

Array = NDArray[np.float64]

# Least likeness in the image of the same person in both runs (OKS). It is low: whoever is near counts as the same.
_SAME = 0.15
_SWAPS = int(Flag.SWAPPED_SIDES | Flag.SWAPPED_PEOPLE)


@dataclass(frozen=True)
class Pair:
    """A person of the first run and who that is in the second, over `frames` frames that both have.

    distance, pose: m, mean over joints and frames; pose with the roots laid upon each other.
    """

    first: int
    second: int
    frames: int
    distance: float
    pose: float


@dataclass(frozen=True)
class Comparison:
    """Two runs on the timeline of the first.

    Attributes:
        first, second: with the same skeleton and the same frames; the second in pixels of the first.
        apart: for each run, m (N,) a row: mean distance of its joints from those of the partner, NaN without one.
        pairs: who is whom, those that are together most first. Identities may change, so somebody may be in several.
        distance, pose: m, mean over all matched person-frames; NaN where nobody is matched. root: m, of the roots.
        matched: person-frames that both have. alone: person-frames that only the first, and only the second, has.
        common: frames that both processed.
    """

    first: Tracks
    second: Tracks
    apart: tuple[Array, Array]
    pairs: tuple[Pair, ...]
    distance: float
    pose: float
    root: float
    matched: int
    alone: tuple[int, int]
    common: int

    def facts(self) -> dict[str, Any]:
        """Everything as numbers that JSON holds, None for what cannot be told; lengths in mm."""
        return {
            "distance_mm": rounded(1000 * self.distance, 1),
            "pose_mm": rounded(1000 * self.pose, 1),
            "root_mm": rounded(1000 * self.root, 1),
            "matched": self.matched,
            "only": list(self.alone),
            "frames": self.common,
            "pairs": [
                {
                    "first": pair.first,
                    "second": pair.second,
                    "frames": pair.frames,
                    "distance_mm": rounded(1000 * pair.distance, 1),
                    "pose_mm": rounded(1000 * pair.pose, 1),
                }
                for pair in self.pairs
            ],
            "runs": [quality(self.first), quality(self.second)],
        }


def compare(first: Tracks, second: Tracks) -> Comparison:
    """Match the people of two runs on one video, frame by frame, by their joints in the image.

    Only frames count that both runs processed. BadInput where the runs have no frames in common, or were made of
    images of another shape.
    """
    first, second = (tracks.with_(frames=tracks.frames.contiguous()) for tracks in (first, second))
    first, second, common = _on_one_timeline(first, second)
    view = first[torch.isin(first.frame, common)].with_(
        frames=common, times=first.times[torch.isin(first.frames, common)]
    )
    window = view.window()
    place = torch.searchsorted(common, second.frame.clamp(max=int(common[-1])))
    shared = torch.isin(second.frame, common)
    rows = torch.nonzero(shared)[:, 0].numpy()
    seen = _pixels(second)[rows]
    found = partners(
        _dense(view, _pixels(view)),
        window.present.numpy(),
        seen,
        place.numpy()[rows],
        second.person.numpy()[rows],
        first.skeleton.names,
        at_least=_SAME,
    )
    t, p = np.nonzero(found.row >= 0)
    theirs = rows[found.row[t, p]]
    ours = _rows_of(first, common.numpy()[t], window.people.numpy()[p])
    each = np.linalg.norm(first.xyz[ours].double().numpy() - second.xyz[theirs].double().numpy(), axis=-1)
    root = first.skeleton.index(first.skeleton.root)
    bare = [
        tracks.xyz[k].double() - tracks.xyz[k, root, None].double() for tracks, k in ((first, ours), (second, theirs))
    ]
    pose = (bare[0] - bare[1]).norm(dim=-1).numpy()
    apart = (np.full(len(first), np.nan), np.full(len(second), np.nan))
    mean = _mean(each, 1)
    apart[0][ours], apart[1][theirs] = mean, mean
    return Comparison(
        first,
        second,
        apart,
        _pairs(first.person.numpy()[ours], second.person.numpy()[theirs], mean, _mean(pose, 1)),
        _mean(mean),
        _mean(_mean(pose, 1)),
        _mean(each[:, root]),
        len(ours),
        (int(torch.isin(first.frame, common).sum()) - len(ours), int(shared.sum()) - len(ours)),
        len(common),
    )


def quality(tracks: Tracks) -> dict[str, Any]:
    """What a run is like by itself, without any truth: numbers, None for what cannot be told.

    `jitter` is the mean acceleration of joints in m/s², `bones` the relative spread of bones' lengths over time,
    `reprojection` the distance in px between joints as seen and 3D joints as projected.
    """
    xyz = tracks.xyz.double().numpy()
    filled = tracks.filled.numpy()
    sure = (tracks.confidence > 0.3).numpy() & ~filled[:, None]
    off = (tracks.reproject().double() - tracks.xy.double()).norm(dim=-1).numpy()
    # Exchanges are told by the flow: without it none is known.
    asked = bool(torch.isfinite(tracks.agreement).any())
    swapped = np.where(asked, ((tracks.flags.numpy() & _SWAPS) > 0).astype(float), np.nan)
    return {
        "people": len(tracks.people),
        "person_frames": len(tracks),
        "filled": rounded(_mean(filled.astype(float)), 4),
        "confidence": rounded(_mean(tracks.confidence.double().numpy()[~filled]), 4),
        "agreement": rounded(_mean(tracks.agreement.double().numpy()), 4),
        "exchanged": rounded(_mean(swapped), 4),
        "jitter": rounded(_jitter(tracks, xyz), 3),
        "bones": rounded(_bone_spread(tracks, xyz), 5),
        "reprojection": rounded(_mean(off[sure]), 3),
        "sigma": rounded(_mean(tracks.sigma.double().norm(dim=-1).numpy()), 4),
    }


def _on_one_timeline(first: Tracks, second: Tracks) -> tuple[Tracks, Tracks, torch.Tensor]:
    """Both with one skeleton and the first's frames; and the frames (n,) that both processed."""
    (w1, h1), (w2, h2) = first.camera.size, second.camera.size
    if abs(w1 / h1 - w2 / h2) > 0.02 * w1 / h1:
        raise BadInput(
            f"the two runs are of images of different shapes, {w1} × {h1} and {w2} × {h2} px; compare two runs of one "
            "video"
        )
    if first.skeleton != second.skeleton:
        first, second = (tracks if tracks.skeleton == BODY17 else tracks.convert(BODY17) for tracks in (first, second))
    common = first.frames[torch.isin(first.frames, second.frames)].contiguous()
    steps = first.times.diff()
    tolerance = 0.5 * float(steps.median()) if len(steps) else 0.5 / first.fps
    times = [tracks.times[torch.searchsorted(tracks.frames, common)] for tracks in (first, second)]
    common = common[((times[0] - times[1]).abs() <= tolerance)]
    if not len(common):
        raise BadInput(
            f"the two runs have no frame in common (one has frames {_span(first)}, the other {_span(second)}); compare "
            "two runs of one video"
        )
    scale = torch.tensor([w1 / w2, h1 / h2])
    second = second[torch.isin(second.frame, common)].with_(frames=first.frames, times=first.times)
    second = second.with_(
        time=second.times[torch.searchsorted(second.frames, second.frame)],
        xy=(second.xy + 0.5) * scale - 0.5,
        box=(second.box + 0.5) * scale.repeat(2) - 0.5,
        camera=second.camera.resize(w1, h1) if (w1, h1) != (w2, h2) else second.camera,
    )
    return first, second, common


def _span(tracks: Tracks) -> str:
    return f"{int(tracks.frames[0])} to {int(tracks.frames[-1])}" if len(tracks.frames) else "none"


def _pixels(tracks: Tracks) -> Array:
    """Joints (N, J, 2) in px: as seen, or where they were not, as projected."""
    xy = tracks.xy.double()
    return torch.where(torch.isfinite(xy), xy, tracks.reproject().double()).numpy()


def _dense(tracks: Tracks, values: Array) -> Array:
    """Values of rows as (T, P, …), NaN where a person is absent."""
    people = np.unique(tracks.person.numpy())
    out = np.full((len(tracks.frames), len(people), *values.shape[1:]), np.nan)
    frame = np.searchsorted(tracks.frames.numpy(), tracks.frame.numpy())
    out[frame, np.searchsorted(people, tracks.person.numpy())] = values
    return out


def _rows_of(tracks: Tracks, frame: NDArray[np.int64], person: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of people who are known to be in the frames."""
    width = int(tracks.frames[-1]) + 1 if len(tracks.frames) else 1
    keys = tracks.person.numpy() * width + tracks.frame.numpy()
    return np.searchsorted(keys, person * width + frame)


def _pairs(first: NDArray[np.int64], second: NDArray[np.int64], distance: Array, pose: Array) -> tuple[Pair, ...]:
    found = []
    for a, b in sorted(set(zip(first.tolist(), second.tolist(), strict=True))):
        both = (first == a) & (second == b)
        found.append(Pair(a, b, int(both.sum()), _mean(distance[both]), _mean(pose[both])))
    return tuple(sorted(found, key=lambda pair: (-pair.frames, pair.first, pair.second)))


def _jitter(tracks: Tracks, xyz: Array) -> float:
    """Mean acceleration in m/s² over joints and rows that follow one another."""
    steps = tracks.times.diff()
    if not len(steps):
        return np.nan
    step, found = float(steps.median()), []
    for person in tracks.people:
        rows = tracks.rows(person).numpy()
        times = tracks.time[rows].numpy()
        for piece in pieces(times, np.ones(len(rows), bool), 1.5 * step):
            if len(piece) > 2:
                found.append(np.linalg.norm(np.diff(xyz[rows[piece]], 2, axis=0), axis=-1).reshape(-1) / step**2)
    return _mean(np.concatenate(found)) if found else np.nan


def _bone_spread(tracks: Tracks, xyz: Array) -> float:
    spreads = []
    for person in tracks.people:
        own = xyz[tracks.rows(person).numpy()]
        for a, b in tracks.skeleton.bones:
            length = np.linalg.norm(own[:, a] - own[:, b], axis=-1)
            length = length[np.isfinite(length)]
            if len(length) > 1 and length.mean() > 1e-6:
                spreads.append(length.std() / length.mean())
    return _mean(np.array(spreads))


def _mean(values: Array, axis: int | None = None) -> Any:
    """Mean over what is finite; NaN where nothing is."""
    known = np.isfinite(values)
    total, count = np.where(known, values, 0.0).sum(axis), known.sum(axis)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return float(mean) if axis is None else mean
