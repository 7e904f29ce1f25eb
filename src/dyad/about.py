"""What this installation is and has."""

import platform
from importlib import metadata

import torch

from dyad import __version__
from dyad.models.weights import cache_folder, list_weights
from dyad.stages import DETECTORS
from dyad.stages.plugins import KINDS, plugin_names


def about() -> dict[str, str]:
    """Versions, devices, weights and detectors, each as text."""
    facts = {
        "dyad": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "torch": torch.__version__,
        "threads": str(torch.get_num_threads()),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "mps": "yes" if torch.backends.mps.is_available() else "no",
        "cache": str(cache_folder()),
        "weights": ", ".join(f"{entry.file} {entry.state}" for entry in list_weights()),
        "detectors": ", ".join(DETECTORS),
        "plug-ins": ", ".join(f"{kind} {name}" for kind in KINDS for name in plugin_names(kind)) or "none",
    }
    for package in ("av", "numpy", "scipy", "transformers", "onnxruntime"):
        try:
            facts[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            facts[package] = "not installed"
    return facts
