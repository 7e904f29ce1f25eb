"""Training the bottom-up heads on rendered people; `python -m dyad.training.bottomup` where only torch is at hand.

All stills are rendered first, into the output folder; then heads learn from cuttings of them.
"""

import logging
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from dyad.core.errors import BadUsage, MissingWeights
from dyad.core.files import whole_file
from dyad.models.blazepose_heads import (
    STRIDE,
    BlazePoseFeatures,
    Features,
    PersonHeads,
    PersonNetwork,
    PlainFeatures,
)
from dyad.models.checkpoints import Checkpoint
from dyad.models.person_maps import draw_person_maps
from dyad.models.weights import BLAZEPOSE_DETECTOR, find_blazepose
from dyad.training.cuttings import Cutting, cutting
from dyad.training.hardware import device_named
from dyad.training.loop import LOG, Batch, Loop, Outcome
from dyad.training.peers import Peers
from dyad.training.person_loss import PersonLoss, wanted
from dyad.training.person_scores import score_heads
from dyad.training.program import card, command_of, halved, keep, run
from dyad.training.recipes import HELD_OUT, Optimisation, TrainingRecipe, World, recipe_of
from dyad.training.stills import Still, Stills, crowds

logger = logging.getLogger(__name__)

NETWORK = "person-heads"
WEIGHTS = "person-heads.safetensors"
_POOL = "stills-{}.safetensors"
_DRAW = 9


@dataclass(frozen=True)
class PersonRecipe(TrainingRecipe):
    """How bottom-up heads are trained.

    features: "blazepose", the frozen backbone of its detector, or "plain", convolutions trained from scratch that give
    features of the same shapes: what the frozen ones are compared with.
    stills: rendered in all. cuttings: of these, each used again and again.
    held_out: to judge by. batch: cuttings a step. width: of the heads.
    """

    optimisation: Optimisation
    worlds: tuple[World, ...] = field(default_factory=lambda: crowds((448, 336)))
    cutting: Cutting = field(default_factory=Cutting)
    features: Literal["blazepose", "plain"] = "blazepose"
    stills: int = 300
    cuttings: int = 1200
    held_out: int = 90
    batch: int = 16
    width: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.seed < HELD_OUT:
            raise BadUsage(f"a training's seed lies from 0 to {HELD_OUT - 1}; others are held out; got {self.seed}")
        if self.features not in ("blazepose", "plain"):
            raise BadUsage(f"the features are blazepose or plain, got {self.features!r}")
        if min(self.stills, self.cuttings, self.held_out, self.batch) < 1 or any(n % 32 for n in self.cutting.size):
            raise BadUsage(
                "stills, cuttings, held-out stills and a batch are 1 or more; sides of cuttings are multiples of 32 px"
            )


BOTTOM_UP: dict[str, PersonRecipe] = {
    # Three minutes of a core that multiplies bfloat16, 1 GB.
    "cpu": PersonRecipe(Optimisation(steps=600, rate=2e-3, warm_up=0.1, averaging=0.99, precision="bfloat16")),
    # Twenty minutes of one, 5 GB.
    "laptop": PersonRecipe(
        Optimisation(steps=4000, rate=2e-3, warm_up=0.1, averaging=0.998, precision="bfloat16"),
        stills=2000,
        cuttings=6000,
    ),
}


def person_network(recipe: PersonRecipe) -> PersonNetwork:
    """The network of a recipe, heads untrained. MissingWeights where BlazePose's file is not there."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        heads = PersonHeads(width=recipe.width)
        features = PlainFeatures() if recipe.features == "plain" else frozen_features()
    network = PersonNetwork(features, heads)
    network.to(memory_format=torch.channels_last)  # ty: ignore[no-matching-overload]
    return network


def frozen_features() -> BlazePoseFeatures:
    """BlazePose's backbone from where its weights are kept. MissingWeights where they are not."""
    folder = find_blazepose()
    if folder is None:
        raise MissingWeights("the heads stand on BlazePose's features: run `dyad weights pull blazepose` first")
    return BlazePoseFeatures.from_file(folder / BLAZEPOSE_DETECTOR.file)


