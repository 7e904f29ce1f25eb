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
    from dyad.core.flow import Flow
    from dyad.core.protocols import Detector, FlowEstimator, Integrator, Lifter, Tracker
    from dyad.core.skeleton import Skeleton
    from dyad.core.tracks import Flag, Tracks, Window, World
    from dyad.core.video import Chunk, Video
    from dyad.export.saving import Exported, export_tracks
    from dyad.pipeline import Pipeline
    from dyad.streaming import Stream, stream
    from dyad.workfolder import Coverage, Result, load, refine, run

_HOMES = {
    "dyad.bench.evaluate": ("evaluate",),
    "dyad.core.camera": ("Camera",),
    "dyad.core.clip": ("Clip",),
    "dyad.core.detections": ("Detections",),
    "dyad.core.errors": ("BadInput", "BadUsage", "DyadError", "MissingExtra", "MissingWeights"),
    "dyad.core.flow": ("Flow",),
    "dyad.core.protocols": ("Detector", "FlowEstimator", "Integrator", "Lifter", "Tracker"),
    "dyad.core.skeleton": ("Skeleton",),
    "dyad.core.tracks": ("Flag", "Tracks", "Window", "World"),
    "dyad.core.video": ("Chunk", "Video"),
    "dyad.export.saving": ("Exported", "export_tracks"),
    "dyad.pipeline": ("Pipeline",),
    "dyad.streaming": ("Stream", "stream"),
    "dyad.workfolder": ("Coverage", "Result", "load", "refine", "run"),
}

__all__ = [
    "BadInput", "BadUsage", "Camera", "Chunk", "Clip", "Coverage", "Detections", "Detector", "DyadError", "Exported",
    "Flag", "Flow", "FlowEstimator", "Integrator", "Lifter", "MissingExtra", "MissingWeights", "Pipeline", "Result",
    "Skeleton", "Stream", "Tracker", "Tracks", "Video", "Window", "World", "evaluate", "export_tracks", "load",
    "refine", "run", "stream",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'dyad' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
