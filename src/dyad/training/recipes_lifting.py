"""What a training of a lifting network consists of."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dyad.core.errors import BadUsage
from dyad.training.lifting_data import Changes, Views
from dyad.training.lifting_noise import Noise
from dyad.training.recipes import HELD_OUT, Optimisation, TrainingRecipe


@dataclass(frozen=True)
class LiftingLoss:
    """Weights of what a lifting network gets wrong; lengths are in statures.

    Attributes:
        pose: mean distance of joints about the pelvis; single: of those that the graph layers find alone. far: weight
            of wrists, elbows, ankles and knees relative to the others. pace: mean distance of their motion between
            frames. plane: distance on the image plane, at the person's own distance. depth: of the logarithm of the
            root's depth. up: of the direction against gravity. stature: of its logarithm. spread: negative
            log-likelihood of all errors under the spreads told.
    """

    pose: float = 1.0
    single: float = 0.3
    far: float = 1.5
    pace: float = 1.0
    plane: float = 0.5
    depth: float = 2.0
    up: float = 0.05
    stature: float = 0.1
    spread: float = 0.01


@dataclass(frozen=True)
class LiftingRecipe(TrainingRecipe):
    """How a `LiftingNetwork` is trained.

    Attributes:
        motions: folder of motion capture, or None for motion without data only. made: takes without data; bodies: how
            many there are; children: share of them.
        graph, width, dilations, dropout: of the network. frames: of a sequence. batch: sequences a step; cameras: from
            which each motion is seen. told: chance that the network is told where up is.
        held_out: sequences to judge by. seed: of everything, below `HELD_OUT`.
    """

    optimisation: Optimisation
    motions: Path | None = None
    made: int = 140
    bodies: int = 256
    children: float = 0.1
    graph: int = 32
    width: int = 448
    dilations: tuple[int, ...] = (1, 3, 9, 27)
    dropout: float = 0.0
    frames: int = 96
    batch: int = 32
    cameras: int = 2
    told: float = 0.5
    changes: Changes = field(default_factory=Changes)
    views: Views = field(default_factory=Views)
    noise: Noise = field(default_factory=Noise)
    loss: LiftingLoss = field(default_factory=LiftingLoss)
    held_out: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.seed < HELD_OUT:
            raise BadUsage(f"a training's seed lies from 0 to {HELD_OUT - 1}; others are held out; got {self.seed}")
        self.at_least(1, "made", "bodies", "graph", "width", "batch", "cameras", "held_out")
        self.at_least(2, "frames")
        if not self.dilations:
            raise BadUsage("dilations are one or more, got none")
        if self.batch % self.cameras or self.held_out % self.cameras:
            got = f"{self.batch} and {self.held_out}"
            raise BadUsage(f"batch and held_out are multiples of cameras ({self.cameras}), got {got}")

    @property
    def network(self) -> dict[str, Any]:
        """Arguments of the network."""
        return {"graph": self.graph, "width": self.width, "dilations": list(self.dilations)}


LIFTING: dict[str, LiftingRecipe] = {
    # Shows in a few minutes on a laptop that all is well; not for use.
    "cpu": LiftingRecipe(
        Optimisation(steps=600, rate=1e-3, averaging=0.99), width=128, made=24, bodies=32, batch=16, held_out=32
    ),
    # One core that multiplies bfloat16, three quarters of an hour where it has nothing else to do.
    "laptop": LiftingRecipe(
        Optimisation(steps=16000, rate=1.2e-3, warm_up=0.01, averaging=0.997, precision="bfloat16"),
        made=140,
        graph=16,
        width=448,
        batch=24,
    ),
    # One large GPU, about half an hour.
    "gpu": LiftingRecipe(
        Optimisation(steps=30000, rate=1e-3, warm_up=0.02, averaging=0.9995, precision="bfloat16"),
        made=600,
        bodies=1024,
        width=512,
        batch=128,
        dropout=0.05,
        held_out=256,
    ),
}
