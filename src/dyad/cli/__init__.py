"""The command line: each verb reads its options, calls the library, and says what came of it."""

import logging
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import cyclopts
from cyclopts import App
from rich.console import Console

from dyad import __version__
from dyad.cli.bench import bench_app
from dyad.cli.console import (
    ERR,
    Device,
    Json,
    Out,
    Thorough,
    Threads,
    dumps,
    fail,
    frame_range,
    print_line,
    progress,
    tell,
    use_threads,
)
from dyad.cli.evaluation import evaluation_command
from dyad.cli.export import export_command
from dyad.cli.flow import flow_command
from dyad.cli.integrate import integrate_command
from dyad.cli.lift import lift_command
from dyad.cli.refine import refine_command
from dyad.cli.report import report_command
from dyad.cli.running import Ray, Resume, Workers, run_all
from dyad.cli.synth import synth_command
from dyad.cli.train import train_app
from dyad.cli.weights import weights_app
from dyad.core.errors import BadInput, BadUsage, DyadError

FAULT = 1
INTERRUPTED = 130

app = App(
    name="dyad",
    version=__version__,
    help="The 3D motion of everyone in an ordinary video, in metres and in one camera frame.\n\n"
    "Start with `dyad demo`, then `dyad run VIDEO -o OUT`. With --debug, errors come with a traceback.",
    help_format="plaintext",
    console=Console(highlight=False),
    # `main` says what an interruption left.
    suppress_keyboard_interrupt=False,
)
app.command(weights_app)
app.command(bench_app)
app.command(train_app)
app.command(synth_command, name="synth")
app.command(evaluation_command, name="eval")
app.command(flow_command, name="flow")
app.command(export_command, name="export")
app.command(lift_command, name="lift")
app.command(refine_command, name="refine")
app.command(report_command, name="report")
app.command(integrate_command, name="integrate")


