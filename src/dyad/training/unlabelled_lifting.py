"""Semi-supervision of a lifting network on videos without labels; `python -m dyad.training.unlabelled_lifting`.

As [TB] has it (sections 3.4 and 1 of its supplement): a teacher, the network as it is, says what it makes of 2D joints;
a student learns from that beside lessons whose truth is known. How far pseudo-labels are to be trusted is measured by
E_rep (equation 15), the distance of the student's pose from the 2D joints in the image, weighted by their confidence,
and by E_mp: the teacher's pose, turned about the vertical, seen anew, lifted by the student and turned back, against
itself. Equation 11 makes weights of both, and equation 10 adds them up. What the poses truly are is never asked.
"""

import copy
import hashlib
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from dyad.core.errors import BadUsage, MissingWeights
from dyad.core.skeleton import BODY17
from dyad.models.checkpoints import Checkpoint, find_weights
from dyad.models.lifting import Lifted, LiftingNetwork
from dyad.models.sight import Sight, sight, turned, turned_back
from dyad.models.weights import WeightsError
from dyad.stages.lifting_network import SequenceLifter
from dyad.stages.plausibility import WEIGHTS as DISCRIMINATOR
from dyad.training.hardware import device_named
from dyad.training.lifting import NETWORK, WEIGHTS, Judge, LiftingErrors, lessons, located
from dyad.training.loop import LOG, Batch, Loop, Outcome
from dyad.training.program import card, command_of, halved, keep, run
from dyad.training.recipes import Optimisation, TrainingRecipe, recipe_of
from dyad.training.recipes_lifting import LIFTING, LiftingRecipe
from dyad.training.unlabelled_joints import Unlabelled, unlabelled, unlabelled_batches

_PELVIS = BODY17.index("pelvis")
# Statures before the camera that nobody comes nearer than when turned.
_NEAREST = 0.6
_EVERY = 6


@dataclass(frozen=True)
class SelfTrainingRecipe(TrainingRecipe):
    """How a student is trained; the network is the teacher's.

    Attributes:
        lessons: what is learnt from with labels, `lessons.batch` sequences a step; its optimisation is not used.
        frames: of a window without labels. batch: of these a step.
        label: weight of the teacher's word relative to the lessons. consistent: of E_rep + E_mp; both are squared
            lengths, E_rep in sizes of the person in the image, E_mp in statures. plausible: of −log D1, 0 for none.
        masked: share of joints that the student does not see.
        hard_first: the sign of equation 11 as it is printed.
        judged: windows whose E_rep and E_mp are told at each validation.
    """

    optimisation: Optimisation
    lessons: LiftingRecipe = field(default_factory=lambda: LIFTING["laptop"].with_(batch=12))
    frames: int = 96
    batch: int = 12
    label: float = 0.5
    consistent: float = 2.0
    plausible: float = 0.0
    masked: float = 0.1
    hard_first: bool = False
    judged: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        self.at_least(1, "batch", "judged")
        self.at_least(2, "frames")
        self.at_least(0, "label", "consistent", "plausible")
        if not 0 <= self.masked < 1:
            raise BadUsage(f"masked is a share from 0 up to 1, got {self.masked}")

    def with_(self, **changes: Any) -> Self:
        """A copy with some fields replaced; `motions` is that of the lessons."""
        motions = changes.pop("motions", None)
        if motions is not None:
            changes["lessons"] = changes.get("lessons", self.lessons).with_(motions=motions)
        return super().with_(**changes)


SELF_TRAINING: dict[str, SelfTrainingRecipe] = {
    "laptop": SelfTrainingRecipe(Optimisation(steps=1500, rate=1e-4, warm_up=0.1, averaging=0.99)),
    "gpu": SelfTrainingRecipe(
        Optimisation(steps=8000, rate=2e-4, warm_up=0.05, averaging=0.998, precision="bfloat16"),
        lessons=LIFTING["gpu"].with_(batch=64),
        batch=64,
    ),
    # Shows that all is well.
    "tiny": SelfTrainingRecipe(
        Optimisation(steps=4, rate=1e-4),
        lessons=LIFTING["cpu"].with_(made=14, bodies=2, batch=2, held_out=2, frames=16),
        frames=16,
        batch=2,
        judged=2,
    ),
}


