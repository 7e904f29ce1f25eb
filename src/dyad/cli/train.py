"""`dyad train`: weights made anew, on rendered people."""

from pathlib import Path
from typing import Any, Literal

from cyclopts import App

from dyad.cli.console import Device, Json, Out, tell_training
from dyad.cli.train_integration import train_discriminator_command, train_integration_command
from dyad.cli.train_published import add_to
from dyad.cli.training_options import Minutes, Motions, Precision, Rate, Seed
from dyad.core.errors import BadUsage

train_app = App(name="train", help="Train a network, on rendered people or on data sets of your own.")
train_app.command(train_integration_command, name="integration")
train_app.command(train_discriminator_command, name="discriminator")
add_to(train_app)


@train_app.command(name="flow")
def train_flow_command(
    *,
    output: Out,
    preset: str = "cpu",
    steps: int | None = None,
    batch: int | None = None,
    rate: Rate = None,
    seed: Seed = None,
    precision: Precision = None,
    minutes: Minutes = None,
    motions: Motions = None,
    backgrounds: Path | None = None,
    start: Path | None = None,
    workers: int | None = None,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Train a RAFT-small; OUT gets raft-small.safetensors, log.jsonl and state.safetensors.

    A stopped training, by Ctrl-C or by --minutes, goes on where it stopped when the call is repeated.

    Parameters
    ----------
    preset
        cpu, a quarter of an hour to see that all is well; laptop, two hours; or gpu.
    steps
        Of the optimiser; else the preset's, as for the next four.
    batch
        Pairs of frames a step.
    backgrounds
        Folder of images, to be seen behind people and on walls.
    start
        Weights to begin with, of another training; give another --seed than theirs.
    workers
        Processes that render, a divisor of the preset's streams (14 for gpu, else 2); from the cores if not given.
    """
    from dyad.training.flow import WEIGHTS, train_preset

    folders = {"motions": motions, "backgrounds": backgrounds, "start": start}
    changes = {"steps": steps, "batch": batch, "rate": rate, "seed": seed, "precision": precision, **folders}
    outcome = train_preset(output, preset, changes, device=device, minutes=minutes, workers=workers)
    tell_training(output / WEIGHTS, outcome, json)


@train_app.command(name="lift")
def train_lift_command(
    *,
    output: Out,
    preset: str = "laptop",
    steps: int | None = None,
    batch: int | None = None,
    rate: Rate = None,
    seed: Seed = None,
    precision: Precision = None,
    minutes: Minutes = None,
    motions: Motions = None,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Train a network that lifts tracked 2D joints; OUT gets lifting.safetensors, log.jsonl and state.safetensors.

    A stopped training, by Ctrl-C or by --minutes, goes on where it stopped when the call is repeated.

    Parameters
    ----------
    preset
        cpu, to see that all is well; laptop, half an hour; or gpu.
    steps
        Of the optimiser; else the preset's, as for the next four.
    batch
        Sequences a step.
    """
    from dyad.training.lifting import WEIGHTS, train_preset

    changes = {"steps": steps, "batch": batch, "rate": rate, "seed": seed, "precision": precision, "motions": motions}
    outcome = train_preset(output, preset, changes, device=device, minutes=minutes)
    tell_training(output / WEIGHTS, outcome, json)


@train_app.command(name="bottomup")
def train_bottomup_command(
    *,
    output: Out,
    preset: str = "cpu",
    data: Path | None = None,
    features: Literal["blazepose", "plain"] | None = None,
    steps: int | None = None,
    seed: Seed = None,
    minutes: float | None = None,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Train heads that find people on BlazePose's features; OUT gets person-heads.safetensors and log.jsonl.

    With --features plain the features are learnt as well, from nothing, to see what BlazePose's are worth. With the
    preset paper: the published network on HRNet-w32; OUT gets bottom-up.safetensors.

    Parameters
    ----------
    preset
        cpu, three minutes; or laptop, twenty; or paper, on data sets, and tiny to see that this is well.
    data
        Folder with the data sets in folders coco and muco, for paper and tiny.
    features
        blazepose, frozen; or plain, learnt from scratch: several times slower. Not for paper and tiny.
    steps
        Of the optimiser; else the preset's.
    minutes
        Stop after so many, rendering not counted.
    """
    from dyad.training.published_recipes import BRANCHES

    changes: dict[str, Any] = {"steps": steps, "seed": seed}
    if preset in BRANCHES["bottomup"]:
        from dyad.training import published_branches

        if features is not None:
            raise BadUsage(f"--features is for the presets that learn from rendered people, not for {preset}")
        given = {**changes, "data": data}
        outcome = published_branches.train_preset("bottomup", output, preset, given, device=device, minutes=minutes)
        weights = f"{BRANCHES['bottomup'][preset].network}.safetensors"
    else:
        from dyad.training import bottomup

        if data is not None:
            raise BadUsage(
                f"--data is for the presets {', '.join(BRANCHES['bottomup'])}; others learn from rendered people"
            )
        changes["features"] = features
        outcome = bottomup.train_preset(output, preset, changes, device=device, minutes=minutes)
        weights = bottomup.WEIGHTS
    tell_training(output / weights, outcome, json)
