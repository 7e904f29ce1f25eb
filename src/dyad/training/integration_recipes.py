"""How networks that integrate estimates are trained: as the paper does, and ours."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from dyad.core.errors import BadUsage
from dyad.training.branch_batches import BranchData
from dyad.training.recipes import HELD_OUT, Optimisation, TrainingRecipe


@dataclass(frozen=True)
class Stepped(Optimisation):
    """A rate that falls to a tenth each time a share of the steps is done.

    falls: how often; the steps between are of one length.
    """

    falls: int = 2

    def rate_at(self, step: int) -> float:
        return self.rate * 0.1 ** min(step * (self.falls + 1) // self.steps, self.falls)


@dataclass(frozen=True)
class Stock:
    """The motions that gatherings are drawn from: `pairs` companies of two and `singles` of one, the latter in part
    from the folder `motions` of motion capture."""

    pairs: int = 260
    singles: int = 700
    motions: Path | None = None


@dataclass(frozen=True)
class IntegrationRecipe(TrainingRecipe):
    """How a network learns to integrate.

    Attributes:
        network: name in the zoo, arguments: its configuration.
        data: what is drawn. stock, held_stock: motions to train with and to judge by.
        root, depth, smooth, spread: weights beside the pose's of the root's place across the view, of the logarithm of
        its distance, of how errors change from frame to frame, and of the stated standard deviation.
        plausible: weight of what discriminators say, as equation 8; 0 leaves them out.
        held_out: gatherings to judge by. seed: below `HELD_OUT`.
    """

    optimisation: Optimisation
    network: str = "fusion"
    arguments: dict[str, Any] = field(default_factory=dict)
    data: BranchData = field(default_factory=BranchData)
    stock: Stock = field(default_factory=Stock)
    held_stock: Stock = field(default_factory=lambda: Stock(40, 80))
    root: float = 0.5
    depth: float = 1.0
    smooth: float = 0.5
    spread: float = 0.01
    plausible: float = 0.0
    held_out: int = 60
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.seed < HELD_OUT:
            raise BadUsage(f"a training's seed lies from 0 to {HELD_OUT - 1}; others are held out; got {self.seed}")
        if self.network not in ("fusion", "integration"):
            raise BadUsage(f"networks that integrate are fusion and integration, got {self.network!r}")

    def with_(self, **changes: Any) -> Self:
        """A copy with some fields replaced; those of `Optimisation` and `motions` may be given as well."""
        motions = changes.pop("motions", None)
        if motions is not None:
            for name in ("stock", "held_stock"):
                changes[name] = replace(changes.get(name, getattr(self, name)), motions=motions)
        return super().with_(**changes)


INTEGRATION: dict[str, IntegrationRecipe] = {
    # Two cores that multiply bfloat16, a quarter of an hour of their time.
    "laptop": IntegrationRecipe(
        Optimisation(steps=9000, rate=1e-3, averaging=0.999, precision="bfloat16"), data=BranchData()
    ),
    # Equation 7 and the supplement: single frames of two estimates, five layers of 512, 150 epochs of 100 steps.
    "paper": IntegrationRecipe(
        Stepped(steps=15000, rate=1e-3, weight_decay=0.0),
        network="integration",
        arguments={"layers": 5, "width": 512},
        data=BranchData(estimates=2),
    ),
    # Seconds, to see that all is well.
    "tiny": IntegrationRecipe(
        Optimisation(steps=20, rate=1e-3),
        arguments={"width": 16, "dilations": (1,)},
        data=BranchData(scenes=2, frames=8, window=4),
        stock=Stock(2, 3),
        held_stock=Stock(2, 3),
        held_out=2,
    ),
}
