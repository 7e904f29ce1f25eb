"""`dyad flow`: where every pixel goes from each frame to the next."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from dyad.cli.console import Device, Json, Out, Threads, dumps, frame_range, print_line, progress, use_threads
from dyad.core.errors import BadInput, BadUsage

if TYPE_CHECKING:
    from dyad.core.flow import Flow
    from dyad.core.protocols import FlowEstimator
    from dyad.core.video import Chunk, Video

_AT_ONCE = 8
_AHEAD = 32
"""Flows looked at before the scale of the colours is settled."""


def flow_command(
    video: str,
    second: str | None = None,
    /,
    *,
    output: Out,
    model: str = "raft-small-people",
    to: Literal["flo", "png", "npz", "none"] = "flo",
    colours: bool = True,
    scale: float | None = None,
    frames: str | None = None,
    every: int = 1,
    iterations: int | None = None,
    padding: Literal["sintel", "kitti"] = "sintel",
    warm: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    occlusion: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    device: Device = "auto",
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Estimate optical flow; OUT gets a file a frame, or flow.npz, and flow.mp4 (flow.png of two images) in colours.

    Parameters
    ----------
    video
        A video file or a folder of images; or the first of two images.
    second
        The second image.
    model
        Weights of a RAFT or GMA by name or file, or a folder of flow files; several with commas are averaged.
    to
        flo, png (KITTI's), npz (one for all) or none.
    colours
        Write the video in which the hue is the direction and the saturation the speed.
    scale
        Pixels of motion at which colours are purest; chosen by the first flows if not given.
    frames
        A:B, frames A to B - 1.
    every
        Take each N-th frame.
    iterations
        How often the network updates its flow; what its weights are made for if not given, or 20.
    padding
        How sides become multiples of 8 px: sintel (all around) or kitti (rows below only).
    warm
        Start each pair from the flow of the last one.
    occlusion
        Ask backwards, too, and store which pixels are seen in one image only; needs --to npz.
    """
    from dyad.core.devices import pick_device
    from dyad.stages.flow import CheckedFlow, make_flow

    use_threads(threads)
    if occlusion and to != "npz":
        raise BadUsage(f"--occlusion is stored in an .npz only: add --to npz, got --to {to}")
    if scale is not None and not 0 < scale < float("inf"):
        raise BadUsage(f"--scale is a number of px above 0, got {scale}")
    source = _pair(video, second) if second else _video(video, frames, every)
    policy: dict[str, Any] = {"padding": padding, "warm": warm}
    if iterations is not None:
        policy["iterations"] = iterations
    estimator = make_flow(model, pick_device(device), **policy)
    with progress() as told:
        flows = _flows(source, CheckedFlow(estimator) if occlusion else estimator, told, still=second is not None)
        facts = _write(flows, output, to=to, colours=colours, scale=scale, still=second is not None)
    if json:
        print_line(dumps({"folder": str(output), "model": model, **facts}))
    else:
        count, px = facts["pairs"], facts["largest_px"]
        print_line(f"{count} {'flow' if count == 1 else 'flows'} in {output}; the fastest pixel moves {px:.1f} px")


def _video(path: str, frames: str | None, every: int) -> "Video":
    from dyad.core.video import Video

    return Video(path, frames=frame_range(frames), every=every)


def _pair(first: str, second: str) -> "Video":
    import numpy as np

    from dyad.core.video import Video

    images = [Video(path)[0] for path in (first, second)]
    if images[0].shape != images[1].shape:
        sizes = " and ".join(f"{image.shape[1]}x{image.shape[0]}" for image in images)
        raise BadInput(f"flow leads between two images of one size, got {sizes} px")
    return Video(np.stack(images), fps=25)


def _flows(
    video: "Video", estimator: "FlowEstimator", told: Any, *, still: bool
) -> Iterator[tuple[int, float, "Flow"]]:
    """(frame, time, flow) of every pair. Two stills are a pair however little they resemble."""
    import torch

    from dyad.core.pairs import pairs

    done, expected = 0, video.expected
    chunks: Iterator[tuple[Chunk, Chunk]] = pairs(video, _AT_ONCE, across_cuts=still)
    with torch.no_grad():
        for first, second in chunks:
            found = estimator(first, second)
            done += len(first)
            told("flow", done, expected and expected - 1)
            for k in range(len(first)):
                yield int(first.indices[k]), float(first.times[k]), found[k]
    if not done:
        raise BadInput(f"flow leads from one frame to the next, and {video.name or 'the input'} has no two in one shot")


def _write(
    flows: Iterator[tuple[int, float, "Flow"]],
    folder: Path,
    *,
    to: str,
    colours: bool,
    scale: float | None,
    still: bool,
) -> dict[str, Any]:
    """Write all of it; what there is to tell."""
    import math

    import torch

    from dyad.core.flow import Flow
    from dyad.core.flow_files import write_flow
    from dyad.export.flow_archive import flow_archive
    from dyad.export.flow_video import flow_video, scale_of, write_flow_image

    ahead = [item for _, item in zip(range(_AHEAD), flows, strict=False)]
    full = scale or scale_of(Flow(torch.stack([flow.uv for _, _, flow in ahead])))
    count, largest = 0, 0.0
    with ExitStack() as open_files:
        archive = open_files.enter_context(flow_archive(folder / "flow.npz")) if to == "npz" else None
        film = open_files.enter_context(flow_video(folder / "flow.mp4", full=full)) if colours and not still else None
        for frame, time, flow in _all(ahead, flows):
            if archive is not None:
                archive.write(flow, frame)
            elif to != "none":
                write_flow(folder / f"{frame:06d}.{to}", flow)
            if film is not None:
                film.write(flow, time)
            elif colours:
                write_flow_image(folder / "flow.png", flow, full=full)
            speed = torch.linalg.vector_norm(flow.uv[:, flow.known], dim=0)
            count, largest = count + 1, max(largest, float(speed.max()) if speed.numel() else 0.0)
    return {"pairs": count, "largest_px": largest if math.isfinite(largest) else None, "scale_px": full}


def _all(ahead: list, rest: Iterator) -> Iterator:
    """Those looked at ahead, which are let go of one by one, and the rest."""
    while ahead:
        yield ahead.pop(0)
    yield from rest
