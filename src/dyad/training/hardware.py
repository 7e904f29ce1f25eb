"""The machine that trains: which device to take, how many cores there are, and what to write on a card."""

import os
import platform

import torch

from dyad.core.errors import BadUsage
from dyad.training.peers import local_rank


def device_named(name: str) -> torch.device:
    """The device of a name; "auto" takes a GPU where there is one. BadUsage for one that is not there.

    Under torchrun, "auto" and "cuda" are the GPU with the number of the process on its machine.
    """
    own = local_rank()
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device("cuda", own) if name == "cuda" and own is not None else torch.device(name)
        if device.type == "cuda" and own is not None:
            torch.cuda.set_device(device)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise BadUsage(f"--device takes auto, cpu, cuda or mps, and one that is here, got {name!r}") from error
    return device


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def hardware(device: torch.device) -> dict[str, str | int]:
    """What trained, in words."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    return {"device": name, "cores": cores(), "torch": str(torch.__version__), "python": platform.python_version()}
