"""How well the motion of joints in the image agrees with the flow: a score without labels for every joint."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.core.errors import BadInput
from dyad.core.flow import Flows, inside
from dyad.core.tracks import Flag, Tracks
from dyad.refinement.agreement_features import Scene, features, names
from dyad.refinement.agreement_model import Model
from dyad.refinement.agreement_swaps import Swaps
from dyad.refinement.agreement_trails import Trails, follow

OFF = 0.05
"""A joint is off that lies farther from its place in the image, as a share of the person's height."""
DOUBTFUL = 0.5

_SWAPPED = int(Flag.SWAPPED_SIDES | Flag.SWAPPED_PEOPLE)


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Judges the joints of tracks by the optical flow of their video.

    Attributes:
        joints: "xyz" judges joints as their 3D appears in the image, and the 2D ones of whoever has no 3D; "xy" judges
            the 2D ones of everybody.
        swaps: how sure one must be that sides or people are exchanged.
        model: what weighs the evidence; None takes the table that comes with Dyad.
    """

    joints: Literal["xyz", "xy"] = "xyz"
    swaps: Swaps = field(default_factory=Swaps)
    model: Model | None = None

    def __call__(self, tracks: Tracks, flows: Flows) -> Tracks:
        """Tracks with `agreement`, and with flags of swapped sides and people in place of older ones.

        Agreement is 1 - the probability that a joint is off by more than 5 % of the person's height in the image; NaN
        where nothing tells: joints outside the image, and those that no flow leads to or away from.

        flows[i] leads from the i-th of `tracks.frames` to the next; each is asked for at most once, in order. Raises
        BadInput where flows and frames do not belong together.
        """
        evidence = self.evidence(tracks, flows)
        agreement = np.full(evidence.told.shape, np.nan, np.float32)
        agreement[evidence.told] = 1 - (self.model or Model.load())(evidence.values[evidence.told])
        flags = tracks.flags & ~_SWAPPED
        for doubtful, flag in ((evidence.sides, Flag.SWAPPED_SIDES), (evidence.people, Flag.SWAPPED_PEOPLE)):
            flags = torch.where(torch.from_numpy(doubtful), flags | int(flag), flags)
        return tracks.with_(agreement=torch.from_numpy(agreement), flags=flags)

    def score(self, tracks: Tracks, flows: Flows) -> float:
        """Mean disagreement of all joints that can be judged, 0..1, lower is better; NaN where none can.

        Scores compare if they are read in the same flows: flow that was tuned to a pose agrees with it.
        """
        return float(1 - self(tracks, flows).agreement.double().nanmean())

    def evidence(self, tracks: Tracks, flows: Flows) -> "Evidence":
        """What is known of every row and joint, before it is weighed."""
        if len(flows) != max(len(tracks.frames) - 1, 0):
            raise BadInput(
                f"{len(tracks.frames)} frames have {max(len(tracks.frames) - 1, 0)} flows between them, got "
                f"{len(flows)}; compute the flow of the frames that the tracks are about"
            )
        rows, joints = len(tracks), len(tracks.skeleton)
        if not rows:
            return Evidence(
                np.zeros((0, joints, len(names())), np.float32),
                np.zeros((0, joints), bool),
                np.zeros(0, bool),
                np.zeros(0, bool),
            )
        scene = Scene.of(tracks, flat=self.joints == "xy")
        trails = _trails(scene, flows)
        found, sides, people = features(scene, trails, self.swaps)
        place = (
            torch.searchsorted(tracks.frames, tracks.frame).numpy(),
            torch.searchsorted(torch.unique(tracks.person), tracks.person).numpy(),
        )
        values = np.stack([found[name][place] for name in names()], -1)
        told = inside(torch.from_numpy(scene.xy), scene.size).numpy() & _met(scene.xy, trails)
        return Evidence(values, told[place], np.asarray(sides.any(-1))[place], people[place])


@dataclass(frozen=True)
class Evidence:
    """Of N rows and J joints: features (N, J, F), whether they tell (N, J), swapped sides (N,) and people (N,)."""

    values: NDArray[np.float32]
    told: NDArray[np.bool_]
    sides: NDArray[np.bool_]
    people: NDArray[np.bool_]


def account(tracks: Tracks) -> dict[str, Any]:
    """What a run's account says of agreement: the mean (None where nothing tells), shares and numbers of rows.

    `known` is the share of joints that were judged, `doubtful` that of them which are off more likely than not.
    """
    told = tracks.agreement[torch.isfinite(tracks.agreement)]
    return {
        "mean": round(float(told.double().mean()), 4) if len(told) else None,
        "known": round(len(told) / max(tracks.agreement.numel(), 1), 4),
        "doubtful": round(float((told < DOUBTFUL).double().mean()), 4) if len(told) else None,
        "swapped_sides": int(((tracks.flags & int(Flag.SWAPPED_SIDES)) != 0).sum()),
        "swapped_people": int(((tracks.flags & int(Flag.SWAPPED_PEOPLE)) != 0).sum()),
    }


def _trails(scene: Scene, flows: Flows) -> Trails:
    return follow(
        scene.xy, scene.height, flows, times=scene.times, cut=scene.cut, skeleton=scene.skeleton, size=scene.size
    )


def _met(xy: NDArray[np.float32], trails: Trails) -> NDArray[np.bool_]:
    """(T, P, J), joints from which flow leads to where the joint is later, or to which it led from earlier."""
    out = np.zeros(xy.shape[:3], bool)
    for k in range(1, min(len(trails.ends), len(xy) - 1) + 1):
        both = np.isfinite(trails.ends[k - 1, :-k]).all(-1) & np.isfinite(xy[k:]).all(-1)
        out[:-k] |= both
        out[k:] |= both
    return out
