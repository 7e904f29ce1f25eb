"""What speaks for and against a joint: numbers without units, of people of any size at any frame rate."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.core.skeleton import Skeleton
from dyad.core.tracks import Flag, Tracks, Window
from dyad.refinement.agreement_swaps import Swaps
from dyad.refinement.agreement_trails import Trails, steps
from dyad.refinement.limbs import stature

Array = NDArray[np.float32]

# Lags, s, over which what the flow says is brought together.
_SPANS = {"short": (0.0, 0.09), "middle": (0.09, 0.18), "long": (0.18, 0.32)}
_MOMENT_S, _WHILE_S = 0.12, 0.3
_LEAST = 0.003
"""Of a height: what differs by less is noise."""
_FAR = 0.5
_KINDS = {
    "end": ("wrist", "ankle", "heel", "foot", "toe", "pinky", "index", "thumb", "finger", "hand"),
    "limb": ("elbow", "knee"),
    "face": ("nose", "eye", "ear", "mouth", "head"),
}


@dataclass(frozen=True)
class Scene:
    """Tracks as dense arrays of T frames, P people and J joints; NaN for what is absent.

    Attributes:
        xy: (T, P, J, 2) px, the joints that are judged. other: (T, P, J, 2) px, the 2D ones where 3D ones are judged.
        height: (T, P) px, how tall each would be upright. size: of the image, px.
        cut: (T,) whether a shot begins with the frame.
    """

    skeleton: Skeleton
    window: Window
    xy: Array
    other: Array
    height: Array
    times: NDArray[np.float64]
    cut: NDArray[np.bool_]
    size: tuple[int, int]

    @classmethod
    def of(cls, tracks: Tracks, *, flat: bool) -> "Scene":
        """Judged are the joints as 3D projects them, or with `flat`, and where there is no 3D, the 2D ones."""
        window = tracks.window()
        xy = window.xy.double()
        seen = tracks.camera.project(window.xyz.double()).to(xy)
        made_up = torch.zeros(len(tracks), dtype=torch.bool)
        made_up |= (tracks.flags & int(Flag.FLAT)) != 0
        place = torch.searchsorted(tracks.frames, tracks.frame), torch.searchsorted(window.people, tracks.person)
        planar = torch.zeros(window.present.shape, dtype=torch.bool)
        planar[place] = made_up
        there = torch.isfinite(seen).all(-1) & (window.xyz[..., 2] > 0) & ~planar[..., None]
        judged = xy if flat else torch.where(there[..., None], seen, xy)
        other = torch.where(there[..., None], seen if flat else xy, torch.nan)
        shot = tracks.shot(tracks.frames)
        return cls(
            tracks.skeleton,
            window,
            judged.numpy().astype(np.float32),
            other.numpy().astype(np.float32),
            apparent_height(tracks, judged).numpy().astype(np.float32),
            window.times.numpy(),
            (torch.diff(shot, prepend=shot[:1]) > 0).numpy(),
            (int(tracks.camera.size[0]), int(tracks.camera.size[1])),
        )

    @property
    def gap(self) -> float:
        """Typical time between frames, s."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else 0.04

    def frames(self, seconds: float) -> int:
        return max(1, round(seconds / self.gap)) if self.gap > 0 else 1


def apparent_height(tracks: Tracks, xy: torch.Tensor) -> torch.Tensor:
    """How tall (T, P) px people would be if they stood upright, from 3D or else from joints xy (T, P, J, 2) px."""
    window = tracks.window()
    tall = stature(window.xyz.double(), tracks.skeleton)
    if not len(tall):
        return tall
    solid = tracks.camera.focal[1] * tall.nanmedian(0).values / window.xyz[..., 2].double().clamp(min=0.1).nanmean(-1)
    low, high = (torch.where(xy.isfinite(), xy, s * torch.inf) for s in (1, -1))
    extent = (high.amax(2) - low.amin(2)).amax(-1)
    told = stature(xy, tracks.skeleton)
    told = torch.where(told.isfinite(), told, torch.where(extent > 0, extent, torch.nan))
    # Foreshortening only shrinks: what a person measures around that time at best, short of outliers.
    half = max(1, round(0.5 / max(float(np.median(np.diff(window.times))), 1e-3))) if len(told) > 1 else 1
    padded = torch.cat(
        (told.new_full((half, told.shape[1]), torch.nan), told, told.new_full((half, told.shape[1]), torch.nan))
    )
    best = padded.unfold(0, 2 * half + 1, 1).nanquantile(0.8, -1)
    best = torch.where(window.present, best, torch.nan)
    return torch.where(solid.isfinite(), solid, best).clamp(min=2.0)


