"""Training GCN, Joint-TCN and Root-TCN on data sets; `python -m dyad.training.published_lifting KIND …`.

The networks are those of `models.topdown.TopDownLifting` and see what they see there. The TCNs learn from the poses of
a GCN that is trained before (equations 13 and 14 of [TB]); a Root-TCN that sees 2D alone, as released, needs none.
"""

import copy
import hashlib
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dyad.core.errors import BadUsage, MissingWeights
from dyad.core.skeleton import BODY17
from dyad.models.checkpoints import Checkpoint, find_weights
from dyad.models.gcn import JointBoneGCN, bone_confidence, bone_hops, directed_affinity, joint_hops
from dyad.models.tcn import root_features
from dyad.models.topdown import ROOT_UNIT, torso_scaling
from dyad.models.weights import WeightsError
from dyad.models.zoo import make
from dyad.training.hardware import device_named
from dyad.training.loop import LOG, Batch, Loop, Outcome
from dyad.training.peers import Peers
from dyad.training.program import card, command_of, halved, keep, run
from dyad.training.published_loss import mean_of
from dyad.training.published_recipes import SEQUENCES, Kind, SequenceRecipe
from dyad.training.published_sequences import Motion, Windows, motion
from dyad.training.recipes import as_json, recipe_of

_PELVIS = BODY17.index("pelvis")
_JUDGED = 50
_FRAMES_AT_ONCE = 16384
_DEPTH = 1000.0
"""Z / f in m per px is told to the loss times this, so that it is of the size of what else is learnt."""


def name_of(recipe: SequenceRecipe) -> str:
    """The network's name in the zoo."""
    if recipe.network == "root":
        return "root-tcn" if recipe.arguments.get("dimensions", 2) == 2 else "root-tcn-3d"
    return "joint-tcn" if recipe.network == "tcn" else recipe.network


class Poses:
    """The GCN's poses (…, 17, 3) about the pelvis, of joints (…, 17, 2) px with confidence (…, 17)."""

    def __init__(self) -> None:
        self.joints, self.bones = joint_hops(), bone_hops()

    def __call__(self, gcn: nn.Module, xy: Tensor, confidence: Tensor) -> Tensor:
        flat, sure = torso_scaling(xy).flatten(0, -3), confidence.flatten(0, -2)
        parts = [
            gcn(some, directed_affinity(c, self.joints), directed_affinity(bone_confidence(c), self.bones))
            for some, c in zip(flat.split(_FRAMES_AT_ONCE), sure.split(_FRAMES_AT_ONCE), strict=True)
        ]
        pose = torch.cat(parts).unflatten(0, xy.shape[:-2])
        return pose - pose[..., _PELVIS, None, :]


