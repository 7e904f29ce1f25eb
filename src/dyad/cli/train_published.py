"""`dyad train topdown|gcn|tcn|root`: the published networks, for those with the data sets and the GPUs; and `ssl`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from dyad.cli.console import Device, Json, Out, tell_training
from dyad.cli.training_options import Minutes, Motions, Precision, Rate, Seed

if TYPE_CHECKING:
    from dyad.training.published_recipes import Kind

Preset = Annotated[str, Parameter(help="paper, the published schedule; or tiny, to see that all is well.")]
Data = Annotated[Path | None, Parameter(help="Folder with the data sets in folders of their names.")]
Steps = Annotated[int | None, Parameter(help="Of the optimiser; else what the epochs come to.")]
Epochs = Annotated[int | None, Parameter(help="How often all data are used; else the preset's, as for the next three.")]
Size = Annotated[int | None, Parameter(help="Images, frames or windows a step and process.")]
On = Annotated[str | None, Parameter(help="Data sets: human36m, jta, mpi-inf-3dhp, muco; commas between them.")]
Gcn = Annotated[str | None, Parameter(help="Weights of a trained GCN, by name or file.")]
Start = Annotated[Path | None, Parameter(help="Weights to begin with, such as those from another data set.")]


def train_topdown_command(
    *,
    output: Out,
    preset: Preset = "paper",
    data: Data = None,
    steps: Steps = None,
    epochs: Epochs = None,
    batch: Size = None,
    rate: Rate = None,
    seed: Seed = None,
    precision: Precision = None,
    minutes: Minutes = None,
    workers: int | None = None,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Train HRNet-w32 to find all people in a box, on COCO and MuCo-3DHP; OUT gets higherhrnet-w32.safetensors.

    Parameters
    ----------
    workers
        Processes that read images; all cores but one if not given.
    """
    from dyad.training.published_branches import train_preset
    from dyad.training.published_recipes import BRANCHES

    changes = {"steps": steps, "epochs": epochs, "batch": batch, "rate": rate, "seed": seed, "precision": precision}
    policy = {"device": device, "minutes": minutes, "workers": workers}
    outcome = train_preset("topdown", output, preset, {"data": data, **changes}, **policy)
    tell_training(output / f"{BRANCHES['topdown'][preset].network}.safetensors", outcome, json)


@Parameter(name="*")
@dataclass(frozen=True)
class Learning:
    """What the networks that learn from sequences of poses have in common."""

    preset: Preset = "paper"
    data: Data = None
    on: On = None
    start: Start = None
    steps: Steps = None
    epochs: Epochs = None
    batch: Size = None
    rate: Rate = None
    seed: Seed = None
    precision: Precision = None
    minutes: Minutes = None
    device: Device = "auto"

    def __call__(self, kind: "Kind", output: Path, json: bool, **more: Any) -> None:
        from dyad.training.published_lifting import name_of, train_preset
        from dyad.training.published_recipes import SEQUENCES

        names = ("data", "on", "start", "steps", "epochs", "batch", "rate", "seed", "precision")
        changes = {name: getattr(self, name) for name in names} | more
        outcome = train_preset(kind, output, self.preset, changes, device=self.device, minutes=self.minutes)
        tell_training(output / f"{name_of(SEQUENCES[kind][self.preset])}.safetensors", outcome, json)


_AS_PUBLISHED = Learning()


def train_gcn_command(*, output: Out, learning: Learning = _AS_PUBLISHED, json: Json = False) -> None:
    """Train the graph network that completes and lifts 2D poses, on human36m if not told otherwise."""
    learning("gcn", output, json)


def train_tcn_command(*, output: Out, gcn: Gcn = None, learning: Learning = _AS_PUBLISHED, json: Json = False) -> None:
    """Train the Joint-TCN that corrects a GCN's poses over time, on human36m if not told otherwise."""
    learning("tcn", output, json, gcn=gcn)


def train_root_command(*, output: Out, gcn: Gcn = None, learning: Learning = _AS_PUBLISHED, json: Json = False) -> None:
    """Train the Root-TCN that tells depth over focal length, on human36m if not told otherwise."""
    learning("root", output, json, gcn=gcn)


def train_ssl_command(
    *,
    output: Out,
    unlabelled: Path | None = None,
    model: str = "lifting",
    preset: str = "laptop",
    steps: int | None = None,
    batch: int | None = None,
    rate: Rate = None,
    seed: Seed = None,
    precision: Precision = None,
    plausible: float | None = None,
    motions: Motions = None,
    minutes: Minutes = None,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Go on training a lifting network on videos without labels; OUT gets lifting.safetensors for `dyad lift --model`.

    The network as it is teaches a student, who learns most from what is consistent. Truth is never looked at.

    Parameters
    ----------
    unlabelled
        tracks.npz of `dyad run`, or a folder with any number of them.
    model
        The teacher: weights of a lifting network by name or file.
    preset
        laptop; gpu; or tiny, to see that all is well.
    steps
        Of the optimiser; else the preset's, as for the next one.
    batch
        Windows without labels a step.
    plausible
        Weight of what the discriminator of single poses says; 0 if not given.
    """
    from dyad.training.lifting import WEIGHTS
    from dyad.training.unlabelled_lifting import train_preset

    changes = {"steps": steps, "batch": batch, "rate": rate, "seed": seed, "precision": precision}
    given = {"unlabelled": unlabelled, "model": model, "plausible": plausible, "motions": motions, **changes}
    outcome = train_preset(output, preset, given, device=device, minutes=minutes)
    tell_training(output / WEIGHTS, outcome, json)


def add_to(app: App) -> None:
    """The commands of this file."""
    for name, command in (
        ("topdown", train_topdown_command),
        ("gcn", train_gcn_command),
        ("tcn", train_tcn_command),
        ("root", train_root_command),
        ("ssl", train_ssl_command),
    ):
        app.command(command, name=name)