def features(
    scene: Scene, trails: Trails, swaps: Swaps
) -> tuple[dict[str, Array], NDArray[np.bool_], NDArray[np.bool_]]:
    """Features (T, P, J) by name, NaN where unknown; swapped sides (T, P, J); who has another's joints (T, P)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found = _Found(scene, trails)
        out = found.of_trails() | found.of_flow() | found.of_pose()
        people, other = swaps.of_people(scene.xy, trails.ends, scene.height, scene.times)
        sides = swaps.of_sides(scene.xy, trails.ends, scene.height, scene.skeleton, other)
    out["sides"], out["people"] = sides.astype(np.float32), found.each(people.astype(np.float32))
    return out, sides, people


def names() -> list[str]:
    """Of all features, in the order of the table that weighs them."""
    spans = [f"{span}_{what}" for span in _SPANS for what in ("off", "least", "most")]
    return [
        *spans, "off", "level", "level_while", "level_joint", "level_person", "level_beside", "level_body", "followed",
        "bend_least", "bend", "beside", "spread", "inner", "outer",
        "speed", "turn", "apart", "bones", "confidence", "confidence_beside", "filled", "mirror", "crowd", "border",
        "sides", "people", *_KINDS,
    ]  # fmt: skip


class _Found:
    """Reckons features of one scene."""

    def __init__(self, scene: Scene, trails: Trails) -> None:
        self.scene, self.trails = scene, trails
        self.height = scene.height[..., None]
        frames, people, joints = scene.xy.shape[:3]
        self.shape = (frames, people, joints)
        bones = scene.skeleton.bones
        self.parent, self.child = (np.array([bone[k] for bone in bones], int) for k in (0, 1))

    def each(self, values: Array) -> Array:
        """(T, P) for every joint."""
        return np.broadcast_to(values[..., None], self.shape).astype(np.float32)

    def share(self, length: Array, *, seconds: float = 1.0) -> Array:
        """Logarithm of a length (…, P, J) px as a share of the height (a second)."""
        return np.log(_LEAST + length / (self.height * seconds)).astype(np.float32)

    def of_trails(self) -> dict[str, Array]:
        xy, ends = self.scene.xy, self.trails.ends
        count, frames = len(ends), len(xy)
        ahead, back = np.full_like(ends, np.nan), np.full_like(ends, np.nan)
        for k in range(1, min(count, frames - 1) + 1):
            ahead[k - 1, :-k] = xy[k:] - ends[k - 1, :-k]
            back[k - 1, k:] = ahead[k - 1, :-k]
        out = {}
        lags = np.arange(1, count + 1) * self.scene.gap
        for name, (low, high) in _SPANS.items():
            chosen = (lags > low) & (lags <= high)
            if name == "short":
                chosen[0] |= not ((lags > low) & (lags <= _SPANS["long"][1])).any()
            both = _mean(back[chosen], 0), -_mean(ahead[chosen], 0)
            lengths = np.stack([np.linalg.norm(one, axis=-1) for one in both])
            out[f"{name}_off"] = self.share(np.linalg.norm(_mean(np.stack(both), 0), axis=-1))
            out[f"{name}_least"] = self.share(np.fmin(*lengths))
            out[f"{name}_most"] = self.share(np.fmax(*lengths))
        every = np.concatenate((back, -ahead))
        known = np.isfinite(every[..., 0])
        out["off"] = self.share(np.linalg.norm(_median(every, 0), axis=-1))
        level = self.share(_mean(np.linalg.norm(every, axis=-1), 0))
        out["level"], out["followed"] = level, known.mean(0).astype(np.float32)
        out["level_while"] = _over_time(level, self.scene.frames(_WHILE_S))
        out["level_joint"] = np.broadcast_to(_median(level, 0), self.shape)
        out["level_person"] = np.broadcast_to(_median(_median(level, 0), -1)[:, None], self.shape)
        out["level_beside"] = self._beside(level)
        out["level_body"] = self.each(_median(level, -1))
        return out

    def of_flow(self) -> dict[str, Array]:
        trails, a, b = self.trails, self.parent, self.child
        at, middle = trails.at, trails.middle
        bend = np.linalg.norm(at[:, :, a] - 2 * middle + at[:, :, b], axis=-1)
        out = {"bend_least": self._ends(bend, np.fmin), "bend": self._ends(bend, _average)}
        out["beside"] = np.linalg.norm(at - trails.ring, axis=-1)
        out["spread"] = trails.spread
        # Each end of a bone against its middle, and its middle against what is around that end.
        inner, outer = (
            np.stack([np.linalg.norm(of[:, :, end] - middle, axis=-1) for end in (a, b)]) for of in (at, trails.ring)
        )
        out["inner"], out["outer"] = (self._ends(v[0], np.fmin, v[1]) for v in (inner, outer))
        moment = self.scene.frames(_MOMENT_S)
        return {name: _over_time(self.share(value, seconds=self.scene.gap), moment) for name, value in out.items()}

    def of_pose(self) -> dict[str, Array]:
        scene, window = self.scene, self.scene.window
        xy = scene.xy
        moved, turned = np.full((2, *self.shape), np.nan, np.float32)
        k = scene.frames(0.1)
        if len(xy) > 2 * k:
            moved[k:-k] = np.linalg.norm(xy[2 * k :] - xy[: -2 * k], axis=-1) / (2 * k * scene.gap)
            turned[k:-k] = np.linalg.norm(xy[2 * k :] - 2 * xy[k:-k] + xy[: -2 * k], axis=-1) / (k * scene.gap) ** 2
        # Lengths that follow from a rate of 10 a second.
        out = {"speed": self.share(0.1 * moved), "turn": self.share(0.01 * turned)}
        out["apart"] = self.share(np.linalg.norm(xy - scene.other, axis=-1))
        xyz = window.xyz.numpy()
        length = np.linalg.norm(xyz[:, :, self.parent] - xyz[:, :, self.child], axis=-1)
        strange = np.abs(np.log(np.maximum(length, 1e-3) / np.maximum(_median(length, 0), 1e-3)))
        out["bones"] = np.log(0.01 + self._ends(strange, np.fmax)).astype(np.float32)
        confidence = np.where(np.isfinite(xy[..., 0]), window.confidence.numpy(), np.nan)
        out["confidence"], out["confidence_beside"] = confidence, self._beside(confidence)
        out["filled"] = self.each(window.filled.numpy().astype(np.float32))
        mirror = np.array(scene.skeleton.mirror)
        to_other = np.linalg.norm(xy - xy[:, :, mirror], axis=-1) / self.height
        out["mirror"] = np.where(mirror == np.arange(len(mirror)), _FAR, np.minimum(to_other, _FAR)).astype(np.float32)
        out["crowd"] = self._crowd()
        edge = np.minimum(xy + 0.5, np.array(scene.size) - 0.5 - xy).min(-1) / self.height
        out["border"] = np.clip(edge, -0.1, _FAR).astype(np.float32)
        for kind in _KINDS:
            mine = np.array([_kind(name) == kind for name in scene.skeleton.names])
            out[kind] = np.broadcast_to(mine.astype(np.float32), self.shape)
        return out

    def _ends(self, values: Array, how, other: Array | None = None) -> Array:
        """(T, P, J) of (T, P, B): what the bones at each joint say together; `other` is of their children's ends."""
        out = np.full(self.shape, np.nan, np.float32)
        for bone, (a, b) in enumerate(zip(self.parent, self.child, strict=True)):
            out[:, :, a] = how(out[:, :, a], values[:, :, bone])
            out[:, :, b] = how(out[:, :, b], (values if other is None else other)[:, :, bone])
        return out

    def _beside(self, values: Array) -> Array:
        """Mean over the joints that bones lead to."""
        total, count = np.zeros((2, *self.shape), np.float32)
        known, filled = np.isfinite(values), np.nan_to_num(values)
        for a, b in zip(self.parent, self.child, strict=True):
            for here, there in ((a, b), (b, a)):
                total[:, :, here] += filled[:, :, there]
                count[:, :, here] += known[:, :, there]
        return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)

    def _crowd(self) -> Array:
        """Distance to the nearest joint of anybody else, in heights, up to `_FAR`."""
        xy, out = self.scene.xy, np.full(self.shape, _FAR, np.float32)
        people = xy.shape[1]
        for a in range(people):
            for b in range(people):
                if a == b:
                    continue
                apart = np.linalg.norm(xy[:, a, :, None] - xy[:, b, None], axis=-1)
                nearest = np.where(np.isfinite(apart), apart, np.inf).min(-1) / self.height[:, a]
                out[:, a] = np.fmin(out[:, a], nearest)
        return out


