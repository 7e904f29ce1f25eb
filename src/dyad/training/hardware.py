"""The machine that trains: which device to take, how many cores there are, and what to write on a card."""

import os
import platform

import torch

from dyad.core.devices import pick_device
from dyad.training.peers import local_rank


def device_named(name: str) -> torch.device:
    """The device of a name, as `pick_device` has it. BadUsage for one that is not there.

    Under torchrun, "auto" and "cuda" are the GPU with the number of the process on its machine. Processes exchange
    nothing on MPS: there "auto" takes the CPU.
    """
    own = local_rank()
    if own is None:
        return pick_device(name)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = pick_device(f"cuda:{own}" if name == "cuda" else name)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def hardware(device: torch.device) -> dict[str, str | int]:
    """What trained, in words."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    return {"device": name, "cores": cores(), "torch": str(torch.__version__), "python": platform.python_version()}
