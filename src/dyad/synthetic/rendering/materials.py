"""What things are made of: a likely material for each kind of stuff that furniture and buildings name."""

from dataclasses import dataclass, field

import numpy as np

from dyad.core.errors import BadInput
from dyad.synthetic.rendering.fashion import random_material
from dyad.synthetic.rendering.looks import Fabric, Material, Picture

Colour = tuple[float, float, float]

# For each stuff: patterns, sizes in m from least to largest, two colours to choose from and mix, strength, gloss.
_STUFFS: dict[str, tuple[tuple[str, ...], tuple[float, float], tuple[Colour, ...], tuple[float, float], float]] = {
    "wood": (("wood",), (0.08, 0.2), ((0.42, 0.28, 0.17), (0.62, 0.45, 0.29), (0.80, 0.68, 0.50)), (0.3, 0.9), 0.05),
    "bark": (("noise",), (0.05, 0.1), ((0.30, 0.22, 0.16), (0.45, 0.38, 0.30)), (0.7, 1.0), 0.0),
    "metal": (("plain",), (0.1, 0.2), ((0.25, 0.25, 0.27), (0.55, 0.56, 0.58), (0.12, 0.13, 0.14)), (0.2, 0.4), 0.3),
    "stone": (("plaster", "noise"), (0.2, 1.0), ((0.62, 0.60, 0.56), (0.48, 0.46, 0.44)), (0.4, 0.8), 0.0),
    "concrete": (("asphalt", "plaster"), (0.6, 1.5), ((0.58, 0.57, 0.55), (0.46, 0.46, 0.46)), (0.4, 0.9), 0.0),
    "brick": (("bricks",), (0.2, 0.3), ((0.56, 0.31, 0.24), (0.66, 0.48, 0.36), (0.50, 0.40, 0.34)), (0.6, 1.0), 0.0),
    "leaf": (("noise",), (0.06, 0.2), ((0.16, 0.30, 0.10), (0.36, 0.48, 0.20), (0.26, 0.36, 0.14)), (0.8, 1.0), 0.0),
    "rubber": (("plain",), (0.1, 0.2), ((0.07, 0.07, 0.07), (0.12, 0.12, 0.12)), (0.2, 0.3), 0.0),
    "glass": (("noise",), (1.0, 3.0), ((0.16, 0.20, 0.25), (0.34, 0.40, 0.46)), (0.3, 0.8), 0.35),
    "window": (("noise",), (0.6, 2.0), ((0.86, 0.92, 0.97), (0.70, 0.80, 0.86)), (0.3, 0.8), 0.0),
    "ceiling": (("plaster", "plain"), (0.8, 2.0), ((0.93, 0.93, 0.91), (0.86, 0.85, 0.83)), (0.1, 0.4), 0.0),
}
_FLOORS = ("wood", "carpet", "tiles", "checks", "plaster")
_GROUNDS = ("tiles", "grass", "asphalt", "asphalt", "plaster", "bricks")
_WALLS = ("plaster", "plaster", "plain", "stripes", "bricks", "noise", "wood")


@dataclass(frozen=True)
class Stuffs:
    """Materials by the name of the stuff; what is of the same stuff in one place looks the same.

    Args:
        rng: of colours and patterns. picture: of the user's, for pictures on walls; None makes them up.
    """

    rng: np.random.Generator
    picture: Picture | None = None
    _made: dict[str, Material] = field(default_factory=dict, init=False, repr=False)

    def __call__(self, stuff: str) -> Material:
        """The material of a stuff; BadInput for one that nobody knows."""
        if stuff not in self._made:
            self._made[stuff] = self._new(stuff)
        return self._made[stuff]

    def canvas(self, wide: float, tall: float) -> Material:
        """What hangs in a frame: the user's picture, as large as fills it, or one made up."""
        if self.picture is None:
            return self._new("picture")
        height, width = self.picture.image.shape[:2]
        return Material(Fabric(), self.picture, max(wide, tall * width / height))

    def anew(self) -> "Stuffs":
        """Materials of their own for the next thing."""
        return Stuffs(self.rng, self.picture)

    def _new(self, stuff: str) -> Material:
        rng = self.rng
        if stuff in _STUFFS:
            patterns, sizes, colours, amounts, gloss = _STUFFS[stuff]
            first, second = (colours[int(i)] for i in rng.choice(len(colours), 2, replace=False))
            return Material(
                Fabric(
                    _off(first, rng),
                    _off(second, rng),
                    patterns[int(rng.integers(len(patterns)))],
                    float(np.exp(rng.uniform(*np.log(sizes)))),
                    int(rng.integers(4096)),
                    float(rng.uniform(*amounts)),
                    gloss,
                )
            )
        if stuff in ("floor", "ground", "wall", "other wall", "plaster"):
            return self._surface(stuff)
        if stuff in ("paint", "gloss", "fabric", "print", "picture"):
            return self._coloured(stuff)
        raise BadInput(f"nobody knows the stuff {stuff!r}; there are {', '.join(_STUFFS)} and others")

    def _surface(self, stuff: str) -> Material:
        """What floors, grounds and walls are covered with: as likely muted as bold."""
        rng = self.rng
        choices = {"floor": _FLOORS, "ground": _GROUNDS, "plaster": ("plaster", "plain")}.get(stuff, _WALLS)
        wanted = choices[int(rng.integers(len(choices)))]
        while True:
            made = random_material(rng, "wall" if "wall" in stuff or stuff == "plaster" else "ground")
            if made.fabric.pattern == wanted:
                return made
            if wanted in ("plain", "plaster"):
                hue = self._muted()
                colour, other = _clip(hue), _clip(hue * rng.uniform(0.8, 0.95))
                return Material(Fabric(colour, other, wanted, 1.0, int(rng.integers(4096)), 0.6))

    def _muted(self) -> np.ndarray:
        """From dark to white: mostly grey and brown, now and then a colour."""
        rng = self.rng
        warm = rng.uniform(0, 0.12) * np.array((0.5, 0.0, -1.0))
        return rng.uniform(0.4, 0.95) * (1 + warm + rng.normal(0, 0.09 if rng.uniform() < 0.2 else 0.015, 3))

    def _coloured(self, stuff: str) -> Material:
        rng = self.rng
        pattern = "plain"
        if stuff == "fabric":
            pattern = ("carpet", "plain", "stripes", "noise", "checks")[int(rng.integers(5))]
        elif stuff in ("print", "picture"):
            pattern = ("noise", "checks", "stripes", "noise")[int(rng.integers(4))]
        first, second = (_hsv(rng.uniform(), rng.beta(1.3, 2.0), rng.beta(3.0, 2.0)) for _ in range(2))
        scale = float(np.exp(rng.uniform(np.log(0.05), np.log(0.4))))
        gloss = 0.3 if stuff == "gloss" else 0.0
        return Material(
            Fabric(first, second, pattern, scale, int(rng.integers(4096)), float(rng.uniform(0.3, 1)), gloss)
        )


def _hsv(hue: float, saturation: float, value: float) -> Colour:
    wheel = np.abs((hue * 6 + np.array((0.0, 4.0, 2.0))) % 6 - 3) - 1
    return _clip(value * (1 - saturation + saturation * np.clip(wheel, 0, 1)))


def _off(colour: Colour, rng: np.random.Generator) -> Colour:
    return _clip(np.asarray(colour) * rng.uniform(0.8, 1.15) + rng.normal(0, 0.02, 3))


def _clip(values: np.ndarray) -> Colour:
    red, green, blue = np.clip(values, 0.02, 0.97).tolist()
    return red, green, blue
