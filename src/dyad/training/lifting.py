"""Training a lifting network on motion; `python -m dyad.training.lifting` where only torch and numba are at hand."""

import copy
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dyad.core.skeleton import BODY17
from dyad.models.checkpoints import Checkpoint
from dyad.models.lifting import Lifted, LiftingNetwork
from dyad.training.hardware import device_named
from dyad.training.lifting_data import Actors, Lessons
from dyad.training.lifting_motion import bodies, clips
from dyad.training.loop import LOG, Batch, Loop, Outcome
from dyad.training.program import card, command_of, halved, keep, run
from dyad.training.recipes import HELD_OUT, recipe_of
from dyad.training.recipes_lifting import LIFTING, LiftingLoss, LiftingRecipe

logger = logging.getLogger(__name__)

NETWORK = "lifting"
WEIGHTS = "lifting.safetensors"
_PELVIS = BODY17.index("pelvis")
_FAR = ("wrist", "elbow", "ankle", "knee")


def located(found: Lifted, scale: Tensor) -> Tensor:
    """Where the pelvis (N, T, 3) is in statures in the virtual camera, of a network's answer to sights of `scale`."""
    depth = (found.root[..., 2] - scale.log()).exp()
    return torch.cat((found.root[..., :2] * scale[..., None], torch.ones_like(depth)[..., None]), -1) * depth[..., None]