def weights(errors: Tensor, epoch: Tensor | float, *, hard_first: bool = False) -> Tensor:
    """Equation 11: softmax(−E / r) over a batch (N,) with r the epoch, from 1; they sum to 1.

    Errors count in units of the batch's mean. [TB] prints the other sign, `hard_first`, which gives most weight to what
    is least consistent, though the text says that easy samples come first.
    """
    unit = errors / errors.mean().clamp(min=1e-12) / epoch
    return torch.softmax(unit if hard_first else -unit, 0)


def reprojection(found: Lifted, looks: Sight, rays: Tensor, confidence: Tensor) -> Tensor:
    """E_rep (N,) of equation 15: mean of confidence times squared distance in the image, in sizes of the person there.

    Args:
        found: of sequences seen as `looks`. rays: (N, T, 17, 2) where joints are seen, NaN where they are not, with
            confidence (N, T, 17).
    """
    full = turned(looks.turn, found.pose + located(found, looks.scale)[:, :, None])
    known = torch.isfinite(rays).all(-1) & (confidence > 0)
    off = full[..., :2] / full[..., 2:].clamp(min=0.1) - rays
    off = torch.where(known[..., None], off, torch.zeros_like(off)) / looks.scale[..., None, None]
    return (confidence * off.square().sum(-1) * known).sum((1, 2)) / known.sum((1, 2)).clamp(min=1)


def perspective(network: nn.Module, batch: Batch, told: Tensor) -> Tensor:
    """E_mp (N,): mean squared distance in statures of a pose from what is made of it as seen from elsewhere.

    Args:
        batch: `pose` (N, T, 17, 3) in the camera's axes, `up` (N, 3), `angle` (N,) rad, and `rays`, `confidence` and
            `there`, which say what there is to be seen of it.
        told: (N, 3) what the network is told of the direction against gravity; zeros for nothing.
    """
    pose, turn = batch["pose"], about(batch["up"], batch["angle"])[:, None]
    root = pose[:, :, _PELVIS, None]
    middle = root.mean(1, keepdim=True)
    seen = turned(turn, pose - middle) + middle
    short = (_NEAREST - seen[..., 2].amin((1, 2))).clamp(min=0)
    depth = seen[..., 2:] + short[:, None, None, None]
    known = torch.isfinite(batch["rays"]).all(-1) & (batch["confidence"] > 0)
    rays = torch.where(known[..., None], seen[..., :2] / depth, torch.nan)
    looks = sight(rays, batch["confidence"], told)
    again: Lifted = network(looks.joints, looks.frames)
    back = turned_back(turn, turned(looks.turn, again.pose))
    off = (back - (pose - root)).square().sum(-1).mean(-1)
    there = batch["there"].float()
    return (off * there).sum(1) / there.sum(1).clamp(min=1)


def about(axis: Tensor, angle: Tensor) -> Tensor:
    """Rotations (N, 3, 3) about unit vectors (N, 3) by angles (N,) rad."""
    x, y, z = axis.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), -1).unflatten(-1, (3, 3))
    eye = torch.eye(3, device=axis.device, dtype=axis.dtype)
    sin, cos = angle.sin()[:, None, None], angle.cos()[:, None, None]
    return cos * eye + sin * cross + (1 - cos) * axis[:, :, None] * axis[:, None, :]


class _Said(nn.Module):
    """A network that has given its answer."""

    def __init__(self, found: Lifted) -> None:
        super().__init__()
        self.found = found

    def forward(self, joints: Tensor, frames: Tensor) -> Lifted:
        return self.found


