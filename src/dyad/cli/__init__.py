"""The command line: each verb reads its options, calls the library, and says what came of it."""

import logging
import os
import sys
import traceback
from pathlib import Path

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
app.command(integrate_command, name="integrate")


@app.command(name="run")
def run_command(
    video: str,
    /,
    *,
    output: Out,
    focal: float | None = None,
    fov: float | None = None,
    camera: Path | None = None,
    height: float | None = None,
    frames: str | None = None,
    every: int = 1,
    detector: str = "blazepose",
    weights: str | None = None,
    max_people: int | None = None,
    thorough: Thorough = False,
    key_interval: float | None = None,
    refine: bool = False,
    flow: str = "raft-small-people",
    device: Device = "auto",
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Find everyone in a video, in 3D; OUT gets tracks.npz, run.json, overlay.mp4 and report.html.

    Without --focal, --fov or --camera the focal length is a guess, and so is every distance from the camera.

    Parameters
    ----------
    video
        A video file, an image, or a folder of images.
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
        Who finds people: blazepose, transformers or onnx.
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
    """
    from dyad.workfolder import run

    use_threads(threads)
    with progress() as told:
        result = run(
            video,
            output,
            camera=camera,
            focal=focal,
            fov=fov,
            height=height,
            frames=frame_range(frames),
            every=every,
            detector=detector,
            weights=tuple(weights.split(",")) if weights else (),
            max_people=max_people,
            thorough=thorough,
            key_interval=key_interval,
            refine=refine,
            flow=flow,
            device=device,
            progress=told,
        )
    tell(result, json)


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
    """Open the page of a finished run in the browser."""
    import webbrowser

    page = (output / "report.html" if output.is_dir() else output).resolve()
    if not page.is_file():
        raise BadInput(f"no page at {page}; `dyad run VIDEO -o OUT` makes OUT/report.html")
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
    except Exception as error:
        if debug:
            raise
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        sys.exit(fail(f"a fault in Dyad itself ({what}); run it again with --debug and report the traceback", FAULT))
