"""How people and things look, as plain numbers: skin, hair, face and clothes; ground, walls and furniture.

Colours are sRGB, 0 to 1. Everything is a function of points fixed to the body or thing, so that it moves with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from dyad.core.errors import BadInput
from dyad.synthetic.rendering import rows
from dyad.synthetic.rendering.draping import wear
from dyad.synthetic.rendering.patterns import FABRIC, PATTERNS, to_linear

Colour = tuple[float, float, float]

STYLES = ("bald", "short", "medium", "long", "cap", "scarf")


@dataclass(frozen=True)
class Fabric:
    """A cloth or a surface: two colours, a pattern of `patterns.PATTERNS`, its `scale` in m (period, or size of the
    blotches, tiles or print), a `seed`, an `amount` 0..1 (share of a stripe, strength of the grain) and its `gloss`."""

    colour: Colour = (0.6, 0.6, 0.6)
    other: Colour = (0.3, 0.3, 0.3)
    pattern: str = "plain"
    scale: float = 0.06
    seed: int = 0
    amount: float = 0.5
    gloss: float = 0.0

    def __post_init__(self) -> None:
        if self.pattern not in PATTERNS:
            raise BadInput(f"there is no pattern {self.pattern!r}; there are {', '.join(PATTERNS)}")
        if not self.scale > 0:
            raise BadInput(f"a pattern's scale is a length in metres above 0, got {self.scale}")

    def packed(self) -> list[float]:
        numbers = (PATTERNS.index(self.pattern), self.scale, self.seed % 4096, self.amount, self.gloss)
        values = [*to_linear(np.array(self.colour)), *to_linear(np.array(self.other)), *numbers]
        return [float(v) for v in values] + [0.0] * (FABRIC - len(values))


@dataclass(frozen=True, eq=False)
class Picture:
    """An image (H, W, 3) uint8 to lie on a surface or in the sky, with the coarser levels that distance asks for."""

    image: NDArray[np.uint8]

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8 or 0 in self.image.shape:
            raise BadInput(f"a picture is (H, W, 3) uint8, got {self.image.shape} {self.image.dtype}")

    @cached_property
    def levels(self) -> NDArray[np.uint8]:
        """All levels (N, 3) row by row, the finest first, each the mean of 2 by 2 texels of the last."""
        level, out = self.image.astype(np.float32), []
        while True:
            out.append(np.rint(level).astype(np.uint8).reshape(-1, 3))
            height, width = level.shape[:2]
            if height == width == 1:
                return np.concatenate(out)
            level = np.pad(level, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
            level = level.reshape(level.shape[0] // 2, 2, level.shape[1] // 2, 2, 3).mean((1, 3))


@dataclass(frozen=True, eq=False)
class Material:
    """What a thing is made of. Its pattern lies on the first two texture coordinates, in metres.

    A `picture` replaces the pattern: it covers `breadth` metres of the first coordinate, its top edge lies at 0 of the
    second, which grows upwards; mirrored beyond its edges.
    """

    fabric: Fabric = Fabric()
    picture: Picture | None = None
    breadth: float = 1.0

    def packed(self, first_texel: int) -> NDArray[np.float32]:
        row = np.zeros(rows.WIDTH, np.float32)
        row[rows.KIND] = rows.KIND_MATERIAL
        fabric = self.fabric if self.picture is None else replace(self.fabric, pattern="picture")
        row[rows.MATERIAL : rows.MATERIAL + FABRIC] = fabric.packed()
        if self.picture is not None:
            height, width = self.picture.image.shape[:2]
            row[rows.PICTURE_FIRST : rows.PICTURE_FIRST + 4] = first_texel, height, width, width / self.breadth
        return row


@dataclass(frozen=True)
class Look:
    """How a person looks. Lengths in m on the middle adult of 1.69 m (see `wardrobe`).

    `style` is one of `STYLES`; `beard` 0..1; `sleeve` from the shoulder down the arm (0 none, 0.12 short, 0.48 long);
    `hem` and `waist` heights of the shirt's and trousers' ends, `leg` of the trousers' lower end, `shaft` of the shoes'
    upper end; `neck_drop` depth of the neck opening, `collar` width of its band, `gap` half width of an open jacket
    through which `under` shows; `loose` 0..1 how much clothes stand off and fold.
    """

    skin: Colour = (0.91, 0.75, 0.64)
    hair: Colour = (0.27, 0.18, 0.12)
    iris: Colour = (0.25, 0.15, 0.08)
    style: str = "short"
    hairline: float = 0.0
    beard: float = 0.0
    shirt: Fabric = Fabric((0.30, 0.45, 0.66))
    trousers: Fabric = Fabric((0.20, 0.22, 0.28))
    shoes: Fabric = Fabric((0.10, 0.09, 0.09), gloss=0.25)
    hat: Fabric = Fabric((0.5, 0.2, 0.2))
    under: Colour = (0.9, 0.9, 0.88)
    trim: Colour = (0.9, 0.9, 0.88)
    belt: Colour = (0.12, 0.09, 0.07)
    socks: Colour = (0.85, 0.85, 0.85)
    sole: Colour = (0.8, 0.8, 0.78)
    sleeve: float = 0.15
    hem: float = 0.86
    waist: float = 0.97
    leg: float = 0.075
    shaft: float = 0.085
    neck_drop: float = 0.0
    collar: float = 0.015
    gap: float = 0.0
    buttons: bool = False
    loose: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.style not in STYLES:
            raise BadInput(f"there is no hair style {self.style!r}; there are {', '.join(STYLES)}")

    @cached_property
    def row(self) -> NDArray[np.float32]:
        """The numbers that the kernels read."""
        row = np.zeros(rows.WIDTH, np.float32)
        row[rows.KIND] = rows.KIND_LOOK
        fabrics = (
            (rows.SHIRT, self.shirt),
            (rows.TROUSERS, self.trousers),
            (rows.SHOES, self.shoes),
            (rows.HAT, self.hat),
        )
        for slot, fabric in fabrics:
            row[slot : slot + FABRIC] = fabric.packed()
        skin = np.array(self.skin)
        lips = skin * (0.87, 0.66, 0.68) + (0.03, 0.0, 0.01)
        colours = (
            *((rows.SKIN, skin), (rows.LIPS, lips), (rows.HAIR, self.hair), (rows.IRIS, self.iris)),
            *((rows.UNDER, self.under), (rows.TRIM, self.trim), (rows.BELT, self.belt)),
            *((rows.SOCKS, self.socks), (rows.SOLE, self.sole)),
        )
        for slot, colour in colours:
            row[slot : slot + 3] = to_linear(np.array(colour))
        numbers = (
            *((rows.SLEEVE, self.sleeve), (rows.HEM, self.hem), (rows.WAIST, self.waist), (rows.LEG, self.leg)),
            *((rows.SHAFT, self.shaft), (rows.NECK_DROP, self.neck_drop), (rows.COLLAR, self.collar)),
            *((rows.OPEN, self.gap), (rows.BUTTONS, float(self.buttons)), (rows.FOLDS, self.loose)),
            *((rows.HAIR_STYLE, STYLES.index(self.style)), (rows.HAIR_LINE, self.hairline), (rows.BEARD, self.beard)),
            *((rows.LOOK_SEED, self.seed % 4096), (rows.BLUSH, float(np.clip(1.5 * skin.mean(), 0.3, 1.0)))),
        )
        for slot, number in numbers:
            row[slot] = number
        return row

    def packed(self, first_texel: int) -> NDArray[np.float32]:
        return self.row

    def dressed(self, rest: NDArray, canonical: NDArray, faces: NDArray, part: NDArray) -> NDArray[np.float64]:
        """Vertices (V, 3) of a body at rest with hair, cloth and soles on: pose these instead of the bare ones."""
        rest = np.ascontiguousarray(rest, np.float64)
        out = rest.copy()
        wear(self.row, rest, np.asarray(canonical), np.asarray(faces), np.asarray(part), out)
        return out


@lru_cache(maxsize=8)
def _texels(pictures: tuple[Picture, ...]) -> NDArray[np.uint8]:
    if not pictures:
        return np.zeros((1, 3), np.uint8)
    return pictures[0].levels if len(pictures) == 1 else np.concatenate([p.levels for p in pictures])


def packed(looks: Sequence[Look | Material], more: Sequence[Picture] = ()) -> tuple[NDArray, NDArray, list[int]]:
    """Rows (N, ·) of looks and materials, the texels (M, 3) of all pictures, and where those of `more` begin."""
    pictures = list(dict.fromkeys([k.picture for k in looks if isinstance(k, Material) and k.picture] + list(more)))
    sizes = np.cumsum([0] + [len(p.levels) for p in pictures])
    first = {picture: int(size) for picture, size in zip(pictures, sizes, strict=False)}
    table = np.zeros((max(len(looks), 1), rows.WIDTH), np.float32)
    for i, look in enumerate(looks):
        picture = look.picture if isinstance(look, Material) else None
        table[i] = look.packed(first[picture] if picture else 0)
    return table, _texels(tuple(pictures)), [first[p] for p in more]
