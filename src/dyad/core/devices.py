"""Which device computes: the one that is named, or the quickest there is."""

import torch

from dyad.core.errors import BadUsage


def quickest_device() -> str:
    """CUDA, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def pick_device(name: str) -> torch.device:
    """The device that a name means; "auto" takes the quickest. BadUsage if it is not there."""
    if name == "auto":
        name = quickest_device()
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise BadUsage(f"the device {name!r} cannot be used ({reason}); try --device auto") from error
    return device