class LiftingErrors:
    """What a batch costs; see `LiftingLoss`."""

    def __init__(self, weights: LiftingLoss) -> None:
        self.weights = weights
        far = [weights.far if name.endswith(_FAR) else 1.0 for name in BODY17.names]
        self.share = torch.tensor(far) / sum(far)

    def __call__(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        found: Lifted = network(batch["joints"], batch["frames"])
        truth, there = batch["pose"], batch["there"].float()
        there = there / there.sum()
        share = self.share.to(truth.device)
        root = truth[:, :, _PELVIS]
        pose = truth - root[:, :, None]
        off = found.pose - pose
        joint = _length(off)
        single = _length(found.single - pose)
        moved = _length(off[:, 1:] - off[:, :-1])
        depth = found.root[..., 2] - (root[..., 2] * batch["scale"]).log()
        place = located(found, batch["scale"])
        # Where the joints lie in the image, at the person's true distance.
        full = found.pose + place[:, :, None]
        plane = (full[..., :2] / full[..., 2:].clamp(min=0.1) - truth[..., :2] / truth[..., 2:]) * root[:, :, None, 2:]
        aside = found.root[..., :2] * batch["scale"][..., None] - root[..., :2] / root[..., 2:]
        stature = found.stature[..., 0] - (batch["stature"] / 1.7).log()[:, None]
        spread = torch.stack((off[..., :2].abs().mean(-1), off[..., 2].abs()), -1).detach()
        told = _unlikely(spread, found.pose_spread).mean((-1, -2)) + _unlikely(depth, found.root_spread)
        told = told + _unlikely(stature, found.stature[..., 1])
        parts = {
            "pose": (there * (joint * share).sum(-1)).sum(),
            "single": (there * (single * share).sum(-1)).sum(),
            "pace": (there[:, 1:] * (moved * share).sum(-1)).sum(),
            "plane": (there * (_length(plane) * share).sum(-1)).sum() + (there * _length(aside) * root[..., 2]).sum(),
            "depth": (there * depth.abs()).sum(),
            "up": (there * (1 - (found.up * batch["up"]).sum(-1))).sum(),
            "stature": (there * stature.abs()).sum(),
            "spread": (there * told).sum(),
        }
        loss = sum((getattr(self.weights, name) * value for name, value in parts.items()), truth.new_zeros(()))
        return {"loss": loss, **{name: value.detach() for name, value in parts.items()}}


def _length(vectors: Tensor) -> Tensor:
    return (vectors.square().sum(-1) + 1e-8).sqrt()


def _unlikely(error: Tensor, spread: Tensor) -> Tensor:
    """Negative log-likelihood of errors under Laplace distributions of the log mean error `spread`."""
    return error.detach().abs() * torch.exp(-spread) + spread


def train_lifting(
    output: Path,
    recipe: LiftingRecipe,
    *,
    device: str = "auto",
    minutes: float | None = None,
    command: str = "",
    log_every: int = 50,
    save_every: int = 250,
    validate_every: int = 500,
) -> Outcome:
    """Train, or go on where a call with the same recipe and folder stopped; write the weights and what they are worth.

    `output` gets `lifting.safetensors` (half precision, a `Checkpoint`), `log.jsonl` and `state.safetensors`.

    Args:
        minutes: stop, and keep the state, when so many have passed; the weights so far are written then, too.
        command: what makes the same again, for the card.

    Raises BadUsage for another training's folder, BadInput for a folder without motion, `loop.Diverged`.
    """
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    where = device_named(device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = LiftingNetwork(
            graph=recipe.graph, width=recipe.width, dilations=recipe.dilations, dropout=recipe.dropout
        )
    loop = Loop(
        network,
        loss=LiftingErrors(recipe.loss),
        batches=lessons(recipe, where),
        optimisation=recipe.optimisation,
        folder=output,
        identity={"network": NETWORK, "recipe": recipe.to_json()},
        device=where,
        seed=recipe.seed,
        validate=Judge(recipe, where),
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
        data="recorded motion (CMU Graphics Lab Motion Capture Database, free for all uses; AnimatedDrawings and "
        "DeepMimic, MIT) and motion made by dyad.synthetic, on its bodies; judged on other recordings and seeds",
        skeleton=BODY17.to_json(),
    )
    keep(Checkpoint(NETWORK, halved(outcome.network), recipe.network, about), output / WEIGHTS)
    return outcome


def lessons(recipe: LiftingRecipe, device: torch.device, *, held_out: bool = False) -> Lessons:
    """What is learnt from, or, `held_out`, what is judged by: other recordings, other takes, other bodies."""
    seed = recipe.seed + HELD_OUT if held_out else recipe.seed
    made = max(14, recipe.made // 8) if held_out else recipe.made
    actors = Actors(
        clips(recipe.motions, made=made, seed=seed, held_out=held_out).to(device),
        bodies(recipe.bodies, seed, children=recipe.children).to(device),
        recipe.changes,
    )
    return Lessons(
        actors,
        recipe.noise,
        recipe.views,
        recipe.batch,
        recipe.frames,
        seed,
        cameras=recipe.cameras,
        told=recipe.told,
        device=device,
    )


class Judge:
    """Scores a network on held-out sequences, the same at every call; they are made when first needed."""

    def __init__(self, recipe: LiftingRecipe, device: torch.device) -> None:
        self.recipe, self.device = recipe, device
        self._batches: list[dict[str, Tensor]] = []

    def __call__(self, network: nn.Module) -> dict[str, Any]:
        """Errors in mm and PCK within 15 cm of poses at their true stature, of all the frames that show somebody."""
        if not self._batches:
            drawn = lessons(self.recipe, self.device, held_out=True)
            self._batches = [drawn.at(step) for step in range(-(-self.recipe.held_out // self.recipe.batch))]
        network = copy.deepcopy(network).eval()
        network.load_state_dict(halved(network))
        sums: dict[str, float] = {}
        with torch.no_grad():
            for batch in self._batches:
                for name, value in self._scores(network(batch["joints"], batch["frames"]), batch).items():
                    sums[name] = sums.get(name, 0.0) + float(value)
        count = sums.pop("count")
        return {name: round(value / count, 4) for name, value in sums.items()}

    @staticmethod
    def _scores(found: Lifted, batch: Batch) -> dict[str, Tensor]:
        there = batch["there"]
        truth, size = batch["pose"], batch["stature"][:, None, None]
        root = truth[:, :, _PELVIS]
        off = _length(found.pose - (truth - root[:, :, None])) * size
        depth = (found.root[..., 2] - (root[..., 2] * batch["scale"]).log()).abs()
        single = _length(found.single - (truth - root[:, :, None])) * size
        values = {
            "mpjpe_mm": 1000 * off.mean(-1),
            "single_mm": 1000 * single.mean(-1),
            "pck": 100 * (off < 0.15).float().mean(-1),
            "depth_percent": 100 * depth,
            "up_degrees": torch.rad2deg((found.up * batch["up"]).sum(-1).clamp(-1, 1).acos()),
            "stature_percent": 100 * (found.stature[..., 0] - (batch["stature"] / 1.7).log()[:, None]).abs(),
            "count": torch.ones_like(depth),
        }
        return {name: value[there].sum() for name, value in values.items()}


def train_preset(output: Path, preset: str, changes: Mapping[str, Any], **policy: Any) -> Outcome:
    """`train_lifting` with a preset and changes, whose command the card gets."""
    command = command_of("lift", preset, **changes)
    return train_lifting(output, recipe_of(LIFTING, preset, **changes), command=command, **policy)


def main(words: Sequence[str] | None = None) -> int:
    """The same as `dyad train lift`, for machines that have only what training needs; the exit status."""
    kinds = {"steps": int, "batch": int, "rate": float, "seed": int, "precision": str, "motions": Path}
    return run(words, stage="lift", presets=LIFTING, default="cpu", kinds=kinds, train=train_preset)


if __name__ == "__main__":
    sys.exit(main())
