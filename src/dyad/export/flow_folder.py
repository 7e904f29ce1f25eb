"""A video's flow as `dyad flow` leaves it: `flow.npz`, and `flow.mp4` in colours."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from dyad.core.flow import Flow, Flows
from dyad.export.flow_archive import flow_archive
from dyad.export.flow_video import flow_video, scale_of

FLOW_FILES = ("flow.npz", "flow.mp4")
_LOOKED_AT = 32
"""Flows from all over the video that settle the scale of the colours."""


def write_flow_folder(
    folder: Path, flows: Flows, positions: Sequence[int], frames: Sequence[int], times: Sequence[float]
) -> None:
    """Write the flows at some positions; `frames` and `times` (s) are those of all frames of the video.

    Nothing is written where there is no position.
    """
    if not positions:
        return
    some = positions[:: -(-len(positions) // _LOOKED_AT)]
    full = scale_of(Flow.stack([flows[position] for position in some]))
    with ExitStack() as files:
        archive = files.enter_context(flow_archive(folder / FLOW_FILES[0]))
        film = files.enter_context(flow_video(folder / FLOW_FILES[1], full=full))
        for position in positions:
            flow = flows[position]
            archive.write(flow, frames[position])
            film.write(flow, times[position])
