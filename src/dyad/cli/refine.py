"""`dyad refine`: poses and optical flow that agree, from tracks that there are."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from dyad.cli.console import Device, Json, Out, Threads, progress, tell, use_threads


def refine_command(
    video: str,
    /,
    *,
    tracks: Path,
    output: Out,
    detections: Path | None = None,
    focal: float | None = None,
    fov: float | None = None,
    camera: Path | None = None,
    flow: str = "raft-small-people",
    recipe: Literal["fast", "paper", "released"] = "fast",
    mode: Literal["3d", "2d"] | None = None,
    cycles: int = 1,
    flow_side: int = 960,
    save_flow: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    resume: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    device: Device = "auto",
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Let poses and optical flow correct each other; OUT gets tracks.npz, run.json, overlay.mp4 and report.html.

    Parameters
    ----------
    video
        The video that the tracks were made from.
    tracks
        tracks.npz, the folder of a run, or what another tool wrote: docs/estimates.md lists them. Several with commas
        are averaged.
    detections
        A file of other 2D joints of the same people, to which the poses should keep.
    focal
        Focal length in pixels, for poses of other tools.
    fov
        Horizontal field of view in degrees, likewise.
    camera
        TOML file with size and focal, likewise.
    flow
        Weights of a RAFT or GMA by name or file, or a folder of flow files; several with commas are averaged.
    recipe
        fast; paper tunes the flow network for each video, as published, and takes hours; released as in its code, which
        knows one person with 14 joints at a time, and nothing for --mode 2d but what is drawn over the flow.
    mode
        2d moves the 2D joints alone, where the 3D is not to be relied on; 3d if there is any.
    cycles
        Turns of pose and flow; of recipe fast at most, for a score without labels ends it sooner.
    flow_side
        Longer side in pixels of the images that a flow network sees; larger ones are shrunk.
    save_flow
        Also write the corrected flow: flow.npz, and flow.mp4 in colours.
    resume
        Go on where an interrupted call with the same arguments was.
    """
    from dyad.workfolder import refine

    use_threads(threads)
    with progress() as told:
        result = refine(
            video,
            tracks,
            output,
            detections=detections,
            camera=camera,
            focal=focal,
            fov=fov,
            flow=flow,
            recipe=recipe,
            mode=mode,
            cycles=cycles,
            flow_side=flow_side,
            save_flow=save_flow,
            resume=resume,
            device=device,
            progress=told,
        )
    tell(result, json)
