"""The published networks of [TB] and their schedules: for those who have the data sets and the GPUs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from dyad.core.errors import BadUsage
from dyad.training.cuttings import Cutting
from dyad.training.lifting_noise import Noise
from dyad.training.recipes import HELD_OUT, Optimisation, TrainingRecipe

Kind = Literal["gcn", "tcn", "root"]
_FREE = 1e6
"""A norm of the gradient that none has: nothing is clipped."""


@dataclass(frozen=True)
class Stepped(Optimisation):
    """Adam with one rate that falls to a tenth after each of the shares `drops` of the steps."""

    warm_up: float = 0.0
    weight_decay: float = 0.0
    clip: float = _FREE
    drops: tuple[float, ...] = ()

    def rate_at(self, step: int) -> float:
        """The learning rate of step 0, 1, …"""
        return self.rate * 0.1 ** sum(step >= round(share * self.steps) for share in self.drops)


@dataclass(frozen=True)
class Boxed(Cutting):
    """A cutting about one person, as an enlarged box that a detector may have put a little aside."""

    aside: float = 0.1

    def place(self, rng: np.random.Generator) -> NDArray[np.float64]:
        return rng.uniform(0.5 - self.aside, 0.5 + self.aside, 2)


@dataclass(frozen=True)
class PublishedRecipe(TrainingRecipe):
    """What the trainings on data sets have in common.

    Attributes:
        optimisation: its `steps` are what `epochs` come to with the data at hand, unless these are 0.
        epochs: how often everything is used. batch: images, frames or windows a step (and process).
        held_out: one in so many is kept to judge by.
    """

    optimisation: Stepped
    epochs: int = 0
    batch: int = 32
    held_out: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.seed < HELD_OUT:
            raise BadUsage(f"a training's seed lies from 0 to {HELD_OUT - 1}, got {self.seed}")
        self.at_least(0, "epochs")
        self.at_least(1, "batch")
        self.at_least(2, "held_out")

    def with_(self, **changes: Any) -> Self:
        """As `TrainingRecipe.with_`; where steps are given, epochs do not count."""
        return super().with_(**({"epochs": 0} if changes.get("steps") is not None else {}), **changes)

    def for_data(self, count: int, processes: int = 1) -> Optimisation:
        """The optimisation for so many samples."""
        if not self.epochs:
            return self.optimisation
        return replace(self.optimisation, steps=math.ceil(self.epochs * count / (self.batch * processes)))


@dataclass(frozen=True)
class BranchRecipe(PublishedRecipe):
    """How a branch on HRNet is trained on COCO beside MuCo-3DHP.

    Attributes:
        network: of the zoo; arguments: of it. joints: of its maps, names of body17.
        coco: how often each image of COCO counts. sigma: px of the maps' Gaussians.
        heat, tag, depth: weights of the losses.
    """

    network: str = "higherhrnet-w32"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    cutting: Cutting = field(default_factory=Boxed)
    coco: int = 2
    sigma: float = 2.0
    heat: float = 1.0
    tag: float = 1e-3
    depth: float = 1e-2


@dataclass(frozen=True)
class SequenceRecipe(PublishedRecipe):
    """How a network of the top-down branch behind the 2D joints is trained.

    Attributes:
        network: "gcn" on single frames, "tcn" on the GCN's poses, "root" for depth over focal length.
        arguments: of the network. frames: of a window. noise: what the 2D estimator gets wrong, occlusion included.
    """

    network: Kind = "gcn"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    frames: int = 1
    noise: Noise = field(default_factory=lambda: Noise(lacking=0.0, mistaken=0.0, burden=0.2))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.frames % 2 == 0 or (self.network == "gcn" and self.frames != 1):
            raise BadUsage(f"a window has a middle, and that of a GCN is one frame; got {self.frames} frames")


_FIFTY = Stepped(1, rate=1e-3, drops=(0.6, 0.8))
"""50 epochs, a tenth at 30 and 40."""
_HUNDRED = Stepped(1, rate=1e-3, drops=(0.4, 0.8))
"""100 epochs, a tenth every 40."""
_BOX = Boxed(size=(256, 256), most=8, reach=(60.0, 130.0), aimed=1.0, quarters=0.0, prior=0.0)
_WHOLE = Cutting(size=(512, 512), most=24, reach=(20.0, 220.0), aimed=0.5, quarters=0.0, prior=0.8)
_SMALL = {"kernels": [3, 3], "channels": 16}

BRANCHES: dict[str, dict[str, BranchRecipe]] = {
    "topdown": {
        "paper": BranchRecipe(_FIFTY, 50, batch=32, arguments={"joints": 17}, cutting=_BOX),
        # Shows that all is well.
        "tiny": BranchRecipe(
            Stepped(2, rate=1e-3, drops=(0.5,)),
            batch=2,
            held_out=2,
            arguments={"joints": 17, "width": 4, "modules": [1, 1, 1], "units": 1},
            cutting=replace(_BOX, size=(64, 64), reach=(16.0, 32.0), most=3),
        ),
    },
    "bottomup": {
        "paper": BranchRecipe(_FIFTY, 50, batch=8, network="bottom-up", cutting=_WHOLE, sigma=2.0),
        "tiny": BranchRecipe(
            Stepped(2, rate=1e-3, drops=(0.5,)),
            batch=2,
            held_out=2,
            network="bottom-up",
            arguments={"width": 2, "channels": 4},
            cutting=replace(_WHOLE, size=(64, 64), reach=(16.0, 32.0), most=3),
        ),
    },
}

SEQUENCES: dict[str, dict[str, SequenceRecipe]] = {
    "gcn": {
        "paper": SequenceRecipe(_HUNDRED, 100, batch=1024, held_out=20),
        "tiny": SequenceRecipe(Stepped(4, rate=1e-3, drops=(0.5,)), batch=8, held_out=2, arguments={"width": 8}),
    },
    "tcn": {
        "paper": SequenceRecipe(
            _HUNDRED, 100, batch=128, held_out=20, network="tcn", frames=243, arguments={"dropout": 0.25}
        ),
        "tiny": SequenceRecipe(Stepped(4, rate=1e-3), batch=4, held_out=2, network="tcn", frames=9, arguments=_SMALL),
    },
    "root": {
        "paper": SequenceRecipe(
            _HUNDRED,
            100,
            batch=128,
            held_out=20,
            network="root",
            frames=243,
            arguments={"dimensions": 5, "dropout": 0.25},
        ),
        "tiny": SequenceRecipe(
            Stepped(4, rate=1e-3),
            batch=4,
            held_out=2,
            network="root",
            frames=9,
            arguments={"dimensions": 5, **_SMALL},
        ),
    },
}
