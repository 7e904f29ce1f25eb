"""Skeletons as data: joints by name, the bones between them, mirror pairs, and conversion from one to another."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from dyad.core.errors import BadInput

Source = Literal["clicked", "captured", "unknown"]
"""Where a skeleton's joints come from, which says what its hips, pelvis and neck are (docs/joints.md). `clicked`: by
people on photographs, or by a network that learnt from them; `captured`: fitted to motion capture, or of a body model;
`unknown`: neither is known, and nothing is adapted."""

# How a joint that a skeleton lacks follows from joints that it has: the first recipe whose parts exist counts. A recipe
# is linear, so that it holds in 2D and in 3D alike. Head-top weights: the vertex lies 13 cm above the line between the
# ears, the mouth 7 cm below the eyes; neck here is the middle of the shoulders, 19 cm below the ears.
_RECIPES: dict[str, tuple[dict[str, float], ...]] = {
    "pelvis": ({"left_hip": 0.5, "right_hip": 0.5},),
    "neck": ({"left_shoulder": 0.5, "right_shoulder": 0.5},),
    "spine": (
        {"pelvis": 0.5, "neck": 0.5},
        {"left_hip": 0.25, "right_hip": 0.25, "left_shoulder": 0.25, "right_shoulder": 0.25},
    ),
    "head_top": (
        {
            "left_ear": 0.5,
            "right_ear": 0.5,
            "left_eye": 0.9,
            "right_eye": 0.9,
            "mouth_left": -0.9,
            "mouth_right": -0.9,
        },
        {"left_ear": 0.85, "right_ear": 0.85, "left_shoulder": -0.35, "right_shoulder": -0.35},
    ),
    "head": ({"nose": 0.5, "head_top": 0.5}, {"left_ear": 0.5, "right_ear": 0.5}, {"neck": 0.4, "head_top": 0.6}),
}


# Joint adaptation: the same words mean other points in other data sets (docs/joints.md). Hips that people click, and
# those of BlazePose, lie 8 cm below those of skeletons from motion capture, whose thighs are as long as their shins
# (Human3.6M: 0.443 and 0.444 m), and are less far apart; the middle of the shoulders lies 7 cm below the neck. Heights
# are shares of the way from the middle of the hips to that of the shoulders.
_PELVIS, _NECK, _WIDER = 0.165, 0.14, 1.31


def _between(hips: float, shoulders: float, apart: float = 0.0) -> dict[str, float]:
    """The middle of the hips and that of the shoulders, mixed, and `apart` times the way from right hip to left."""
    left, right = 0.5 * hips + apart, 0.5 * hips - apart
    return {
        "left_hip": left,
        "right_hip": right,
        "left_shoulder": 0.5 * shoulders,
        "right_shoulder": 0.5 * shoulders,
    }


_RAISED = {
    "pelvis": _between(1 - _PELVIS, _PELVIS),
    "left_hip": _between(1 - _PELVIS, _PELVIS, 0.5 * _WIDER),
    "right_hip": _between(1 - _PELVIS, _PELVIS, -0.5 * _WIDER),
    "neck": _between(-_NECK, 1 + _NECK),
}
_DOWN = _PELVIS / (1 + _NECK - _PELVIS)
_LOWERED = {
    f"{side}_hip": {
        f"{side}_hip": 0.5 * (1 + _DOWN + 1 / _WIDER),
        f"{other}_hip": 0.5 * (1 + _DOWN - 1 / _WIDER),
        "neck": -_DOWN,
    }
    for side, other in (("left", "right"), ("right", "left"))
} | {"pelvis": {"left_hip": 0.5 * (1 + _DOWN), "right_hip": 0.5 * (1 + _DOWN), "neck": -_DOWN}}


def _adapted(source: "Skeleton", target: "Skeleton") -> dict[str, dict[str, float]]:
    """Recipes for joints whose names mean other points in the target."""
    ways = {("clicked", "captured"): _RAISED, ("captured", "clicked"): _LOWERED}
    return ways.get((source.source, target.source), {})


def _guessed(names: tuple[str, ...]) -> Source:
    """What a list of names tells: eyes are clicked, and who clicks them does not click a pelvis; else the reverse."""
    eyes, pelvis = "left_eye" in names, "pelvis" in names
    return "unknown" if eyes == pelvis else "clicked" if eyes else "captured"


@dataclass(frozen=True)
class Skeleton:
    """Names of joints in the order of an array's joint dimension, each with its parent ("" for the root).

    Attributes:
        source: where the joints come from. Between clicked and captured ones hips, pelvis and neck are adapted.
    """

    name: str
    names: tuple[str, ...]
    parent_names: tuple[str, ...]
    source: Source = "unknown"

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise BadInput(f"skeleton {self.name!r} names a joint twice: {self.names}")
        if len(self.parent_names) != len(self.names) or not set(self.parent_names) <= {*self.names, ""}:
            raise BadInput(f"skeleton {self.name!r}: every joint needs one parent among its joints, or none")
        if not self.names or "" in self.names:
            raise BadInput(f"skeleton {self.name!r} needs at least one joint, and a name for each, got {self.names}")
        reached = {joint for joint, parent in zip(self.names, self.parent_names, strict=True) if not parent}
        while len(reached) < len(self.names):
            children = {j for j, p in zip(self.names, self.parent_names, strict=True) if p in reached} - reached
            if not children:
                raise BadInput(
                    f"skeleton {self.name!r}: bones run in a circle through {sorted({*self.names} - reached)}"
                )
            reached |= children
        if self.source not in get_args(Source):
            known = ", ".join(get_args(Source))
            raise BadInput(f"the joints of skeleton {self.name!r} should be {known}, got {str(self.source)[:80]!r}")

    @classmethod
    def of_names(cls, names: tuple[str, ...], name: str = "custom", source: Source | None = None) -> "Skeleton":
        """A skeleton without bones, for a file that only names its keypoints.

        source: None takes eyes without a pelvis for clicked, a pelvis without eyes for captured joints.
        """
        return cls(name, tuple(names), ("",) * len(names), _guessed(names) if source is None else source)

    @classmethod
    def from_tree(cls, name: str, tree: str, source: Source = "unknown") -> "Skeleton":
        """A skeleton from "joint<parent joint<parent …", where a root stands alone."""
        pairs = [word.partition("<") for word in tree.split()]
        return cls(name, tuple(p[0] for p in pairs), tuple(p[2] for p in pairs), source)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Skeleton":
        """What `to_json` gave; without `source`, as in files of other hands, the names tell it. BadInput."""
        try:
            names = tuple(map(str, fields["names"]))
            source = fields.get("source", _guessed(names))
            return cls(str(fields["name"]), names, tuple(map(str, fields["parents"])), source)
        except (KeyError, TypeError) as error:
            raise BadInput(f"a skeleton needs name, names and parents, got {str(fields)[:200]!r}") from error

    def to_json(self) -> dict[str, Any]:
        names, parents = list(self.names), list(self.parent_names)
        return {"name": self.name, "names": names, "parents": parents, "source": self.source}

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """Position of a joint; BadInput names the joints there are."""
        try:
            return self.names.index(name)
        except ValueError:
            raise BadInput(f"skeleton {self.name!r} has no joint {name!r}; it has {', '.join(self.names)}") from None

    def indices(self, *names: str) -> list[int]:
        return [self.index(name) for name in names]

    @cached_property
    def parents(self) -> tuple[int, ...]:
        """Index of each joint's parent, -1 for a root."""
        return tuple(self.names.index(p) if p else -1 for p in self.parent_names)

    @property
    def root(self) -> str:
        return self.names[self.parents.index(-1)]

    @property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(parent, child) index pairs."""
        return tuple((parent, child) for child, parent in enumerate(self.parents) if parent >= 0)

    @cached_property
    def mirror(self) -> tuple[int, ...]:
        """For each joint the index of its counterpart on the other side (itself in the middle)."""
        others = [_other_side(name) for name in self.names]
        return tuple(self.names.index(o) if o in self.names else i for i, o in enumerate(others))

    def hops(self) -> Tensor:
        """Number of bones (J, J) on the way between two joints; infinite where no way leads."""
        steps = torch.full((len(self), len(self)), torch.inf)
        steps.fill_diagonal_(0)
        for parent, child in self.bones:
            steps[parent, child] = steps[child, parent] = 1
        for middle in range(len(self)):
            steps = torch.minimum(steps, steps[:, middle : middle + 1] + steps[middle : middle + 1])
        return steps

    def convert(self, values: Tensor, target: "Skeleton") -> Tensor:
        """Positions (…, J, D) of this skeleton's joints as those of `target`; NaN for what cannot be derived."""
        weights = _weights(self, target).to(values)
        missing = torch.isnan(values)
        mixed = torch.einsum("kj,...jd->...kd", torch.nan_to_num(weights), torch.nan_to_num(values))
        touched = torch.einsum("kj,...jd->...kd", (weights.nan_to_num() != 0).to(values), missing.to(values)) > 0
        return torch.where(touched | torch.isnan(weights[:, :1]), torch.full_like(mixed, torch.nan), mixed)

    def convert_confidence(self, confidence: Tensor, target: "Skeleton", *, underivable: float = 0.0) -> Tensor:
        """Confidence (…, J) of the joints of `target`: the lowest among a joint's parts."""
        used = torch.nan_to_num(_weights(self, target)).to(confidence.device) != 0
        spread = torch.where(used, confidence[..., None, :], torch.full_like(confidence[..., None, :], torch.inf))
        return torch.where(used.any(-1), spread.amin(-1), torch.full_like(spread[..., 0], underivable))

    def convert_sigma(self, sigma: Tensor, target: "Skeleton") -> Tensor:
        """Standard deviations (…, J, D) of converted positions; errors of different joints count as independent."""
        weights = _weights(self, target).to(sigma)
        spread = torch.einsum("kj,...jd->...kd", torch.nan_to_num(weights).square(), torch.nan_to_num(sigma).square())
        known = torch.isfinite(self.convert(sigma, target))
        return torch.where(known, spread.sqrt(), torch.full_like(spread, torch.nan))

    def flip(self, values: Tensor) -> Tensor:
        """Exchange left and right joints along the second-last dimension (…, J, D)."""
        return values[..., torch.tensor(self.mirror, device=values.device), :]