def pool(recipe: PersonRecipe, seed: int, count: int, folder: Path) -> list[Still]:
    """`count` stills of a seed, rendered or read from the folder where they have been rendered before."""
    from safetensors.torch import load_file, save_file

    path = folder / _POOL.format("held-out" if seed == HELD_OUT else seed)
    if path.is_file():
        kept = load_file(path)
        if len(kept["rows"]) == count + 1:
            return _unpacked(kept)
    source = iter(Stills(recipe.worlds, seed))
    stills = []
    for still in islice(source, count):
        stills.append(still)
        if len(stills) % 100 == 0:
            logger.info("%d of %d stills rendered", len(stills), count)
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as partial_file:
        save_file(_packed(stills), partial_file)
    return stills


def _packed(stills: Sequence[Still]) -> dict[str, Tensor]:
    rows = torch.tensor([0, *(len(s.xy) for s in stills)]).cumsum(0)
    joined = {name: torch.cat([getattr(s, name) for s in stills]) for name in ("xy", "xyz", "confidence")}
    stacked = {name: torch.stack([getattr(s, name) for s in stills]) for name in ("image", "focal", "centre")}
    return {"rows": rows, **joined, **stacked}


def _unpacked(kept: Mapping[str, Tensor]) -> list[Still]:
    rows = kept["rows"].tolist()
    return [
        Still(
            kept["image"][i],
            *(kept[name][rows[i] : rows[i + 1]] for name in ("xy", "xyz", "confidence")),
            kept["focal"][i],
            kept["centre"][i],
        )
        for i in range(len(rows) - 1)
    ]


def prepared(recipe: PersonRecipe, stills: Sequence[Still], features: nn.Module | None) -> dict[str, Tensor]:
    """All cuttings of a recipe with what should be said of them; of frozen features, these instead of the images.

    What is learned from again and again need be computed but once.
    """
    kept: dict[str, Tensor] = {}
    narrow = recipe.optimisation.precision == "bfloat16"
    where = torch.device("cpu") if features is None else next(features.parameters()).device
    for number in range(recipe.cuttings):
        shown = cutting(stills, recipe.cutting, np.random.default_rng((recipe.seed, number, _DRAW)))
        there = torch.isfinite(shown.metres)
        people = (shown.xy[there], shown.confidence[there], shown.xyz[there][:, 0, 2])
        goal = wanted(*people, recipe.cutting.size)
        known = {name: getattr(shown, name) for name in ("xy", "xyz", "confidence", "metres")}
        part = {**known, "prior": prior_of(shown.given, recipe.cutting.size).half(), "image": shown.image}
        for name, value in goal._asdict().items():
            part[name] = value.to(torch.int8) if name == "owner" else value.half()
        if features is not None:
            image = part.pop("image")[None].to(where)
            with torch.no_grad(), torch.autocast(where.type, torch.bfloat16, narrow):
                seen = features(image.float() / 255)
            part |= {name: value[0].to(torch.bfloat16).cpu().contiguous() for name, value in seen._asdict().items()}
        # Made whole at once: joining parts would take the memory twice.
        kept = kept or {name: value.new_empty((recipe.cuttings, *value.shape)) for name, value in part.items()}
        for name, value in part.items():
            kept[name][number] = value
        if (number + 1) % 500 == 0:
            logger.info("%d of %d cuttings made", number + 1, recipe.cuttings)
    return kept


def batches(recipe: PersonRecipe, kept: Mapping[str, Tensor], start: int) -> Iterator[Batch]:
    """Batches from step `start` on: all cuttings in one order after another, each a function of the recipe."""
    count = len(kept["xy"])
    step = start
    while True:
        rows = []
        for place in range(step * recipe.batch, (step + 1) * recipe.batch):
            turn, at = divmod(place, count)
            rows.append(int(np.random.default_rng((recipe.seed, turn)).permutation(count)[at]))
        chosen = torch.tensor(rows)
        yield {name: value[chosen] for name, value in kept.items()}
        step += 1