def _kind(name: str) -> str:
    return next((kind for kind, parts in _KINDS.items() if any(part in name for part in parts)), "trunk")


def _average(a: Array, b: Array) -> Array:
    return np.where(np.isfinite(a), np.where(np.isfinite(b), (a + b) / 2, a), b)


def _mean(values: Array, axis: int) -> Array:
    known = np.isfinite(values)
    total = np.where(known, values, 0).sum(axis)
    return np.where(known.any(axis), total / np.maximum(known.sum(axis), 1), np.nan).astype(np.float32)


def _median(values: Array, axis: int) -> Array:
    """Median of what is known, NaN where nothing is."""
    known = np.asarray(np.isfinite(values).any(axis, keepdims=True))
    if not values.size:
        return np.full(np.delete(values.shape, axis), np.nan, np.float32)
    return np.where(np.squeeze(known, axis), np.nanmedian(np.where(known, values, 0), axis), np.nan).astype(np.float32)


def _over_time(values: Array, half: int) -> Array:
    """Mean of what is known from `half` frames before to as many after, NaN where the frame itself has no joint."""
    known = np.isfinite(values)
    sums = [np.cumsum(np.concatenate((np.zeros_like(v[:1]), v)), 0, dtype=np.float64)
            for v in (np.where(known, values, 0), known.astype(np.float32))]  # fmt: skip
    at = np.arange(len(values))
    low, high = np.maximum(at - half, 0), np.minimum(at + half + 1, len(values))
    total, count = (v[high] - v[low] for v in sums)
    return np.where(count > 0.5, total / np.maximum(count, 1), np.nan).astype(np.float32)


__all__ = ["Scene", "apparent_height", "features", "names", "steps"]