def _other_side(name: str) -> str:
    for left, right in (("left", "right"), ("right", "left")):
        if name.startswith(left + "_"):
            return right + name[len(left) :]
        if name.endswith("_" + left):
            return name[: -len(left)] + right
    return name


@lru_cache(maxsize=64)
def _weights(source: Skeleton, target: Skeleton) -> Tensor:
    """Linear map (K, J) from the joints of `source` to those of `target`; a row of NaN cannot be derived."""
    adapted = _adapted(source, target)
    rows = [_mixed(adapted[name], source) if name in adapted else None for name in target.names]
    rows = [_weights_of(name, source) if row is None else row for name, row in zip(target.names, rows, strict=True)]
    blank = torch.full((len(source),), torch.nan, dtype=torch.float64)
    return torch.stack([row if row is not None else blank for row in rows])


def _weights_of(name: str, source: Skeleton) -> Tensor | None:
    if name in source.names:
        return torch.eye(len(source), dtype=torch.float64)[source.index(name)]
    found = (_mixed(recipe, source) for recipe in _RECIPES.get(name, ()) if name not in recipe)
    return next((row for row in found if row is not None), None)


def _mixed(recipe: dict[str, float], source: Skeleton) -> Tensor | None:
    parts = [(weight, _weights_of(part, source)) for part, weight in recipe.items()]
    if any(part is None for _, part in parts):
        return None
    return torch.stack([weight * part for weight, part in parts if part is not None]).sum(0)