def prior_of(given: Tensor, size: tuple[int, int]) -> Tensor:
    """A prior (J, h, w) of what is given (P, J, 2) px, NaN where nothing, in an image of `size`."""
    w, h = (n // STRIDE for n in size)
    return draw_person_maps((given + 0.5) / STRIDE - 0.5, (w, h), sigma=0.7)


class HeadsLoss:
    """`PersonLoss` of a network on a batch of `prepared`."""

    def __init__(self) -> None:
        self.loss = PersonLoss()

    def __call__(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        if "image" in batch:
            images = (batch["image"].float() / 255).contiguous(memory_format=torch.channels_last)
            features = network.get_submodule("features")(images)
        else:
            features = Features(*(batch[name].float() for name in Features._fields))
        maps = network.get_submodule("heads")(features, batch["prior"].float())
        with torch.autocast(batch["xy"].device.type, enabled=False):
            return self.loss(maps, batch)


def train_bottomup(
    output: Path,
    recipe: PersonRecipe,
    *,
    device: str = "auto",
    minutes: float | None = None,
    command: str = "",
    log_every: int = 25,
    save_every: int = 200,
    validate_every: int = 400,
) -> Outcome:
    """Train, or go on where a call with the same recipe and folder stopped; write the heads and what they are worth.

    `output` gets `person-heads.safetensors` (half precision; heads alone, or with the features that are trained),
    `log.jsonl`, `state.safetensors` and the stills. `minutes` do not count the rendering of these.
    """
    where = device_named(device)
    with Peers.here().first_alone():
        stills = pool(recipe, recipe.seed, recipe.stills, output)
        judged = pool(recipe, HELD_OUT, recipe.held_out, output)
    network = person_network(recipe)

    def source(start: int) -> Iterator[Batch]:
        kept = prepared(recipe, stills, network.features if recipe.features == "blazepose" else None)
        return batches(recipe, kept, start)

    loop = Loop(
        network,
        loss=HeadsLoss(),
        batches=source,
        optimisation=recipe.optimisation,
        folder=output,
        identity={"network": NETWORK, "recipe": recipe.to_json()},
        device=where,
        seed=recipe.seed,
        validate=partial(score_heads, stills=judged, device=where),
        log_every=log_every,
        save_every=save_every,
        validate_every=validate_every,
    )
    outcome = loop(deadline=None if minutes is None else time.monotonic() + 60 * minutes)
    trained = outcome.network if recipe.features == "plain" else outcome.network.get_submodule("heads")
    about = card(
        recipe,
        outcome,
        where,
        command=command,
        log=output / LOG,
        data="stills rendered by dyad.synthetic from seeds below 2^31; judged on those of seed 2^31",
        features="frozen, of BlazePose's detector" if recipe.features == "blazepose" else "trained from scratch",
        images="RGB, 0..1, sides multiples of 32 px, at several sizes",
        skeleton="body17",
    )
    name = NETWORK if recipe.features == "blazepose" else "person-network"
    arguments = {"width": recipe.width}
    keep(Checkpoint(name, halved(trained), arguments, about), output / WEIGHTS)
    return outcome


def train_preset(output: Path, preset: str, changes: Mapping[str, Any], **policy: Any) -> Outcome:
    """`train_bottomup` with a preset and changes, whose command the card gets."""
    command = command_of("bottomup", preset, **changes)
    return train_bottomup(output, recipe_of(BOTTOM_UP, preset, **changes), command=command, **policy)


def main(words: Sequence[str] | None = None) -> int:
    """The same as `dyad train bottomup`, for machines that have only what training needs; the exit status."""
    kinds = {"steps": int, "batch": int, "rate": float, "seed": int, "precision": str, "features": str}
    kinds |= {"stills": int, "cuttings": int}
    return run(words, stage="bottomup", presets=BOTTOM_UP, default="cpu", kinds=kinds, train=train_preset)


if __name__ == "__main__":
    sys.exit(main())
