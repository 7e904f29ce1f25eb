"""What a training consists of: every number that matters to its result, in frozen dataclasses."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, get_args

from dyad.core.errors import BadUsage
from dyad.synthetic.random_scenes import Recipe

Precision = Literal["float32", "bfloat16", "float16"]
HELD_OUT = 2**31
"""Seed of the worlds that no training sees; those that train have smaller ones."""


@dataclass(frozen=True)
class Optimisation:
    """How a network's weights are changed, with AdamW.

    Attributes:
        steps: in all. rate: the highest learning rate, reached after the share `warm_up` of the steps; from there and
        to there it is a straight line (one cycle).
        weight_decay, epsilon: of AdamW. clip: largest norm of the gradient.
        averaging: decay a step of the running mean of the weights, which is what is judged and kept; 0 for none.
        precision: of the network's arithmetic; below float32 only where the device gains by it, among CPUs those that
        multiply matrices of bfloat16 (AMX).
    """

    steps: int
    rate: float = 4e-4
    warm_up: float = 0.05
    weight_decay: float = 1e-5
    epsilon: float = 1e-8
    clip: float = 1.0
    averaging: float = 0.0
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        if self.steps < 1 or not self.rate > 0 or not self.clip > 0:
            raise BadUsage(f"a training has a step or more, a rate and a clip above 0, got {self}")
        if self.precision not in get_args(Precision):
            raise BadUsage(f"the precision is {', '.join(get_args(Precision))}, got {self.precision!r}")
        if not 0 <= self.warm_up < 1 or not 0 <= self.averaging < 1:
            raise BadUsage(f"warm_up and averaging lie from 0 up to 1, got {self.warm_up} and {self.averaging}")

    def rate_at(self, step: int) -> float:
        """The learning rate of step 0, 1, …"""
        rise = self.warm_up * self.steps
        if step < rise:
            return self.rate * (step + 1) / (rise + 1)
        return self.rate * (self.steps - step) / (self.steps - rise)


class TrainingRecipe:
    """What frozen dataclasses with a field `optimisation` that say all about a training have in common."""

    if TYPE_CHECKING:

        @property
        def optimisation(self) -> Optimisation: ...

    def with_(self, **changes: Any) -> Self:
        """A copy with some fields replaced; those of `Optimisation` may be given as well."""
        names = set(Optimisation.__dataclass_fields__)
        inner = {name: value for name, value in changes.items() if name in names}
        outer = {name: value for name, value in changes.items() if name not in names}
        return replace(self, optimisation=replace(self.optimisation, **inner), **outer)  # ty: ignore

    def to_json(self, *, places: bool = True) -> dict[str, Any]:
        """Everything that the result depends on, as JSON has it; of folders the names alone without `places`."""
        return as_json(asdict(self), places=places)  # ty: ignore

    def at_least(self, least: float, *names: str) -> None:
        """BadUsage for the first of these fields that is smaller."""
        for name in names:
            if not getattr(self, name) >= least:
                raise BadUsage(f"{name} is {least} or more, got {getattr(self, name)}")


R = TypeVar("R", bound=TrainingRecipe)


def recipe_of(presets: Mapping[str, R], preset: str, **changes: Any) -> R:
    """A preset with changes; those that are None leave it as it is. BadUsage for one that there is not."""
    if preset not in presets:
        raise BadUsage(f"the presets are {', '.join(presets)}, got {preset!r}")
    return presets[preset].with_(**{name: value for name, value in changes.items() if value is not None})


def as_json(value: Any, *, places: bool = True) -> Any:
    """Tuples as lists, paths as text (without `places` their last part), other things as they are."""
    if isinstance(value, dict):
        return {str(key): as_json(each, places=places) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(each, places=places) for each in value]
    if isinstance(value, Path):
        return str(value) if places else value.name
    return value


@dataclass(frozen=True)
class World:
    """A kind of scene and how often it comes, in proportion to the others; `fps` is drawn between the two."""

    name: str
    share: float
    scenes: Recipe
    fps: tuple[float, float] = (8.0, 40.0)


@dataclass(frozen=True)
class Augmentation:
    """How a rendered pair is changed each time it is used. Chances are 0..1.

    As RAFT does it (Teed and Deng, ECCV 2020), but for `jolt`, which moves the second image against the first: our
    cameras are calmer than those of the field's data sets.

    Attributes:
        scale: least and most log2 of the enlargement. stretch: most log2 of the change of its aspect, at `stretched`.
        flip, upset: chances of mirroring left to right and upside down.
        jolt: chance of a motion of the second image, of up to `shift` of the crop's width, `turn` rad, `zoom` log2.
        colour: strength of the change of brightness, contrast and saturation; hue: rad. unequal: chance that the
        two images change differently. erase: chance that up to three boxes of the second image are blotted out.
    """

    scale: tuple[float, float] = (-0.2, 0.6)
    stretch: float = 0.2
    stretched: float = 0.8
    flip: float = 0.5
    upset: float = 0.1
    jolt: float = 0.35
    shift: float = 0.08
    turn: float = 0.06
    zoom: float = 0.08
    colour: float = 0.4
    hue: float = 0.5
    unequal: float = 0.2
    erase: float = 0.5


def worlds(size: tuple[int, int], *, crowd: int = 10, backgrounds: Path | None = None) -> tuple[World, ...]:
    """People of all sizes, near ones, crowds of up to `crowd`, moving cameras; in images of `size` px."""
    plain = Recipe(size=size, seconds=1.0, backgrounds=backgrounds)
    return (
        World("people", 0.4, plain),
        World("near", 0.25, replace(plain, people=(1, 2), near=1.0, far=5.0, pairs=0.6)),
        World("crowds", 0.15, replace(plain, people=(5, crowd), crossings=0.9)),
        World("moving cameras", 0.2, replace(plain, cameras=("panning", "handheld", "walking"))),
    )


@dataclass(frozen=True)
class FlowRecipe(TrainingRecipe):
    """How a RAFT-small is trained on rendered pairs.

    Attributes:
        worlds: what is rendered. crop: width and height in px of what the network sees. batch: pairs a step.
        iterations: of the network while training; judged: at the end, for the score.
        gamma: weight of each iteration's error relative to the next one's. people: weight of a pixel on a person
        relative to others. farthest: px, longer motions are not learnt from.
        seed: of the weights and of all that is rendered and drawn, below `HELD_OUT`.
        pairs: neighbouring pairs taken from each scene. streams: independent sources of pairs, taken in turn; workers
        share them out. window: pairs that each stream holds; repeats: how often each is used in the mean.
        held_out: pairs to judge by.
    """

    optimisation: Optimisation
    worlds: tuple[World, ...] = field(default_factory=lambda: worlds((512, 384)))
    augmentation: Augmentation = field(default_factory=Augmentation)
    crop: tuple[int, int] = (496, 368)
    batch: int = 16
    iterations: int = 12
    judged: int = 12
    gamma: float = 0.8
    people: float = 2.0
    farthest: float = 400.0
    seed: int = 0
    pairs: int = 4
    streams: int = 14
    window: int = 32
    repeats: int = 4
    held_out: int = 96

    def __post_init__(self) -> None:
        if not 0 <= self.seed < HELD_OUT:
            raise BadUsage(f"a training's seed lies from 0 to {HELD_OUT - 1}; others are held out; got {self.seed}")
        if not self.worlds:
            raise BadUsage("worlds are one or more, got none")
        sizes = {
            "crop": self.crop,
            **{f"the size of the world {world.name!r}": world.scenes.size for world in self.worlds},
        }
        for name, size in sizes.items():
            if any(side % 8 for side in size):
                raise BadUsage(f"{name} has sides that are multiples of 8 px, got {size}")
        if min(self.crop) < 64:
            raise BadUsage(f"a crop has 64 px a side or more, for the network halves it six times, got {self.crop}")
        self.at_least(1, "batch", "pairs", "streams", "window", "repeats", "held_out", "iterations")


# Two cores that multiply bfloat16, two hours.
_LAPTOP = FlowRecipe(
    Optimisation(steps=10000, rate=5e-4, precision="bfloat16"),
    worlds=worlds((384, 288), crowd=6),
    crop=(256, 192),
    batch=4,
    iterations=6,
    streams=2,
    window=160,
    repeats=6,
    held_out=48,
)
FLOW: dict[str, FlowRecipe] = {
    # Shows on two cores in a quarter of an hour that all is well; not for use.
    "cpu": FlowRecipe(
        Optimisation(steps=2000, rate=6e-4),
        worlds=worlds((256, 192), crowd=6),
        crop=(128, 96),
        batch=4,
        iterations=4,
        streams=2,
        window=48,
        repeats=6,
        held_out=48,
    ),
    "laptop": _LAPTOP,
    # Goes on, by `start`, from what "laptop" ends with, two cores, an hour and a half: people weigh more, crops are
    # larger, and the network is trained with as many iterations as it is used with.
    "laptop-further": _LAPTOP.with_(
        steps=4000, rate=2.5e-4, crop=(320, 240), iterations=12, people=4.0, repeats=8, seed=2
    ),
    # One large GPU and sixteen cores, half an hour.
    "gpu": FlowRecipe(Optimisation(steps=12000, rate=6e-4, precision="float16")),
}
