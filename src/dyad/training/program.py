"""What trainings have in common as programs: their words, the command that asks for the same again, and the card."""

import argparse
import json
import logging
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dyad import __version__
from dyad.core.errors import DyadError
from dyad.models.checkpoints import Checkpoint
from dyad.training.hardware import hardware
from dyad.training.loop import Outcome
from dyad.training.peers import Peers, local_rank
from dyad.training.recipes import TrainingRecipe

logger = logging.getLogger(__name__)

LOOP = {"minutes": float, "log_every": int, "save_every": int, "validate_every": int}
"""Words about how a training goes on, not about what comes of it."""


def command_of(stage: str, preset: str, **changes: Any) -> str:
    """How `dyad train` asks for a preset with changes; those that are None are left out.

    Of folders and files the names alone: where somebody keeps them is nobody else's business.
    """
    plain = {name: value.name if isinstance(value, Path) else value for name, value in changes.items()}
    given = [f"--{name} {shlex.quote(str(value))}" for name, value in plain.items() if value is not None]
    return " ".join(("dyad train", stage, "--preset", preset, *given))


def run(
    words: Sequence[str] | None,
    *,
    stage: str,
    presets: Mapping[str, Any],
    default: str,
    kinds: Mapping[str, type],
    train: Callable[..., Outcome],
    loop: Mapping[str, type] = LOOP,
) -> int:
    """`dyad train STAGE` for machines that have only what training needs; the exit status.

    Args:
        words: of the command line; those of the process if None.
        kinds: what may be changed of a preset, and its type.
        train: called with the output folder, the preset and the changes, then `device` and what `loop` names.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {train.__module__}", description=f"dyad train {stage}")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--preset", choices=tuple(presets), default=default)
    parser.add_argument("--device", default="auto")
    for name, kind in {**kinds, **loop}.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind)
    given = {name: value for name, value in vars(parser.parse_args(words)).items() if value is not None}
    policy = {name: given.pop(name) for name in ("device", *loop) if name in given}
    output, preset = given.pop("output"), given.pop("preset")
    level = logging.INFO if not local_rank() else logging.WARNING
    logging.basicConfig(level=level, stream=sys.stderr, format="%(asctime)s %(message)s")
    try:
        outcome = train(output, preset, given, **policy)
    except DyadError as error:
        logger.error("%s", error)
        return error.exit_status
    finally:
        Peers.part()
    logger.info("%s", json.dumps({"step": outcome.step, "stopped": outcome.stopped, "metrics": dict(outcome.metrics)}))
    return 0


def card(
    recipe: TrainingRecipe, outcome: Outcome, device: torch.device, *, command: str, log: Path, **about: Any
) -> dict[str, Any]:
    """What is to be known about weights: `about` what they learnt from, and how they came to be."""
    return {
        "trained_by": f"dyad {__version__}",
        "recipe": recipe.to_json(places=False),
        **about,
        "hardware": hardware(device),
        **({"processes": Peers.here().count} if Peers.here().count > 1 else {}),
        "steps": outcome.step,
        "seconds": round(outcome.seconds),
        "stopped": outcome.stopped,
        "metrics": dict(outcome.metrics),
        "licence": "Apache-2.0",
        "command": command,
        "curve": curve(log),
    }


def keep(checkpoint: Checkpoint, path: Path) -> None:
    """Write weights; of several processes that trained together the first does it."""
    if Peers.here().first:
        checkpoint.save(path)


def curve(log: Path) -> list[dict[str, Any]]:
    """What each validation found, out of a log."""
    lines = (json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()) if log.is_file() else ()
    return [line["metrics"] for line in lines if "metrics" in line]


def halved(network: nn.Module) -> dict[str, Tensor]:
    """Weights in half precision, on the CPU; what counts stays as it is."""
    return {
        name: value.detach().cpu().half() if value.is_floating_point() else value.detach().cpu()
        for name, value in network.state_dict().items()
    }
