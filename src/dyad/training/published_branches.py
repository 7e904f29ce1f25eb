"""Training the published branches on COCO and MuCo-3DHP; `python -m dyad.training.published_branches KIND …`.

Both stand on HRNet-w32. The top-down one finds all people in an enlarged box, by maps and tags (section 3.1 of [TB]);
the bottom-up one sees the whole image and where joints were found before, and tells depth besides (section 3.2). Where
joints were found before is drawn from the truth with the errors of an estimator, as the heads of `bottomup` learn it.
"""

import copy
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from dyad.core.errors import BadUsage
from dyad.models.checkpoints import Checkpoint
from dyad.models.joints import BODY17, TB14
from dyad.models.zoo import make
from dyad.training.hardware import cores, device_named
from dyad.training.loop import LOG, Loop, Outcome
from dyad.training.peers import Peers
from dyad.training.program import LOOP, card, command_of, halved, keep, run
from dyad.training.published_images import BranchBatches, image_batches, pictures, split
from dyad.training.published_loss import BranchLoss, mean_of
from dyad.training.published_recipes import BRANCHES, BranchRecipe
from dyad.training.recipes import as_json, recipe_of

Branch = Literal["topdown", "bottomup"]
_JUDGED = 50
"""Batches, at most."""
_STRIDES = {"topdown": (4, 2), "bottomup": (2,)}


class BranchJudge:
    """The losses on images that no training sees."""

    def __init__(self, batches: BranchBatches, loss: BranchLoss, device: torch.device) -> None:
        self.batches, self.loss, self.device = batches, loss, device

    @torch.no_grad()
    def __call__(self, network: nn.Module) -> dict[str, float]:
        network = copy.deepcopy(network).eval()
        network.load_state_dict(halved(network))
        count = min(_JUDGED, -(-len(self.batches.found) // self.batches.recipe.batch))
        parts = []
        for step in range(count):
            batch = {name: value.to(self.device) for name, value in self.batches[step].items()}
            parts.append(self.loss(network, batch))
        return mean_of(parts)


def train_branch(
    kind: Branch,
    output: Path,
    recipe: BranchRecipe,
    *,
    data: Path,
    device: str = "auto",
    minutes: float | None = None,
    workers: int | None = None,
    command: str = "",
    log_every: int = 50,
    save_every: int = 1000,
    validate_every: int = 5000,
) -> Outcome:
    """Train, or go on where a call with the same recipe and folder stopped; write the weights and what they are worth.

    `output` gets NETWORK.safetensors (half precision, a `Checkpoint`), `log.jsonl` and `state.safetensors`.

    Args:
        data: folder with `coco` and `muco`, each as it is unpacked. minutes: stop after so many.
        workers: processes that read images; one a core, but for one, if None. command: for the card.

    Raises BadInput for data that cannot be read, BadUsage for another training's folder, `loop.Diverged`.
    """
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    peers, where = Peers.here(), device_named(device)
    depth = kind == "bottomup"
    learnt, judged = split(pictures(data, recipe, depth=depth), recipe.held_out)
    how = recipe.for_data(len(learnt), peers.count)
    joints, strides = TB14 if depth else BODY17, _STRIDES[kind]
    loss = BranchLoss(recipe, depth=depth)
    reading = max(cores() // peers.count - 1, 0) if workers is None else workers
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = make(recipe.network, **recipe.arguments)
    outcome = Loop(
        network.to(memory_format=torch.channels_last),  # ty: ignore[no-matching-overload]
        loss=loss,
        batches=partial(image_batches, BranchBatches(learnt, recipe, joints, strides), how.steps, reading),
        optimisation=how,
        folder=output,
        identity={"network": recipe.network, "recipe": recipe.to_json(), "images": len(learnt), "steps": how.steps},
        device=where,
        seed=recipe.seed,
        validate=BranchJudge(BranchBatches(judged, recipe, joints, strides), loss, where) if judged else None,
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
        data="COCO train2017 and MuCo-3DHP, but for one image in so many, by which it is judged",
        images="RGB, 0..1, sides multiples of 32 px",
        joints=list(joints),
    )
    # Those who train on these data sets are bound by their licences.
    about["licence"] = "as the data sets allow"
    checkpoint = Checkpoint(recipe.network, halved(outcome.network), as_json(dict(recipe.arguments)), about)
    keep(checkpoint, output / f"{recipe.network}.safetensors")
    return outcome


def train_preset(kind: Branch, output: Path, preset: str, changes: Mapping[str, Any], **policy: Any) -> Outcome:
    """`train_branch` with a preset and changes, whose command the card gets; `data` is among these."""
    given = {name: value for name, value in changes.items() if value is not None}
    command = command_of(kind, preset, **given)
    data = given.pop("data", None)
    recipe = recipe_of(BRANCHES[kind], preset, **given)
    if data is None:
        raise BadUsage("--data names a folder with the data sets in folders coco and muco")
    return train_branch(kind, output, recipe, data=data, command=command, **policy)


def main(words: Sequence[str] | None = None) -> int:
    """The same as `dyad train topdown` or `bottomup`, whose name is the first word; the exit status."""
    given = list(sys.argv[1:] if words is None else words)
    kind: Branch = "bottomup" if given[:1] == ["bottomup"] else "topdown"
    kinds = {"data": Path, "steps": int, "epochs": int, "batch": int, "rate": float, "seed": int, "precision": str}
    return run(
        given[1:] if given[:1] in (["bottomup"], ["topdown"]) else given,
        stage=kind,
        presets=BRANCHES[kind],
        default="paper",
        kinds=kinds,
        train=partial(train_preset, kind),
        loop={**LOOP, "workers": int},
    )


if __name__ == "__main__":
    sys.exit(main())