class SequenceLoss:
    """Equations 13 and 14, and the former for the GCN: mean squared errors, m².

    gcn: a trained one, for the TCNs that see 3D.
    """

    def __init__(self, recipe: SequenceRecipe, gcn: nn.Module | None = None) -> None:
        self.recipe, self.gcn, self.poses = recipe, gcn, Poses()

    def __call__(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Of a batch of `published_sequences.Windows`: "loss", and "mm", the mean error, or "percent" of the depth."""
        xy, confidence = batch["xy"], batch["confidence"]
        if self.recipe.network == "gcn":
            return self._of_poses(self.poses(network, xy[:, 0], confidence[:, 0]), batch)
        seen = None
        if self.gcn is not None:
            with torch.no_grad():
                seen = self.poses(self.gcn, xy, confidence)
        if self.recipe.network == "root":
            found = network(root_features(xy / ROOT_UNIT, seen))[:, 0].float()
            off = found - batch["root"]
            percent = 100 * (off / batch["root"]).abs().mean()
            return {"loss": (_DEPTH * off).square().mean(), "percent": percent.detach()}
        if seen is None:
            raise BadUsage("a Joint-TCN learns from the poses of a GCN")
        return self._of_poses(network(seen)[:, 0], batch)

    @staticmethod
    def _of_poses(found: Tensor, batch: Batch) -> dict[str, Tensor]:
        told = batch["told"].float()
        off = (found.float() - batch["pose"]).square().sum(-1)
        millimetres = 1000 * (off.detach().sqrt() * told).sum() / told.sum().clamp(min=1)
        return {"loss": (off * told).sum() / told.sum().clamp(min=1), "mm": millimetres}


class SequenceJudge:
    """The errors on sequences that no training sees."""

    def __init__(self, windows: Windows, loss: SequenceLoss) -> None:
        self.windows, self.loss = windows, loss

    @torch.no_grad()
    def __call__(self, network: nn.Module) -> dict[str, float]:
        network = copy.deepcopy(network).eval()
        network.load_state_dict(halved(network))
        count = min(_JUDGED, -(-len(self.windows.source) // self.windows.batch))
        source = self.windows(0)
        return mean_of([self.loss(network, next(source)) for _ in range(count)])


def gcn_of(weights: str | None, recipe: SequenceRecipe, device: torch.device) -> nn.Module | None:
    """The frozen GCN that a TCN learns after. BadUsage where one is needed and none is named; MissingWeights."""
    if recipe.network == "gcn" or (recipe.network == "root" and recipe.arguments.get("dimensions", 2) == 2):
        return None
    if weights is None:
        raise BadUsage(f"--gcn names the weights of a GCN, see `dyad train gcn`: the {recipe.network} learns after it")
    try:
        network = Checkpoint.load(find_weights(weights)).build().float()
    except WeightsError as error:
        raise MissingWeights(str(error)) from error
    if not isinstance(network, JointBoneGCN):
        raise BadUsage(f"--gcn names the weights of a GCN, see `dyad train gcn`; {weights!r} are others")
    return network.to(device).eval().requires_grad_(False)


def train_sequences(
    output: Path,
    recipe: SequenceRecipe,
    *,
    data: Path,
    on: Sequence[str] = ("human36m",),
    gcn: str | None = None,
    start: Path | None = None,
    device: str = "auto",
    minutes: float | None = None,
    command: str = "",
    log_every: int = 100,
    save_every: int = 1000,
    validate_every: int = 5000,
) -> Outcome:
    """Train, or go on where a call with the same recipe and folder stopped; write the weights and what they are worth.

    `output` gets NETWORK.safetensors (half precision, a `Checkpoint`), `log.jsonl` and `state.safetensors`.

    Args:
        data: folder with the data sets `on` which to train, each in a folder of its name. gcn: weights by name or file.
        start: weights to begin with, to train on another data set what was trained on one.

    Raises BadInput for data that cannot be read, MissingWeights, BadUsage for another training's folder, `Diverged`.
    """
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    where, name = device_named(device), name_of(recipe)
    before = gcn_of(gcn, recipe, where)
    learnt, judged = motion(data, on, held_out=recipe.held_out)
    how = recipe.for_data(len(learnt), Peers.here().count)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        # Of single windows; for whole sequences the weights are the same.
        form = {} if recipe.network == "gcn" else {"form": "strided"}
        network = make(name, **recipe.arguments, **form)
    if start is not None:
        network.load_state_dict(_started(start, name))
    needed = getattr(network, "receptive_field", 1)
    if needed != recipe.frames:
        raise BadUsage(f"the {name} sees {needed} frames, and the recipe's windows have {recipe.frames}")

    def windows(source: Motion) -> Windows:
        return Windows(source, recipe.noise, recipe.batch, recipe.frames, recipe.seed, where)

    loss = SequenceLoss(recipe, before)
    names = {"gcn": _digest(gcn), "start": _digest(start), "on": list(on), "frames": len(learnt), "steps": how.steps}
    outcome = Loop(
        network,
        loss=loss,
        batches=windows(learnt),
        optimisation=how,
        folder=output,
        identity={"network": name, "recipe": recipe.to_json(), **names},
        device=where,
        seed=recipe.seed,
        validate=SequenceJudge(windows(judged), loss),
        log_every=log_every,
        save_every=save_every,
        validate_every=validate_every,
    )(deadline=deadline)
    data_told = f"training splits of {', '.join(on)}, but for one sequence in {recipe.held_out}, by which it is judged"
    about = card(recipe, outcome, where, command=command, log=output / LOG, data=data_told, joints=list(BODY17.names))
    # Those who train on these data sets are bound by their licences.
    about["licence"] = "as the data sets allow"
    checkpoint = Checkpoint(name, halved(outcome.network), as_json(dict(recipe.arguments)), about)
    keep(checkpoint, output / f"{name}.safetensors")
    return outcome


def _started(start: Path, name: str) -> dict[str, Tensor]:
    try:
        checkpoint = Checkpoint.load(start)
    except WeightsError as error:
        raise MissingWeights(str(error)) from error
    if checkpoint.network != name:
        raise BadUsage(f"--start names weights of a {name}, got those of a {checkpoint.network}")
    return {key: value.float() if value.is_floating_point() else value for key, value in checkpoint.tensors.items()}


def _digest(weights: str | Path | None) -> str | None:
    return None if weights is None else hashlib.sha256(find_weights(str(weights)).read_bytes()).hexdigest()[:16]


def train_preset(kind: Kind, output: Path, preset: str, changes: Mapping[str, Any], **policy: Any) -> Outcome:
    """`train_sequences` with a preset and changes, whose command the card gets; `data`, `on`, `gcn`, `start` too."""
    given = {name: value for name, value in changes.items() if value is not None}
    command = command_of(kind, preset, **given)
    places = {name: given.pop(name) for name in ("data", "on", "gcn", "start") if name in given}
    recipe = recipe_of(SEQUENCES[kind], preset, **given)
    if "data" not in places:
        raise BadUsage("--data names a folder with the data sets in folders of their names, such as human36m")
    if "on" in places:
        places["on"] = tuple(places["on"].split(","))
    return train_sequences(output, recipe, command=command, **places, **policy)


def main(words: Sequence[str] | None = None) -> int:
    """The same as `dyad train gcn`, `tcn` or `root`, whose name is the first word; the exit status."""
    given = list(sys.argv[1:] if words is None else words)
    kind: Kind = "tcn" if given[:1] == ["tcn"] else "root" if given[:1] == ["root"] else "gcn"
    places = {"data": Path, "on": str, "gcn": str, "start": Path}
    kinds = {**places, "steps": int, "epochs": int, "batch": int, "rate": float, "seed": int, "precision": str}
    return run(
        given[1:] if given[:1] in (["gcn"], ["tcn"], ["root"]) else given,
        stage=kind,
        presets=SEQUENCES[kind],
        default="paper",
        kinds=kinds,
        train=partial(train_preset, kind),
    )


if __name__ == "__main__":
    sys.exit(main())
