"""Dyad: an ordinary video in, the 3D motion of everyone in it out, in metres and in one camera frame.

    import dyad
    result = dyad.run("clip.mp4", output="out")
    result.tracks.xyz          # (N, 17, 3) metres, one row a person and frame

Names are imported when first used, so that `import dyad` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from dyad.bench.evaluate import evaluate
    from dyad.core.camera import Camera
    from dyad.core.clip import Clip
    from dyad.core.detections import Detections
    from dyad.core.errors import BadInput, BadUsage, DyadError, MissingExtra, MissingWeights
    from dyad.core.protocols import Detector, Lifter, Tracker
    from dyad.core.skeleton import Skeleton
    from dyad.core.tracks import Tracks, World
    from dyad.core.video import Video
    from dyad.pipeline import Pipeline
    from dyad.workfolder import Result, load, refine, run

_HOMES = {
    "dyad.bench.evaluate": ("evaluate",),
    "dyad.core.camera": ("Camera",),
    "dyad.core.clip": ("Clip",),
    "dyad.core.detections": ("Detections",),
    "dyad.core.errors": ("BadInput", "BadUsage", "DyadError", "MissingExtra", "MissingWeights"),
    "dyad.core.protocols": ("Detector", "Lifter", "Tracker"),
    "dyad.core.skeleton": ("Skeleton",),
    "dyad.core.tracks": ("Tracks", "World"),
    "dyad.core.video": ("Video",),
    "dyad.pipeline": ("Pipeline",),
    "dyad.workfolder": ("Result", "load", "refine", "run"),
}

__all__ = [
    "BadInput", "BadUsage", "Camera", "Clip", "Detections", "Detector", "DyadError", "Lifter", "MissingExtra",
    "MissingWeights", "Pipeline", "Result", "Skeleton", "Tracker", "Tracks", "Video", "World", "evaluate", "load",
    "refine", "run",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'dyad' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
