"""What people wear and things are made of: random looks, such as one meets in a street, an office or a gym."""

from collections.abc import Sequence

import numpy as np

from dyad.core.errors import BadInput
from dyad.synthetic.rendering.looks import Colour, Fabric, Look, Material
from dyad.synthetic.rendering.patterns import PATTERNS

_SKINS = (
    (0.96, 0.84, 0.76),
    (0.91, 0.75, 0.64),
    (0.84, 0.66, 0.52),
    (0.72, 0.52, 0.39),
    (0.53, 0.36, 0.26),
    (0.36, 0.24, 0.18),
)
_HAIRS = (
    (0.06, 0.05, 0.05),
    (0.14, 0.10, 0.08),
    (0.27, 0.18, 0.12),
    (0.45, 0.31, 0.19),
    (0.68, 0.54, 0.34),
    (0.48, 0.22, 0.12),
)
_IRISES = ((0.25, 0.15, 0.08), (0.36, 0.24, 0.12), (0.35, 0.42, 0.25), (0.32, 0.45, 0.58), (0.40, 0.42, 0.44))
_CLOTHS = (
    *((0.93, 0.93, 0.91), (0.10, 0.10, 0.12), (0.42, 0.43, 0.45), (0.14, 0.20, 0.36), (0.30, 0.45, 0.66)),
    *((0.70, 0.16, 0.17), (0.20, 0.40, 0.28), (0.85, 0.73, 0.45), (0.48, 0.22, 0.38), (0.82, 0.46, 0.20)),
    *((0.87, 0.66, 0.68), (0.55, 0.72, 0.74), (0.37, 0.31, 0.22), (0.62, 0.56, 0.46)),
)
_BOTTOMS = (
    *((0.20, 0.27, 0.42), (0.28, 0.37, 0.52), (0.11, 0.12, 0.15), (0.34, 0.34, 0.36), (0.62, 0.55, 0.43)),
    *((0.30, 0.28, 0.20), (0.16, 0.18, 0.27), (0.45, 0.33, 0.24), (0.75, 0.73, 0.69)),
)
_LEATHERS = (
    (0.08, 0.07, 0.07),
    (0.30, 0.18, 0.11),
    (0.85, 0.85, 0.84),
    (0.45, 0.46, 0.48),
    (0.55, 0.16, 0.15),
    (0.18, 0.24, 0.40),
)


_MATERIALS: dict[str, tuple[Colour, Colour, float]] = {
    "tiles": ((0.66, 0.63, 0.58), (0.40, 0.38, 0.36), 0.45),
    "checks": ((0.80, 0.78, 0.74), (0.28, 0.27, 0.28), 0.40),
    "grass": ((0.30, 0.40, 0.16), (0.47, 0.52, 0.24), 1.0),
    "asphalt": ((0.33, 0.33, 0.34), (0.46, 0.45, 0.44), 1.0),
    "bricks": ((0.56, 0.31, 0.24), (0.68, 0.65, 0.60), 0.24),
    "wood": ((0.42, 0.28, 0.17), (0.66, 0.47, 0.30), 0.14),
    "plaster": ((0.80, 0.78, 0.73), (0.64, 0.61, 0.56), 1.0),
    "carpet": ((0.36, 0.22, 0.24), (0.52, 0.38, 0.34), 0.5),
    "noise": ((0.55, 0.52, 0.48), (0.36, 0.36, 0.38), 0.5),
    "stripes": ((0.78, 0.74, 0.66), (0.62, 0.60, 0.56), 0.25),
}


def random_fabric(rng: np.random.Generator, colours: Sequence[Colour] = _CLOTHS, *, plain: float = 0.45) -> Fabric:
    """A garment's cloth in one of `colours`, slightly off; with probability `plain` without a pattern."""
    first, second = (colours[int(i)] for i in rng.choice(len(colours), 2, replace=False))
    pattern = "plain" if rng.random() < plain else str(rng.choice(PATTERNS[1:7]))
    scales = {"stripes": (0.02, 0.09), "pinstripes": (0.012, 0.05), "checks": (0.03, 0.09), "noise": (0.04, 0.12)}
    low, high = scales.get(pattern, (0.07, 0.13) if pattern == "print" else (0.02, 0.05))
    return Fabric(
        _off(first, rng),
        _off(second, rng),
        pattern,
        float(rng.uniform(low, high)),
        int(rng.integers(4096)),
        float(rng.uniform(0.2, 0.6)),
        float(rng.choice([0.0, 0.0, 0.0, 0.08])),
    )


