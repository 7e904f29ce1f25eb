"""Training a network to integrate estimates; `python -m dyad.training.integration` where only torch and numba are.

Equation 7 of [TB] is the error of the pose; masking, shifting and unpaired estimates are in `branch_batches`.
"""

import copy
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dyad.core.errors import MissingWeights
from dyad.core.files import whole_file
from dyad.core.skeleton import BODY17
from dyad.models.checkpoints import Checkpoint, find_weights
from dyad.models.weights import WeightsError
from dyad.models.zoo import make
from dyad.stages.neighbours import mean_estimate
from dyad.synthetic.gatherings import Troupe
from dyad.training.branch_batches import BranchData, as_pairs, branch_batches, simulate
from dyad.training.hardware import device_named
from dyad.training.integration_recipes import INTEGRATION, IntegrationRecipe, Stock
from dyad.training.loop import LOG, Batch, Loop, Outcome
from dyad.training.pair_loss import Implausible
from dyad.training.peers import Peers
from dyad.training.program import card, command_of, halved, keep, run
from dyad.training.recipes import HELD_OUT, as_json, recipe_of

logger = logging.getLogger(__name__)

_INPUTS = ("poses", "confidence", "rays", "ray_confidence", "other", "other_confidence", "step", "roles")
_ROOT = BODY17.index(BODY17.root)


def fuse(network: nn.Module, batch: Batch) -> tuple[Tensor, Tensor | None]:
    """Poses (N, T, J, 3) m in the camera frame and their standard deviations, by a network of either kind."""
    if hasattr(network, "blocks"):
        return network(*(batch[name] for name in _INPUTS))
    two = as_pairs(batch)
    poses = two["poses"]
    return network(poses[:, :, 0], poses[:, :, 1], two["confidence"].transpose(-1, -2)), None