BODY17 = Skeleton.from_tree(
    "body17",
    "pelvis right_hip<pelvis right_knee<right_hip right_ankle<right_knee left_hip<pelvis left_knee<left_hip "
    "left_ankle<left_knee spine<pelvis neck<spine nose<neck head_top<nose left_shoulder<neck "
    "left_elbow<left_shoulder left_wrist<left_elbow right_shoulder<neck right_elbow<right_shoulder "
    "right_wrist<right_elbow",
    "captured",
)
COCO17 = Skeleton.from_tree(
    "coco17",
    "nose left_eye<nose right_eye<nose left_ear<left_eye right_ear<right_eye left_shoulder<nose right_shoulder<nose "
    "left_elbow<left_shoulder right_elbow<right_shoulder left_wrist<left_elbow right_wrist<right_elbow "
    "left_hip<left_shoulder right_hip<right_shoulder left_knee<left_hip right_knee<right_hip left_ankle<left_knee "
    "right_ankle<right_knee",
    "clicked",
)
MUPOTS17 = Skeleton.from_tree(
    "mupots17",
    "head_top<head neck<spine right_shoulder<neck right_elbow<right_shoulder right_wrist<right_elbow "
    "left_shoulder<neck left_elbow<left_shoulder left_wrist<left_elbow right_hip<pelvis right_knee<right_hip "
    "right_ankle<right_knee left_hip<pelvis left_knee<left_hip left_ankle<left_knee pelvis spine<pelvis head<neck",
    "captured",
)
LSP14 = Skeleton.from_tree(
    "lsp14",
    "right_ankle<right_knee right_knee<right_hip right_hip<neck left_hip<neck left_knee<left_hip left_ankle<left_knee "
    "right_wrist<right_elbow right_elbow<right_shoulder right_shoulder<neck left_shoulder<neck "
    "left_elbow<left_shoulder left_wrist<left_elbow neck head_top<neck",
)
BLAZEPOSE33 = Skeleton.from_tree(
    "blazepose33",
    "nose left_eye_inner<nose left_eye<left_eye_inner left_eye_outer<left_eye right_eye_inner<nose "
    "right_eye<right_eye_inner right_eye_outer<right_eye left_ear<left_eye_outer right_ear<right_eye_outer "
    "mouth_left<nose mouth_right<nose left_shoulder<nose right_shoulder<nose left_elbow<left_shoulder "
    "right_elbow<right_shoulder left_wrist<left_elbow right_wrist<right_elbow left_pinky<left_wrist "
    "right_pinky<right_wrist left_index<left_wrist right_index<right_wrist left_thumb<left_wrist "
    "right_thumb<right_wrist left_hip<left_shoulder right_hip<right_shoulder left_knee<left_hip right_knee<right_hip "
    "left_ankle<left_knee right_ankle<right_knee left_heel<left_ankle right_heel<right_ankle "
    "left_foot_index<left_heel right_foot_index<right_heel",
    "clicked",
)
OPENPOSE18 = Skeleton.from_tree(
    "openpose18",
    "nose<neck neck right_shoulder<neck right_elbow<right_shoulder right_wrist<right_elbow left_shoulder<neck "
    "left_elbow<left_shoulder left_wrist<left_elbow right_hip<neck right_knee<right_hip right_ankle<right_knee "
    "left_hip<neck left_knee<left_hip left_ankle<left_knee right_eye<nose left_eye<nose right_ear<right_eye "
    "left_ear<left_eye",
    "clicked",
)
"""OpenPose's model COCO, which 3DPW's authors ran; its neck is the middle of the shoulders."""
POSETRACK17 = Skeleton.from_tree(
    "posetrack17",
    "nose<neck neck head_top<nose left_ear<nose right_ear<nose left_shoulder<neck right_shoulder<neck "
    "left_elbow<left_shoulder right_elbow<right_shoulder left_wrist<left_elbow right_wrist<right_elbow "
    "left_hip<left_shoulder right_hip<right_shoulder left_knee<left_hip right_knee<right_hip left_ankle<left_knee "
    "right_ankle<right_knee",
    "clicked",
)
"""PoseTrack18's joints in the files' order, which DCPose finds too; what the files call head_bottom is the neck."""
