"""`dyad train integration` and `dyad train discriminator`."""

from pathlib import Path

from dyad.cli.console import Device, Json, Out, tell_training
from dyad.cli.training_options import Minutes, Motions, Precision, Rate, Seed


def train_integration_command(
    *,
    output: Out,
    preset: str = "laptop",
    steps: int | None = None,
    rate: Rate = None,
    seed: Seed = None,
    precision: Precision = None,
    plausible: float | None = None,
    discriminator: str | None = None,
    minutes: Minutes = None,
    motions: Motions = None,
    start: Path | None = None,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Train a network that integrates estimates; OUT gets its weights, log.jsonl and state.safetensors.

    A stopped training, by Ctrl-C or by --minutes, goes on where it stopped when the call is repeated.

    Parameters
    ----------
    preset
        laptop, ours; paper, five layers of 512 on single frames as published; or tiny, to see that all is well.
    steps
        Of the optimiser; else the preset's, as for the next three.
    plausible
        Weight of what discriminators say of pairs; needs --discriminator.
    discriminator
        Weights of the discriminators, by name or file.
    start
        Weights to begin with.
    """
    from dyad.training.integration import train_preset
    from dyad.training.integration_recipes import INTEGRATION

    names = {"motions": motions, "start": start, "discriminator": discriminator}
    changes = {"steps": steps, "rate": rate, "seed": seed, "precision": precision, "plausible": plausible, **names}
    outcome = train_preset(output, preset, changes, device=device, minutes=minutes)
    tell_training(output / f"{INTEGRATION[preset].network}.safetensors", outcome, json)


def train_discriminator_command(
    *,
    output: Out,
    preset: str = "laptop",
    steps: int | None = None,
    rate: Rate = None,
    seed: Seed = None,
    minutes: Minutes = None,
    motions: Motions = None,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Train the discriminators of single people and of pairs; OUT gets discriminator.safetensors and log.jsonl.

    Parameters
    ----------
    preset
        laptop, or tiny to see that all is well.
    steps
        Of the optimiser; else the preset's, as for the next two.
    """
    from dyad.training.discriminator import WEIGHTS, train_preset

    changes = {"steps": steps, "rate": rate, "seed": seed, "motions": motions}
    outcome = train_preset(output, preset, changes, device=device, minutes=minutes)
    tell_training(output / WEIGHTS, outcome, json)