@app.command(name="run")
def run_command(
    *video: str,
    output: Out,
    focal: float | None = None,
    fov: float | None = None,
    camera: Path | None = None,
    height: float | None = None,
    frames: str | None = None,
    every: int = 1,
    detector: str = "blazepose",
    tracker: str | None = None,
    lifter: str | None = None,
    weights: str | None = None,
    max_people: int | None = None,
    thorough: Thorough = False,
    key_interval: float | None = None,
    refine: bool = False,
    flow: str = "raft-small-people",
    resume: Resume = False,
    workers: Workers = 1,
    ray: Ray = None,
    seconds: float | None = None,
    device: Device = "auto",
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Find everyone in a video, in 3D; OUT gets tracks.npz, run.json, overlay.mp4 and report.html.

    Without --focal, --fov or --camera the focal length is a guess, and so is every distance from the camera. Of several
    videos, each gets a folder of its own in OUT.

    Parameters
    ----------
    video
        A video file, an image, or a folder of images; several of them, or a folder of videos; the number of a camera
        (0), or the address of a stream (rtsp://...).
    focal
        Focal length in pixels.
    fov
        Horizontal field of view in degrees.
    camera
        TOML file with size and focal, and maybe centre and distortion.
    height
        Stature of the people in metres, if known; fixes the scale.
    frames
        A:B, frames A to B - 1.
    every
        Take each N-th frame.
    detector
        Who finds people: blazepose, transformers, onnx, or a plug-in.
    tracker
        A plug-in in place of Dyad's own: its name, package.module:Object, or file.py:Object.
    lifter
        "geometric" places the 3D of the detector itself; or a plug-in, as above.
    weights
        PERSON,POSE: the two files or folders that another detector reads.
    max_people
        Keep the most evident ones.
    key_interval
        Seconds between the frames in which new people are looked for; 0.5 if not given, 0 for every frame.
    refine
        Also estimate optical flow, and let it and the poses correct each other.
    flow
        Whose flow: weights of a RAFT or GMA by name or file, or a folder of flow files.
    seconds
        End after so long, where the video is a camera or a stream; else Ctrl-C ends it.
    """
    options: dict[str, Any] = {
        "camera": camera,
        "focal": focal,
        "fov": fov,
        "height": height,
        "frames": frame_range(frames),
        "every": every,
        "detector": detector,
        "tracker": tracker,
        "lifter": lifter,
        "weights": tuple(weights.split(",")) if weights else (),
        "max_people": max_people,
        "thorough": thorough,
        "key_interval": key_interval,
        "refine": refine,
        "flow": flow,
        "device": device,
        "resume": resume,
    }
    run_all(video, output, options, workers=workers, ray=ray, seconds=seconds, threads=threads, json=json)


@app.command(name="demo")
def demo_command(
    *,
    output: Out = Path("demo_out"),
    seed: int = 16,
    people: int = 4,
    seconds: float = 5.0,
    device: Device = "auto",
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Draw four people who meet, shake hands, pass and wave; run on the clip, and score the result against its truth.

    Parameters
    ----------
    seed
        Another seed draws other people in another place.
    people
        How many, 1 to 8.
    seconds
        Length of the clip.
    """
    from dyad.demo import demo

    use_threads(threads)
    with progress() as told:
        result, scores = demo(output, seed=seed, people=people, seconds=seconds, device=device, progress=told)
    tell(result, json, scores=scores)


@app.command(name="view")
def view_command(output: Path, /) -> None:
    """Open the page of a finished run, or the index of a folder of runs, in the browser."""
    import webbrowser

    pages = [output / "report.html", output / "index.html"] if output.is_dir() else [output]
    page = next((place for place in pages if place.is_file()), pages[0]).resolve()
    if not page.is_file():
        raise BadInput(
            f"no page at {page}; `dyad run VIDEO -o OUT` makes OUT/report.html, `dyad report FOLDER` an index of runs"
        )
    if not webbrowser.open(page.as_uri()):
        print_line(f"Open {page} in a browser.")


@app.command(name="info")
def info_command(*, json: Json = False) -> None:
    """Versions, devices and weights at hand."""
    from dyad.about import about

    facts = about()
    print_line(dumps(facts) if json else "\n".join(f"{name:14} {value}" for name, value in facts.items()))


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit status; one line for what went wrong, unless --debug is given."""
    # Threads that spin while they wait make a busy machine stand still: a run was seen to take seven times as long.
    # It must be said before torch is loaded, which every verb does only when it runs.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, stream=sys.stderr, format="%(message)s")
    # Who trains wants to see how it goes; nothing speaks there unless something is trained.
    logging.getLogger("dyad.training").setLevel(logging.INFO)
    if ERR.is_terminal:
        # Who waits should know for what.
        logging.getLogger("dyad.models.weights").setLevel(logging.INFO)
    try:
        app(words, exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except cyclopts.CycloptsError as error:
        verb = " ".join(["dyad", *(error.command_chain or ())])
        sys.exit(fail(f"{str(error).rstrip('. ')}; see: {verb} --help", BadUsage.exit_status))
    except DyadError as error:
        if debug:
            traceback.print_exc()
        sys.exit(fail(str(error), error.exit_status))
    except KeyboardInterrupt:
        sys.exit(fail("interrupted; no half-written file was left", INTERRUPTED))
    except BrokenPipeError:
        # Whoever read us has heard enough. What is still in the buffer must go nowhere, or Python complains at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if debug:
            traceback.print_exc()
        where = f" {error.filename}" if error.filename else ""
        sys.exit(fail(f"cannot read or write{where}: {error.strerror or error}", BadInput.exit_status))
    except Exception as error:
        if debug:
            raise
        # Only here: it brings torch.
        from dyad.core.memory import out_of_memory

        if out_of_memory(error):
            sys.exit(
                fail("memory does not suffice; choose a smaller video or --device cpu, or end what else uses it", FAULT)
            )
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        sys.exit(fail(f"a fault in Dyad itself ({what}); run it again with --debug and report the traceback", FAULT))
