"""`dyad train integration` and `dyad train discriminator`."""

from pathlib import Path

from dyad.cli.console import Device, Json, Out, tell_training


def train_integration_command(
    *,
    output: Out,
    preset: str = "laptop",
    steps: int | None = None,
    rate: float | None = None,
    seed: int | None = None,
    precision: str | None = None,
    plausible: float | None = None,
    discriminator: str | None = None,
    minutes: float | None = None,
    motions: Path | None = None,
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
    rate
        Highest learning rate.
    seed
        Of the weights and of everything that is drawn.
    precision
        float32, bfloat16 or float16.
    plausible
        Weight of what discriminators say of pairs; needs --discriminator.
    discriminator
        Weights of the discriminators, by name or file.
    minutes
        Stop after so many.
    motions
        Folder of motion capture for a part of the motion; without, all is made up.
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
    rate: float | None = None,
    seed: int | None = None,
    minutes: float | None = None,
    motions: Path | None = None,
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
    rate
        Highest learning rate.
    seed
        Of the weights and of everything that is drawn.
    minutes
        Stop after so many.
    motions
        Folder of motion capture for a part of the motion.
    """
    from dyad.training.discriminator import WEIGHTS, train_preset

    changes = {"steps": steps, "rate": rate, "seed": seed, "motions": motions}
    outcome = train_preset(output, preset, changes, device=device, minutes=minutes)
    tell_training(output / WEIGHTS, outcome, json)