class PoseLoss:
    """What poses cost: the mean distance in m of joints about the root, and the parts that `IntegrationRecipe` weighs.

    discriminate: poses of pairs to the cost of their being told from true ones, or None.
    """

    def __init__(self, recipe: IntegrationRecipe, discriminate: "nn.Module | None" = None) -> None:
        self.recipe = recipe
        self.discriminate = discriminate

    def __call__(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        found, sigma = fuse(network, batch)
        found, truth = found.float(), batch["truth"]
        there = torch.isfinite(found[..., _ROOT, 0])
        found = torch.where(there[..., None, None], found, truth)
        count = there.float().sum().clamp(min=1)
        off = (found - found[:, :, _ROOT, None]) - (truth - truth[:, :, _ROOT, None])
        pose = _length(off).mean(-1)[there].sum() / count
        root, true_root = found[:, :, _ROOT], truth[:, :, _ROOT]
        far, true_far = (torch.linalg.vector_norm(v, dim=-1) for v in (root, true_root))
        depth = (far / true_far).clamp(min=1e-2).log().abs()[there].sum() / count
        aside = _length(root / far[..., None] - true_root / true_far[..., None])
        aside = (aside * true_far)[there].sum() / count
        both = there[:, 1:] & there[:, :-1]
        change = _length(off[:, 1:] - off[:, :-1]).mean(-1)[both].sum() / both.sum().clamp(min=1)
        weigh = self.recipe
        loss = pose + weigh.root * aside + weigh.depth * depth + weigh.smooth * change
        told = {"pose": pose, "aside": aside, "depth": depth, "change": change}
        if sigma is not None and weigh.spread:
            error = (found - truth).detach().square()[there]
            claimed = sigma.float()[there].clamp(min=1e-3)
            spread = (claimed.log() + (error / (2 * claimed.square())).clamp(max=50)).mean()
            loss, told["spread"] = loss + weigh.spread * spread, spread
        if self.discriminate is not None and weigh.plausible:
            odd = self.discriminate(found, batch)
            loss, told["odd"] = loss + weigh.plausible * odd, odd
        return {"loss": loss, **told}


def _length(values: Tensor) -> Tensor:
    """Lengths (…) of vectors (…, 3), with a gradient at 0."""
    return (values.square().sum(-1) + 1e-8).sqrt()


def train_integration(
    output: Path,
    recipe: IntegrationRecipe,
    *,
    device: str = "auto",
    minutes: float | None = None,
    command: str = "",
    start: Path | None = None,
    discriminator: nn.Module | None = None,
    log_every: int = 100,
    save_every: int = 500,
    validate_every: int = 1500,
) -> Outcome:
    """Train, or go on where a call with the same recipe and folder stopped; write the weights and what they are worth.

    `output` gets NETWORK.safetensors (half precision, a `Checkpoint`), `log.jsonl`, `state.safetensors`, and the stocks
    of motion as npz.

    Args:
        minutes: stop, and keep the state, when so many have passed. command: what makes the same again, for the card.
        start: weights to begin with. discriminator: as `PoseLoss` takes it.

    Raises BadUsage for another training's folder, `loop.Diverged`.
    """
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    output.mkdir(parents=True, exist_ok=True)
    with Peers.here().first_alone():
        troupe = stock_of(output / "stock.npz", recipe.stock, recipe.seed)
        held = stock_of(output / "held.npz", recipe.held_stock, HELD_OUT)
    where = device_named(device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = make(recipe.network, **recipe.arguments)
    if start is not None:
        network.load_state_dict({name: value.float() for name, value in Checkpoint.load(start).tensors.items()})
    loop = Loop(
        network,
        # No part of the network, so that the loop does not bring it along.
        loss=PoseLoss(recipe, None if discriminator is None else discriminator.to(where)),
        batches=partial(branch_batches, troupe, recipe.data, recipe.seed),
        optimisation=recipe.optimisation,
        folder=output,
        identity={"network": recipe.network, "recipe": recipe.to_json(), "start": "" if start is None else start.name},
        device=where,
        seed=recipe.seed,
        validate=IntegrationJudge(held, recipe, where),
        log_every=log_every,
        save_every=save_every,
        validate_every=validate_every,
    )
    outcome = loop(deadline=deadline)
    about = card(
        recipe,
        outcome,
        where,
        command=command,
        log=output / LOG,
        data="gatherings of dyad.synthetic with simulated errors, from seeds below 2^31; judged on those of 2^31",
        skeleton="body17",
    )
    tensors = halved(outcome.network)
    keep(
        Checkpoint(recipe.network, tensors, as_json(recipe.arguments), about), output / f"{recipe.network}.safetensors"
    )
    return outcome


def stock_of(path: Path, stock: Stock, seed: int) -> Troupe:
    """The stock in a file, which is made where there is none."""
    if not path.is_file():
        logger.info("making %d motions", stock.pairs + stock.singles)
        troupe = Troupe.rehearse(
            np.random.default_rng(seed), pairs=stock.pairs, singles=stock.singles, motions=stock.motions
        )
        with whole_file(path) as partial_file, partial_file.open("wb") as file:
            troupe.save(file)
    return Troupe.load(path)


class IntegrationJudge:
    """Scores on held-out gatherings: joints within 15 cm about the root ("pck"), mean error mm, and roots within 25 cm,
    of the network, of the better of both estimates, and of their confidence-weighted mean."""

    def __init__(self, troupe: Troupe, recipe: IntegrationRecipe, device: torch.device) -> None:
        self.troupe, self.recipe, self.device = troupe, recipe, device
        self._batches: list[dict[str, Tensor]] = []

    def __call__(self, network: nn.Module) -> dict[str, Any]:
        network = copy.deepcopy(network).eval()
        network.load_state_dict(halved(network))
        with torch.no_grad():
            found = [(batch, fuse(network, batch)[0].float()) for batch in self.batches]
        scores = {name: round(value, 3) for name, value in _scores(found).items()}
        for name, pick in (("first", 0), ("second", 1)):
            given = [(batch, batch["poses"][:, :, pick]) for batch in self.batches]
            scores |= {f"{key}_{name}": round(value, 3) for key, value in _scores(given).items()}
        mean = [(batch, mean_estimate(batch["poses"], batch["confidence"])[0]) for batch in self.batches]
        return scores | {f"{key}_mean": round(value, 3) for key, value in _scores(mean).items()}

    @property
    def batches(self) -> list[dict[str, Tensor]]:
        if not self._batches:
            rng = np.random.default_rng(HELD_OUT)
            data = self.recipe.data
            whole = BranchData(estimates=2, unpaired=0.0, masked=0.0)
            for k in range(0, self.recipe.held_out, data.scenes):
                scenes = [
                    self.troupe.gather(rng, people=data.people, frames=data.frames)
                    for _ in range(min(data.scenes, self.recipe.held_out - k))
                ]
                batch = simulate(scenes, whole, torch.Generator().manual_seed(HELD_OUT + k))
                # Judged as two branches: whoever is none of them is left out.
                self._batches.append({name: value.to(self.device) for name, value in batch.items()})
        return self._batches


def _scores(found: Sequence[tuple[Mapping[str, Tensor], Tensor]]) -> dict[str, float]:
    """Whoever is missing fails."""
    near, off, roots = [], [], []
    for batch, xyz in found:
        truth = batch["truth"]
        error = torch.linalg.vector_norm((xyz - xyz[:, :, _ROOT, None]) - (truth - truth[:, :, _ROOT, None]), dim=-1)[
            :, :, 1:
        ].flatten()
        near.append(error < 0.15)
        off.append(error[torch.isfinite(error)])
        roots.append((torch.linalg.vector_norm(xyz - truth, dim=-1)[:, :, _ROOT] < 0.25).flatten())
    return {
        "pck": 100 * float(torch.cat(near).float().mean()),
        "mpjpe_mm": 1000 * float(torch.cat(off).mean()),
        "roots_25cm": 100 * float(torch.cat(roots).float().mean()),
    }


def implausible(discriminator: str | None) -> nn.Module | None:
    """What `train_integration` takes as discriminator, of weights by name or file."""
    if discriminator is None:
        return None
    try:
        return Implausible(Checkpoint.load(find_weights(discriminator)).build().float())
    except WeightsError as error:
        raise MissingWeights(str(error)) from error


def train_preset(output: Path, preset: str, changes: Mapping[str, Any], **policy: Any) -> Outcome:
    """`train_integration` with a preset and changes, whose command the card gets.

    Among the changes are `start` and `discriminator`, weights by file and by name or file.
    """
    command = command_of("integration", preset, **changes)
    others = {name: value for name, value in changes.items() if name not in ("start", "discriminator")}
    return train_integration(
        output,
        recipe_of(INTEGRATION, preset, **others),
        start=changes.get("start"),
        discriminator=implausible(changes.get("discriminator")),
        command=command,
        **policy,
    )


def main(words: Sequence[str] | None = None) -> int:
    """The same as `dyad train integration`; the exit status."""
    kinds = {"steps": int, "rate": float, "seed": int, "precision": str, "plausible": float, "motions": Path}
    kinds |= {"start": Path, "discriminator": str}
    return run(words, stage="integration", presets=INTEGRATION, default="laptop", kinds=kinds, train=train_preset)


if __name__ == "__main__":
    sys.exit(main())
