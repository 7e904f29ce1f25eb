"""`dyad train integration` and `dyad train discriminator`."""

import logging
from pathlib import Path

from dyad.cli.console import Device, Json, Out, dumps, print_line


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
    from dyad.training.integration import implausible, integration_command, integration_recipe, train_integration

    logging.getLogger("dyad.training").setLevel(logging.INFO)
    changes = {"steps": steps, "rate": rate, "seed": seed, "precision": precision, "plausible": plausible}
    recipe = integration_recipe(preset, motions=motions, **changes)
    outcome = train_integration(
        output,
        recipe,
        device=device,
        minutes=minutes,
        start=start,
        discriminator=implausible(discriminator),
        command=integration_command(preset, motions=motions, start=start, discriminator=discriminator, **changes),
    )
    _tell(str(output / f"{recipe.network}.safetensors"), outcome.step, outcome.stopped, dict(outcome.metrics), json)


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
    from dyad.training.discriminator import (
        WEIGHTS,
        discriminator_command,
        discriminator_recipe,
        train_discriminator,
    )

    logging.getLogger("dyad.training").setLevel(logging.INFO)
    changes = {"steps": steps, "rate": rate, "seed": seed, "motions": motions}
    outcome = train_discriminator(
        output,
        discriminator_recipe(preset, **changes),
        device=device,
        minutes=minutes,
        command=discriminator_command(preset, **changes),
    )
    _tell(str(output / WEIGHTS), outcome.step, outcome.stopped, dict(outcome.metrics), json)


def _tell(weights: str, step: int, stopped: str | None, metrics: dict[str, object], json: bool) -> None:
    if json:
        print_line(dumps({"weights": weights, "step": step, "stopped": stopped, "metrics": metrics}))
    else:
        print_line(f"{weights} after step {step}")
