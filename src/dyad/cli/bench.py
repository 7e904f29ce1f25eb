"""`dyad bench`: quality and speed, measured."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from dyad.cli.bench_agreement import bench_agreement_command
from dyad.cli.bench_integration import bench_integration_command
from dyad.cli.bench_refine import bench_refine_command
from dyad.cli.bench_uncertainty import bench_uncertainty_command
from dyad.cli.console import Device, Json, Thorough, Threads, print_line, progress, report, use_threads

if TYPE_CHECKING:
    from dyad.core.camera import Camera
    from dyad.core.video import Video
    from dyad.workfolder import Result

StoredOnly = Annotated[
    bool, Parameter(negative="", show_default=False, help="Run nothing: score what is stored beside the annotations.")
]

bench_app = App(name="bench", help="Quality and speed, measured.")
bench_app.command(bench_agreement_command, name="agreement")
bench_app.command(bench_refine_command, name="refine")
bench_app.command(bench_integration_command, name="integration")
bench_app.command(bench_uncertainty_command, name="uncertainty")


@bench_app.command(name="people")
def bench_people_command(
    *,
    data: Path,
    thorough: Thorough = False,
    compare: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    heads: str | None = None,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Recall, precision and OKS of the people found, on every COCO-format keypoint file below a folder.

    All of them also by people's height, and by how much people overlap. Clips of MuPoTS-3D in the folder count as
    well, every 25th of their frames as an image of its own.

    Parameters
    ----------
    data
        Folder with the JSON files, images beside or below them; or with TSxx.npz and TSxx_374px.mp4.
    compare
        A table of BlazePose alone, with the heads that come with Dyad, and --thorough.
    heads
        Compare other heads: the name or file of what `dyad train bottomup` made, also without BlazePose's proposals.
    """
    if not compare and heads is None:
        from dyad.bench.people import bench_people
        from dyad.pipeline import Pipeline

        report(bench_people(data, detector=Pipeline.default(thorough=thorough, device=device).detector), json)
        return
    from dyad.bench.people import as_text, compare_people
    from dyad.bench.people_detectors import people_detectors
    from dyad.core.devices import pick_device

    scores = compare_people(data, people_detectors(pick_device(device), heads))
    if json:
        report(scores, True)
    else:
        print_line(as_text(scores))


@bench_app.command(name="mupots")
def bench_mupots_command(
    *,
    data: Path,
    stored_only: StoredOnly = False,
    thorough: Thorough = False,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Strict PCK, PCK_abs and coverage on every MuPoTS-3D sequence in a folder, with the true camera and nothing else.

    Poses that the published system stored in TSxx.npz are scored too, strictly and as its scripts do ("released"), and
    what Dyad's lifting makes of its 2D joints, and Dyad's integration of its two branches.

    Parameters
    ----------
    data
        Folder with TSxx_374px.mp4 and TSxx.npz, or the data set as it is distributed (docs/datasets.md has both).
    """
    from dyad.bench.mupots import bench_mupots
    from dyad.bench.mupots_parts import own_parts
    from dyad.core.devices import pick_device
    from dyad.workfolder import run

    with progress() as told:

        def pipeline(path: "Path | Video", *, camera: "Camera | None") -> "Result":
            return run(path, camera=camera, thorough=thorough, device=device, progress=told)

        parts = own_parts(pick_device(device))
        scores = bench_mupots(data, run=None if stored_only else pipeline, parts=parts)
    report(scores, json)


@bench_app.command(name="run")
def bench_run_command(
    *, people: int = 2, seconds: float = 8.0, device: Device = "auto", threads: Threads = None, json: Json = False
) -> None:
    """Speed of each stage and of the whole, and peak memory, on a drawn 720p clip.

    Parameters
    ----------
    people
        How many people the clip shows.
    seconds
        Length of the clip.
    """
    from dyad.bench.speed import bench_speed
    from dyad.pipeline import Pipeline
    from dyad.viewer.overlay import overlay_writer
    from dyad.workfolder import run

    use_threads(threads)
    parts: Any = Pipeline.default(device=device)
    scores = bench_speed(
        run=lambda path, output: run(path, output, device=device),
        program=[sys.executable, "-c", "from dyad.cli import main; main()", "run", "--device", device],
        overlay=overlay_writer,
        **{name: getattr(parts, name) for name in ("detector", "tracker", "lifter")},
        people=people,
        seconds=seconds,
    )
    report(scores, json)


@bench_app.command(name="rendered")
def bench_rendered_command(
    *,
    scenes: int = 40,
    thorough: Thorough = False,
    device: Device = "auto",
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Recall and OKS on rendered people by distance, height and clothes: whether ours look like people to a network.

    Parameters
    ----------
    scenes
        How many random scenes.
    """
    from dyad.bench.rendered import bench_rendered
    from dyad.pipeline import Pipeline

    use_threads(threads)
    parts = Pipeline.default(thorough=thorough, device=device)
    with progress() as told:
        scores = bench_rendered(detector=parts.detector, tracker=parts.tracker, scenes=scenes, progress=told)
    report(scores, json)


@bench_app.command(name="models")
def bench_models_command(
    *names: str, repeats: int = 5, device: Device = "cpu", threads: Threads = None, json: Json = False
) -> None:
    """Parameters, milliseconds and peak memory of every network at stated sizes, forward alone and with backward.

    Parameters
    ----------
    names
        Networks to measure; without them all that Dyad knows.
    repeats
        Runs of which the median counts.
    """
    from dyad.bench.models import bench_models, table
    from dyad.core.devices import pick_device

    place = str(pick_device(device))
    with progress() as told:
        scores = bench_models(names, repeats=repeats, device=place, threads=threads, progress=told)
    if json:
        report(scores, True)
    else:
        print_line(table(scores))


@bench_app.command(name="flow")
def bench_flow_command(
    *,
    data: Path,
    model: str | None = None,
    weights: Path | None = None,
    iterations: int | None = None,
    device: Device = "auto",
    threads: Threads = None,
    json: Json = False,
) -> None:
    """End-point error, Fl-all and milliseconds of a flow network on every pair of frames whose flow is known.

    Parameters
    ----------
    data
        Folder with two images and a .flo, or with Sintel, Middlebury, FlyingChairs or KITTI as they come.
    model
        Name of weights (`dyad weights list`), our own if not given; with --weights the network that the file is of.
    weights
        A checkpoint: Dyad's own, or an original .pth.
    iterations
        How often the network updates its flow; what its weights are made for if not given, or 20.
    """
    from dyad.bench.flow import bench_flow, load_with_iterations
    from dyad.core.devices import pick_device
    from dyad.core.errors import BadUsage

    if iterations is not None and iterations < 1:
        raise BadUsage(f"--iterations takes a number of 1 or more, got {iterations}")
    use_threads(threads)
    network, usual = load_with_iterations(model, weights)
    iterations = usual if iterations is None else iterations
    with progress() as told:
        scores = bench_flow(data, network=network, iterations=iterations, device=pick_device(device), progress=told)
    report(scores, json)
