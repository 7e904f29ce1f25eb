"""Training a RAFT-small on rendered people; `python -m dyad.training.flow` where only torch and numba are at hand.

The sequence loss is that of Teed and Deng (ECCV 2020), equation 7.
"""

import copy
import logging
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dyad.core.camera import Camera
from dyad.core.errors import BadUsage
from dyad.core.flow import Flow
from dyad.core.tracks import Tracks
from dyad.evaluation.flow import FlowSums, joint_errors
from dyad.models.checkpoints import Checkpoint
from dyad.models.raft import raft_small
from dyad.synthetic.samples import Sample
from dyad.training.hardware import cores, device_named
from dyad.training.loop import LOG, Batch, Loop, Outcome
from dyad.training.program import LOOP, card, command_of, halved, keep, run
from dyad.training.recipes import FLOW, FlowRecipe, recipe_of
from dyad.training.worlds import batches, check_workers, held_out, on_people, workers_for

logger = logging.getLogger(__name__)

NETWORK = "raft-small"
WEIGHTS = "raft-small.safetensors"


class SequenceLoss:
    """How far the flow of each iteration is off, later ones with more weight: "loss".

    Besides, the mean error "epe" of the last one, and "still", what it would be had nothing moved, both in px: pairs
    differ so much in their motion that a curve of the one means little without the other.
    """

    def __init__(self, recipe: FlowRecipe) -> None:
        self.recipe = recipe

    def __call__(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Of images (N, 2, 3, H, W) uint8, flow (N, 2, H, W) px, known and people (N, H, W) bool."""
        images, truth = batch["images"].float() / 255, batch["flow"]
        found = network(images[:, 0], images[:, 1], iterations=self.recipe.iterations, every=True)
        motion = truth[:, 0].hypot(truth[:, 1])
        near = motion < self.recipe.farthest
        known = (batch["known"] & near).float()
        weight = known * (1 + (self.recipe.people - 1) * batch["people"].float())
        weight = weight / weight.sum().clamp(min=1)
        loss = truth.new_zeros(())
        for i, flow in enumerate(found.every):
            error = (flow.float() - truth).abs().mean(1)
            loss = loss + self.recipe.gamma ** (len(found.every) - 1 - i) * (weight * error).sum()
        off = torch.hypot(*(found.flow.detach().float() - truth).unbind(1))
        counted = known.sum().clamp(min=1)
        return {"loss": loss, "epe": (off * known).sum() / counted, "still": (motion * known).sum() / counted}


def train_flow(
    output: Path,
    recipe: FlowRecipe,
    *,
    device: str = "auto",
    start: Path | None = None,
    minutes: float | None = None,
    workers: int | None = None,
    command: str = "",
    log_every: int = 50,
    save_every: int = 500,
    validate_every: int = 2000,
) -> Outcome:
    """Train, or go on where a call with the same recipe and folder stopped; write the weights and what they are worth.

    `output` gets `raft-small.safetensors` (half precision, a `Checkpoint`), `log.jsonl` and `state.safetensors`.

    Args:
        start: weights of a RAFT-small to begin with; give the recipe another seed than theirs, or it begins with what
        they saw last.
        minutes: stop, and keep the state, when so many have passed; the weights so far are written then, too.
        workers: processes that render, a divisor of the recipe's `streams`; as many as there are cores for if None.
        command: what makes the same again, for the card.

    Raises BadUsage for another training's folder, `loop.Diverged`.
    """
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    where = device_named(device)
    rendering = workers_for(recipe.streams, cores()) if workers is None else workers
    check_workers(recipe, rendering)
    judge = Judge(recipe, device=where, workers=rendering)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        # Convolutions are a tenth quicker with the channels of a pixel side by side.
        network = raft_small(checkpoint=False).to(memory_format=torch.channels_last)  # ty: ignore
    if start is not None:
        network.load_state_dict(_beginning(start))
    loop = Loop(
        network,
        loss=SequenceLoss(recipe),
        batches=partial(batches, recipe, workers=rendering),
        optimisation=recipe.optimisation,
        folder=output,
        identity={"network": NETWORK, "recipe": recipe.to_json(), **({} if start is None else {"start": start.name})},
        device=where,
        seed=recipe.seed,
        validate=judge,
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
        data="pairs rendered by dyad.synthetic from seeds below 2^31; judged on those of seed 2^31",
        images="RGB, 0..1, sides multiples of 8 px",
        iterations=recipe.judged,
        metrics_of_no_motion=judge.still if outcome.metrics else {},
    )
    keep(Checkpoint(NETWORK, halved(outcome.network), about=about), output / WEIGHTS)
    return outcome


def flow_recipe(
    preset: str,
    *,
    motions: Path | None = None,
    backgrounds: Path | None = None,
    **changes: Any,
) -> FlowRecipe:
    """A preset with changes; those that are None leave it as it is. BadUsage for one that there is not.

    Args:
        motions: folder of motion capture, backgrounds: folder of images, for all worlds.
    """
    recipe = recipe_of(FLOW, preset, **changes)
    folders = {name: path for name, path in (("motions", motions), ("backgrounds", backgrounds)) if path is not None}
    kinds = tuple(replace(world, scenes=replace(world.scenes, **folders)) for world in recipe.worlds)
    return recipe.with_(worlds=kinds)


class Judge:
    """Scores a network on held-out pairs: mean end-point errors in px, over all pixels, people, joints, occluded.

    The pairs are rendered when they are first needed, and kept.
    """

    def __init__(self, recipe: FlowRecipe, *, device: torch.device, workers: int = 0, batch: int = 8) -> None:
        self.recipe = recipe
        self.device = device
        self.workers = workers
        self.batch = batch
        self._samples: list[Sample] = []

    @property
    def samples(self) -> list[Sample]:
        if not self._samples:
            self._samples = held_out(self.recipe, workers=self.workers)
        return self._samples

    def __call__(self, network: nn.Module) -> dict[str, Any]:
        """`FlowScores` as JSON has them: None for what could not be measured."""
        # What is judged is what will be kept.
        network = copy.deepcopy(network).eval()
        network.load_state_dict(halved(network))
        found: list[Tensor] = []
        with torch.no_grad():
            for group in _groups(self.samples, self.batch):
                images = torch.stack([sample["images"] for sample in group]).to(self.device).float() / 255
                flow = network(images[:, 0], images[:, 1], iterations=self.recipe.judged).flow
                found += list(flow.float().cpu())
        return score(self.samples, found)

    @property
    def still(self) -> dict[str, Any]:
        """The scores of saying that nothing moves."""
        return score(self.samples, [torch.zeros_like(sample["flow"]) for sample in self.samples])


def score(samples: Sequence[Sample], flows: Sequence[Tensor]) -> dict[str, Any]:
    """Scores of flows (2, H, W) px of samples, every pixel and joint with equal say."""
    sums = FlowSums()
    for sample, uv in zip(samples, flows, strict=True):
        truth = Flow(sample["flow"], sample["known"], sample["occluded"])
        sums += FlowSums.of_pixels(truth, Flow(uv), on_people(sample["identity"]))
        sums += FlowSums.of_joints(joint_errors(people_of(sample), 0, Flow(uv)).error)
    return {name: None if value != value else round(value, 4) for name, value in asdict(sums.scores()).items()}


def people_of(sample: Sample) -> Tracks:
    """Everyone in the two frames of a sample, frames 0 and 1."""
    frame, person = torch.nonzero(sample["present"], as_tuple=True)
    height, width = sample["flow"].shape[-2:]
    camera = Camera.from_focal((width, height), float(sample["focal"][0]))
    rows: dict[str, Any] = {name: sample[name][frame, person] for name in ("xy", "confidence", "xyz", "box")}
    return Tracks.of_rows(camera=camera, frame=frame, person=person, frames=torch.tensor((0, 1)), **rows)


def _groups(samples: Sequence[Sample], size: int) -> Iterator[list[Sample]]:
    """Samples in groups of up to `size` whose images are of one size."""
    group: list[Sample] = []
    for sample in samples:
        if group and (len(group) == size or group[0]["images"].shape != sample["images"].shape):
            yield group
            group = []
        group.append(sample)
    if group:
        yield group


def _beginning(path: Path) -> dict[str, Tensor]:
    checkpoint = Checkpoint.load(path)
    if checkpoint.network != NETWORK:
        raise BadUsage(f"expected weights of {NETWORK} to begin with, {path} has those of {checkpoint.network}")
    return {name: value.float() for name, value in checkpoint.tensors.items()}


def train_preset(output: Path, preset: str, changes: Mapping[str, Any], **policy: Any) -> Outcome:
    """`train_flow` with a preset and changes, whose command the card gets; among them `start`, weights by file."""
    others = {name: value for name, value in changes.items() if name != "start"}
    command = command_of("flow", preset, **changes)
    return train_flow(output, flow_recipe(preset, **others), start=changes.get("start"), command=command, **policy)


def main(words: Sequence[str] | None = None) -> int:
    """The same as `dyad train flow`, for machines that have only what training needs; the exit status."""
    kinds = {"steps": int, "batch": int, "rate": float, "seed": int, "precision": str}
    return run(
        words,
        stage="flow",
        presets=FLOW,
        default="cpu",
        kinds={**kinds, "motions": Path, "backgrounds": Path, "start": Path},
        train=train_preset,
        loop={**LOOP, "workers": int},
    )


if __name__ == "__main__":
    sys.exit(main())