class SelfTrainingLoss:
    """Equation 10 beside the loss of lessons with labels.

    discriminate: D1, poses (N, 17, 3) m to logits, where `SelfTrainingRecipe.plausible` is above 0.
    """

    def __init__(self, recipe: SelfTrainingRecipe, discriminate: nn.Module | None = None) -> None:
        self.recipe = recipe
        self.lesson = LiftingErrors(recipe.lessons.loss)
        self.discriminate = discriminate

    def __call__(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Of a batch of `batches`."""
        recipe = self.recipe
        lesson = self.lesson(network, {k.removeprefix("lesson."): v for k, v in batch.items() if "." in k})
        seen = torch.where(batch["shown"][:, None], batch["confidence"], torch.zeros_like(batch["confidence"]))
        told = torch.zeros_like(batch["up"])
        looks = sight(batch["rays"], seen, told)
        found = network(looks.joints, looks.frames)
        rep = reprojection(found, looks, batch["rays"], batch["confidence"])
        mp = perspective(network, batch, told)
        share = sum(weights(e.detach(), batch["epoch"], hard_first=recipe.hard_first) for e in (rep, mp))
        share = torch.as_tensor(share) / 2
        taught = self.lesson(_Said(found), pseudo_lesson(batch, looks, share))
        loss = lesson["loss"] + recipe.label * taught["loss"] + recipe.consistent * (share * (rep + mp)).sum()
        told_of = {"lesson": lesson["loss"], "taught": taught["loss"], "e_rep": rep.mean(), "e_mp": mp.mean()}
        if self.discriminate is not None:
            pose = turned(looks.turn, found.pose)[:, ::_EVERY] * batch["stature"][:, None, None, None]
            there = batch["there"][:, ::_EVERY]
            odd = nn.functional.softplus(-self.discriminate(pose[there].float())).sum() / there.sum().clamp(min=1)
            loss, told_of["odd"] = loss + recipe.plausible * odd, odd
        return {"loss": loss, **{name: value.detach() for name, value in told_of.items()}}


def pseudo_lesson(batch: Batch, looks: Sight, share: Tensor) -> dict[str, Tensor]:
    """What the teacher says as a lesson for `LiftingErrors`, in which each sequence has its share (N,)."""
    up = batch["up"][:, None, None].expand(-1, batch["pose"].shape[1], -1, -1)
    return {
        "joints": looks.joints,
        "frames": looks.frames,
        "scale": looks.scale,
        "pose": turned_back(looks.turn, batch["pose"]),
        "up": turned_back(looks.turn, up)[:, :, 0],
        "stature": batch["stature"],
        "there": batch["there"] * share[:, None],
    }


class SelfJudge:
    """E_rep and E_mp of windows without labels, and the errors in lessons that no training sees."""

    def __init__(self, recipe: SelfTrainingRecipe, data: Unlabelled, device: torch.device) -> None:
        count = min(recipe.judged, len(data))
        rows = torch.linspace(0, len(data) - 1, count).round().long()
        angle = torch.linspace(-2.5, 2.5, count)
        self.batch = {name: value.to(device) for name, value in {**data[rows], "angle": angle}.items()}
        self.lessons = Judge(recipe.lessons, device)

    def __call__(self, network: nn.Module) -> dict[str, Any]:
        found = {name: round(value, 6) for name, value in self.consistency(network).items()}
        return {**found, **self.lessons(network)}

    @torch.no_grad()
    def consistency(self, network: nn.Module) -> dict[str, float]:
        """Means over the windows."""
        network = copy.deepcopy(network).eval()
        told = torch.zeros_like(self.batch["up"])
        looks = sight(self.batch["rays"], self.batch["confidence"], told)
        rep = reprojection(network(looks.joints, looks.frames), looks, self.batch["rays"], self.batch["confidence"])
        return {"e_rep": float(rep.mean()), "e_mp": float(perspective(network, self.batch, told).mean())}


def batches(recipe: SelfTrainingRecipe, data: Unlabelled, device: torch.device, start: int) -> Iterator[Batch]:
    """Windows without labels, and under `lesson.…` sequences with them."""
    taught = lessons(recipe.lessons.with_(seed=recipe.seed), device)(start)
    steps = recipe.optimisation.steps
    own = unlabelled_batches(data, recipe.batch, recipe.seed, start, masked=recipe.masked, steps=steps)
    for lesson, one in zip(taught, own, strict=False):
        yield {**one, **{f"lesson.{name}": value for name, value in lesson.items()}}


def teacher_of(model: str) -> tuple[Checkpoint, LiftingNetwork, str]:
    """A checkpoint, its network, and its file's digest. MissingWeights; BadUsage where it is of another network."""
    try:
        file = find_weights(model)
        checkpoint = Checkpoint.load(file)
        network = checkpoint.build().float()
    except WeightsError as error:
        raise MissingWeights(str(error)) from error
    if not isinstance(network, LiftingNetwork):
        raise BadUsage(f"the teacher is a network that lifts; the weights {model!r} are of {checkpoint.network!r}")
    return checkpoint, network, hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def train_ssl(
    output: Path,
    recipe: SelfTrainingRecipe,
    *,
    joints: Path,
    model: str = NETWORK,
    device: str = "auto",
    minutes: float | None = None,
    command: str = "",
    log_every: int = 25,
    save_every: int = 100,
    validate_every: int = 250,
) -> Outcome:
    """Train a student, or go on where a call with the same recipe, teacher and joints stopped.

    `output` gets `lifting.safetensors`, for `dyad lift --model`, `log.jsonl` and `state.safetensors`.

    Args:
        joints: tracks.npz, or a folder of them; see `unlabelled_joints.find_tracks`.
        model: the teacher, by name or file.

    Raises BadInput for joints that cannot be read, MissingWeights, BadUsage for another training's folder.
    """
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    where = device_named(device)
    checkpoint, teacher, digest = teacher_of(model)
    data = unlabelled(joints, SequenceLifter(copy.deepcopy(teacher), device=where), frames=recipe.frames)
    judge = SelfJudge(recipe, data, where)
    before = judge.consistency(teacher.to(where))
    odd = None
    if recipe.plausible:
        both = Checkpoint.load(find_weights(DISCRIMINATOR)).build().float()
        odd = both.get_submodule("single").to(where).requires_grad_(False)
    outcome = Loop(
        copy.deepcopy(teacher).requires_grad_(True),
        loss=SelfTrainingLoss(recipe, odd),
        batches=lambda start: batches(recipe, data, where, start),
        optimisation=recipe.optimisation,
        folder=output,
        identity={"network": "self-training", "recipe": recipe.to_json(), "teacher": digest, "joints": data.digest},
        device=where,
        seed=recipe.seed,
        validate=judge,
        log_every=log_every,
        save_every=save_every,
        validate_every=validate_every,
    )(deadline=deadline)
    about_it = card(
        recipe,
        outcome,
        where,
        command=command,
        log=output / LOG,
        data=f"{len(data)} windows of 2D joints without labels, beside the lessons of `dyad train lift`",
        teacher={"weights": Path(model).name, "sha256": digest, "metrics": before},
        skeleton=BODY17.to_json(),
    )
    keep(Checkpoint(NETWORK, halved(outcome.network), checkpoint.arguments, about_it), output / WEIGHTS)
    return outcome


def train_preset(output: Path, preset: str, changes: Mapping[str, Any], **policy: Any) -> Outcome:
    """`train_ssl` with a preset and changes, whose command the card gets; `unlabelled` and `model` are among these."""
    given = {name: value for name, value in changes.items() if value is not None}
    command = command_of("ssl", preset, **given)
    joints, model = given.pop("unlabelled", None), given.pop("model", NETWORK)
    recipe = recipe_of(SELF_TRAINING, preset, **given)
    if joints is None:
        raise BadUsage("--unlabelled names tracks.npz of `dyad run`, or a folder of them")
    return train_ssl(output, recipe, joints=joints, model=model, command=command, **policy)


def main(words: Sequence[str] | None = None) -> int:
    """The same as `dyad train ssl`, for machines that have only what training needs; the exit status."""
    kinds = {"unlabelled": Path, "model": str, "steps": int, "batch": int, "rate": float, "seed": int}
    kinds |= {"precision": str, "plausible": float, "motions": Path}
    return run(words, stage="ssl", presets=SELF_TRAINING, default="laptop", kinds=kinds, train=train_preset)


if __name__ == "__main__":
    sys.exit(main())
