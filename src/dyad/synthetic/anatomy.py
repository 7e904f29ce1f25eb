"""Lengths of a person's bones, and looks: what stays the same for a person through a clip."""

from dataclasses import dataclass

import numpy as np

# Lengths as shares of the standing height, joint centre to joint centre, after the segment tables of Drillis and
# Contini (1966), rounded to what adults of both sexes share; the ankle stands on a shoe's sole.
_SHARES = {
    "thigh": 0.236,
    "shin": 0.238,
    "ankle": 0.053,
    "heel": 0.030,
    "toe": 0.105,
    "hip": 0.050,
    "trunk": 0.296,
    "shoulder": 0.100,
    "upper_arm": 0.166,
    "forearm": 0.146,
    "hand": 0.049,
}


@dataclass(frozen=True)
class Anatomy:
    """Bone lengths in m.

    Attributes:
        height: standing height. build: girth relative to the average, 1 = average.
        thigh, shin, upper_arm, forearm: joint to joint. trunk: middle of the hips to middle of the shoulders.
        hip, shoulder: half the distance between the left and the right joint.
        ankle: height of the ankle joint above the ground. heel, toe: how far behind and before the ankle they lie.
        hand: wrist to knuckles.
    """

    height: float
    build: float
    thigh: float
    shin: float
    ankle: float
    heel: float
    toe: float
    hip: float
    trunk: float
    shoulder: float
    upper_arm: float
    forearm: float
    hand: float

    @classmethod
    def of_height(cls, height: float, *, build: float = 1.0) -> "Anatomy":
        """The average adult of a height in m."""
        return cls(height=height, build=build, **{name: share * height for name, share in _SHARES.items()})

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Anatomy":
        """An adult with lengths that vary by 2 % each (one standard deviation)."""
        height = float(np.clip(rng.normal(1.72, 0.08), 1.52, 1.95))
        lengths = {
            name: share * height * float(np.clip(rng.normal(1, 0.02), 0.95, 1.05)) for name, share in _SHARES.items()
        }
        return cls(height=height, build=float(rng.uniform(0.92, 1.12)), **lengths)

    @property
    def leg(self) -> float:
        return self.thigh + self.shin

    @property
    def scale(self) -> float:
        """Size of the parts without a length of their own (head, girth), 1 for a height of 1.75 m."""
        return self.height / 1.75


@dataclass(frozen=True)
class Look:
    """Colours (linear RGB reflectance 0..1) and cut of clothes and hair.

    Attributes:
        skin, hair, top, top2, bottom, shoes: colours; `top2` is that of the stripes.
        stripes: stripes per metre on the top, 0 = plain. sleeve: share of the arm that is covered, 0.25..1.
        trousers: share of the leg that is covered, 0.5..1. long_hair: reaches the neck.
    """

    skin: tuple[float, float, float]
    hair: tuple[float, float, float]
    top: tuple[float, float, float]
    top2: tuple[float, float, float]
    bottom: tuple[float, float, float]
    shoes: tuple[float, float, float]
    stripes: float
    sleeve: float
    trousers: float
    long_hair: bool

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Look":
        def pick(colours: tuple[tuple[float, float, float], ...]) -> tuple[float, float, float]:
            red, green, blue = np.asarray(colours[rng.integers(len(colours))]) * rng.uniform(0.85, 1.15)
            return float(min(red, 1)), float(min(green, 1)), float(min(blue, 1))

        return cls(
            skin=pick(_SKIN),
            hair=pick(_HAIR),
            top=pick(_TOPS),
            top2=pick(_TOPS),
            bottom=pick(_BOTTOMS),
            shoes=pick(_SHOES),
            stripes=float(rng.choice((0.0, 0.0, 9.0))),
            sleeve=float(rng.choice((0.3, 0.95))),
            trousers=float(rng.choice((0.5, 0.96, 0.96))),
            long_hair=bool(rng.integers(2)),
        )


_SKIN = ((0.66, 0.42, 0.31), (0.58, 0.34, 0.23), (0.42, 0.24, 0.15), (0.20, 0.105, 0.065))
_HAIR = ((0.02, 0.016, 0.014), (0.06, 0.035, 0.02), (0.16, 0.08, 0.035), (0.4, 0.27, 0.11), (0.25, 0.24, 0.23))
_TOPS = (
    (0.62, 0.07, 0.06),
    (0.06, 0.14, 0.42),
    (0.72, 0.71, 0.68),
    (0.08, 0.30, 0.14),
    (0.72, 0.46, 0.06),
    (0.04, 0.05, 0.07),
    (0.32, 0.10, 0.30),
    (0.16, 0.42, 0.52),
)
_BOTTOMS = ((0.035, 0.055, 0.12), (0.025, 0.025, 0.03), (0.30, 0.24, 0.15), (0.16, 0.16, 0.17), (0.10, 0.16, 0.28))
_SHOES = ((0.02, 0.02, 0.02), (0.55, 0.55, 0.55), (0.18, 0.08, 0.04))
