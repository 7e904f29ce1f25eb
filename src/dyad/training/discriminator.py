"""Training the two-person discriminators of [TB] (equations 8 and 9); `python -m dyad.training.discriminator`.

True pairs are people near one another in gatherings, some of whom act together, turned and moved at random as
gatherings are. False ones are what simulated estimators make of the same two, and, for D2 alone, one of two moved or
turned until the bodies are in one another's way: each by itself is then a pose like any other.
"""

import copy
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from dyad.core.errors import BadUsage
from dyad.models.checkpoints import Checkpoint
from dyad.models.discriminators import InteractionDiscriminator
from dyad.models.zoo import make
from dyad.training.branch_batches import BranchData, branch_batches
from dyad.training.hardware import device_named
from dyad.training.integration import stock_of
from dyad.training.integration_recipes import Stock
from dyad.training.loop import LOG, Batch, Loop, Outcome
from dyad.training.pair_loss import PairLoss, in_the_way
from dyad.training.peers import Peers
from dyad.training.program import card, command_of, halved, keep, run
from dyad.training.recipes import HELD_OUT, Optimisation, TrainingRecipe, as_json, recipe_of

logger = logging.getLogger(__name__)

NETWORK = "discriminator"
WEIGHTS = "discriminator.safetensors"


@dataclass(frozen=True)
class DiscriminatorRecipe(TrainingRecipe):
    """How the discriminators are trained.

    Attributes:
        arguments: their configuration. data: what is drawn. near: m between roots up to which two are a pair.
        every: frames of which one is looked at. held_out: batches to judge by. seed: below `HELD_OUT`.
    """

    optimisation: Optimisation
    arguments: dict[str, Any] = field(default_factory=dict)
    data: BranchData = field(default_factory=BranchData)
    stock: Stock = field(default_factory=Stock)
    held_stock: Stock = field(default_factory=lambda: Stock(40, 80))
    near: float = 2.0
    every: int = 6
    held_out: int = 12
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.seed < HELD_OUT:
            raise BadUsage(f"a training's seed lies from 0 to {HELD_OUT - 1}; others are held out; got {self.seed}")

    def with_(self, **changes: Any) -> Self:
        """A copy with some fields replaced; those of `Optimisation` and `motions` may be given as well."""
        motions = changes.pop("motions", None)
        if motions is not None:
            for name in ("stock", "held_stock"):
                changes[name] = replace(changes.get(name, getattr(self, name)), motions=motions)
        return super().with_(**changes)


DISCRIMINATOR: dict[str, DiscriminatorRecipe] = {
    "laptop": DiscriminatorRecipe(
        Optimisation(steps=2000, rate=1e-3, averaging=0.995, weight_decay=1e-3),
        arguments={"width": 128},
        data=BranchData(people=(2, 3), unpaired=0.0, masked=0.0),
    ),
    "tiny": DiscriminatorRecipe(
        Optimisation(steps=20, rate=1e-3),
        arguments={"width": 8, "layers": 2},
        data=BranchData(scenes=2, frames=8, window=4, unpaired=0.0, masked=0.0),
        stock=Stock(2, 3),
        held_stock=Stock(2, 3),
        held_out=2,
    ),
}


class PairJudge:
    """Areas under the curve on held-out gatherings: C of true against estimated pairs, D2 of true against displaced."""

    def __init__(self, batches: Sequence[Batch], recipe: DiscriminatorRecipe, device: torch.device) -> None:
        self.batches, self.recipe, self.device = batches, recipe, device

    def __call__(self, network: nn.Module) -> dict[str, Any]:
        network = copy.deepcopy(network).eval()
        network.load_state_dict(halved(network))
        loss, parts = PairLoss(near=self.recipe.near, every=self.recipe.every), []
        if not isinstance(network, InteractionDiscriminator):
            raise BadUsage("only the discriminators of equation 9 are judged")
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            for batch in self.batches:
                true, estimated, moved = loss.pairs({name: value.to(self.device) for name, value in batch.items()})
                parts.append(
                    [network(*true), network(*estimated), network.pair(*true), network.pair(*in_the_way(moved))]
                )
        whole, wrong, near, apart = (torch.cat(each) for each in zip(*parts, strict=True))
        return {
            "auc_estimated": round(_area(whole, wrong), 4),
            "auc_displaced": round(_area(near, apart), 4),
            "c_true": round(float(whole.mean()), 4),
            "c_estimated": round(float(wrong.mean()), 4),
            "pairs": len(whole),
        }


def _area(right: Tensor, wrong: Tensor) -> float:
    """Chance that one of the right scores above one of the wrong."""
    # MPS knows no 64 bits.
    both = torch.cat((wrong, right)).cpu().double()
    rank = both.argsort().argsort().double() + 1
    n, m = len(right), len(wrong)
    return float((rank[m:].sum() - n * (n + 1) / 2) / max(n * m, 1))


def train_discriminator(
    output: Path,
    recipe: DiscriminatorRecipe,
    *,
    device: str = "auto",
    minutes: float | None = None,
    command: str = "",
    log_every: int = 100,
    save_every: int = 500,
    validate_every: int = 1000,
) -> Outcome:
    """Train, or go on where a call with the same recipe and folder stopped; as `train_integration`.

    `output` gets `discriminator.safetensors` (half precision, a `Checkpoint`), `log.jsonl` and `state.safetensors`.
    """
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    output.mkdir(parents=True, exist_ok=True)
    with Peers.here().first_alone():
        troupe = stock_of(output / "stock.npz", recipe.stock, recipe.seed)
        held = stock_of(output / "held.npz", recipe.held_stock, HELD_OUT)
    where = device_named(device)
    source = branch_batches(held, recipe.data, HELD_OUT, 0)
    judge = PairJudge([next(source) for _ in range(recipe.held_out)], recipe, where)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = make(NETWORK, **recipe.arguments)
    outcome = Loop(
        network,
        loss=PairLoss(near=recipe.near, every=recipe.every),
        batches=partial(branch_batches, troupe, recipe.data, recipe.seed),
        optimisation=recipe.optimisation,
        folder=output,
        identity={"network": NETWORK, "recipe": recipe.to_json()},
        device=where,
        seed=recipe.seed,
        validate=judge,
        log_every=log_every,
        save_every=save_every,
        validate_every=validate_every,
    )(deadline=deadline)
    about = card(
        recipe,
        outcome,
        where,
        command=command,
        log=output / LOG,
        data="pairs in gatherings of dyad.synthetic, with simulated errors; seeds below 2^31, judged on 2^31",
        skeleton="body17",
    )
    keep(Checkpoint(NETWORK, halved(outcome.network), as_json(recipe.arguments), about), output / WEIGHTS)
    return outcome


def train_preset(output: Path, preset: str, changes: Mapping[str, Any], **policy: Any) -> Outcome:
    """`train_discriminator` with a preset and changes, whose command the card gets."""
    command = command_of("discriminator", preset, **changes)
    return train_discriminator(output, recipe_of(DISCRIMINATOR, preset, **changes), command=command, **policy)


def main(words: Sequence[str] | None = None) -> int:
    """The same as `dyad train discriminator`; the exit status."""
    kinds = {"steps": int, "rate": float, "seed": int, "motions": Path}
    return run(words, stage="discriminator", presets=DISCRIMINATOR, default="laptop", kinds=kinds, train=train_preset)


if __name__ == "__main__":
    sys.exit(main())