def random_material(rng: np.random.Generator, use: str) -> Material:
    """A likely material for "ground", "wall" or "thing"."""
    kinds = {
        "ground": ("tiles", "grass", "asphalt", "wood", "carpet", "plaster", "checks", "bricks"),
        "wall": ("plaster", "bricks", "wood", "tiles", "noise", "stripes"),
        "thing": ("wood", "plaster", "noise", "carpet", "checks"),
    }
    if use not in kinds:
        raise BadInput(f"a material is for {', '.join(kinds)}, not {use!r}")
    pattern = str(rng.choice(kinds[use]))
    colour, other, scale = _MATERIALS[pattern]
    if use == "thing" and pattern != "wood":
        colour, other = (_CLOTHS[int(i)] for i in rng.choice(len(_CLOTHS), 2, replace=False))
    size = float(scale * np.exp(rng.uniform(-0.5, 0.6)))
    tint = rng.uniform(0.75, 1.2)
    shades = [_off([min(1.0, c * tint) for c in shade], rng) for shade in (colour, other)]
    return Material(Fabric(shades[0], shades[1], pattern, size, int(rng.integers(4096)), float(rng.uniform(0.4, 1.0))))


def random_look(rng: np.random.Generator, *, gender: float | None = None, age: float = 35.0) -> Look:
    """Somebody from the street. `gender` (0 female, 1 male) and `age` in years sway hair, beard and clothes."""
    male = rng.random() < (0.5 if gender is None else gender)
    tone = rng.uniform(0, len(_SKINS) - 1)
    skin = tuple(np.array([np.interp(tone, np.arange(len(_SKINS)), [s[k] for s in _SKINS]) for k in range(3)]).tolist())
    dark = tone > 2.2
    hair = _HAIRS[int(rng.integers(3 if dark else len(_HAIRS)))]
    if age > 45 and rng.random() < (age - 40) / 45:
        grey = rng.uniform(0.4, 0.8)
        hair = (grey, grey * 0.99, grey * 0.97)
    chances = (0.10, 0.62, 0.10, 0.03, 0.15, 0.0) if male else (0.0, 0.12, 0.26, 0.44, 0.10, 0.08)
    style = str(rng.choice(("bald", "short", "medium", "long", "cap", "scarf"), p=chances))
    bearded = male and age > 18 and rng.random() < 0.6
    long_sleeve = rng.random() < 0.45
    sleeve = float(rng.uniform(0.44, 0.485)) if long_sleeve else float(rng.choice([0.10, 0.14, 0.20, 0.27]))
    if not male and not long_sleeve and rng.random() < 0.25:
        sleeve = 0.02
    jacket = long_sleeve and rng.random() < 0.35
    tucked = rng.random() < 0.3
    shorts = not long_sleeve and rng.random() < 0.35
    shirt = random_fabric(rng, plain=0.7 if jacket else 0.4)
    trousers = random_fabric(rng, _BOTTOMS, plain=0.85)
    shoe = _LEATHERS[int(rng.integers(len(_LEATHERS)))]
    contrast = (0.92, 0.92, 0.90) if sum(shirt.colour) < 1.4 else (0.15, 0.16, 0.20)
    return Look(
        skin=_off(skin, rng, drift=0.008),
        hair=_off(hair, rng, drift=0.01),
        iris=_IRISES[int(rng.integers(2 if dark else len(_IRISES)))],
        style=style,
        hairline=float(rng.uniform(-0.008, 0.012)),
        beard=float(rng.uniform(0.1, 0.9)) if bearded else 0.0,
        shirt=shirt,
        trousers=trousers,
        shoes=Fabric(_off(shoe, rng), _off(shoe, rng), gloss=float(rng.uniform(0.0, 0.4))),
        hat=random_fabric(rng, plain=0.8),
        under=_off(_CLOTHS[int(rng.integers(len(_CLOTHS)))], rng),
        trim=_off(contrast, rng) if rng.random() < 0.5 else shirt.colour,
        belt=_off(_LEATHERS[int(rng.integers(2))], rng),
        socks=_off(_LEATHERS[int(rng.choice([0, 2, 3]))], rng),
        sole=_off((0.85, 0.85, 0.82) if rng.random() < 0.5 else (0.12, 0.11, 0.11), rng),
        sleeve=sleeve,
        hem=0.98 if tucked else float(rng.uniform(0.83, 0.93)),
        waist=0.985 if tucked else 0.965,
        leg=float(rng.uniform(0.48, 0.62)) if shorts else float(rng.choice([0.06, 0.075, 0.09, 0.10])),
        shaft=float(rng.choice([0.07, 0.085, 0.12])),
        neck_drop=float(rng.choice([0.0, 0.0, 0.03, 0.06])),
        collar=float(rng.choice([0.0, 0.012, 0.02, 0.035])),
        gap=float(rng.uniform(0.01, 0.06)) if jacket else 0.0,
        buttons=bool(not jacket and rng.random() < 0.35),
        loose=float(rng.uniform(0.15, 0.9)),
        seed=int(rng.integers(4096)),
    )


def _off(colour: Sequence[float], rng: np.random.Generator, *, drift: float = 0.03) -> Colour:
    """The same colour, a little lighter or darker, its channels apart by `drift`."""
    r, g, b = np.clip(np.array(colour) * rng.uniform(0.85, 1.12) + rng.normal(0, drift, 3), 0.02, 0.97).tolist()
    return r, g, b
