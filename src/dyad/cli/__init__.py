"""The command line: each verb reads its options, calls the library, and says what came of it."""

import logging
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import cyclopts
from cyclopts import App, Parameter
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
from dyad.core.errors import BadInput, BadUsage, DyadError, MissingWeights

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
weights_app = App(name="weights", help="The networks' weights: what is there, and fetching the rest.")
app.command(weights_app)
app.command(bench_app)


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
            device=device,
            progress=told,
        )
    tell(result, json)


@app.command(name="demo")
def demo_command(
    *,
    output: Out = Path("demo_out"),
    seed: int = 0,
    people: int = 3,
    seconds: float = 5.0,
    device: Device = "auto",
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Draw a short clip of people whose motion is known, run on it, and score the result against the truth.

    Parameters
    ----------
    seed
        Another seed draws other people.
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


@weights_app.command(name="list")
def weights_list(*, json: Json = False) -> None:
    """Every file of weights: present or not, size, licence, source."""
    from dyad.models.weights import list_weights

    entries = list_weights()
    for entry in entries:
        ERR.print(
            f"{entry.state:8} {entry.file}  {entry.bytes:,} bytes  {entry.licence}  {entry.source}",
            soft_wrap=True,
            markup=False,
        )
    if json:
        print_line(
            dumps([{"file": e.file, "sha256": e.sha256, "state": e.state, "path": str(e.path)} for e in entries])
        )


@weights_app.command(name="pull")
def weights_pull(
    name: str = "blazepose", /, *, from_wheel: Annotated[Path | None, Parameter(name=["--from", "--from-wheel"])] = None
) -> None:
    """Fetch weights into the user's cache, from the package index or from a wheel at hand.

    Parameters
    ----------
    from_wheel
        The file mediapipe-0.10.21-….whl, if it was fetched by other means.
    """
    from dyad.models.weights import WeightsError, pull_blazepose

    if name != "blazepose":
        raise BadUsage(f"there are no weights {name!r} to pull; there is: blazepose")
    try:
        print_line(f"blazepose is in {pull_blazepose(from_wheel)}")
    except WeightsError as error:
        raise MissingWeights(str(error)) from error


@weights_app.command(name="verify")
def weights_verify() -> None:
    """Check every file of weights against its hash."""
    from dyad.models.weights import list_weights

    wrong = [entry for entry in list_weights() if not entry.present]
    for entry in list_weights():
        print_line(f"{entry.state:8} {entry.file}")
    if wrong:
        raise MissingWeights(f"{len(wrong)} files are absent or damaged; fetch them with: dyad weights pull blazepose")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit status; one line for what went wrong, unless --debug is given."""
    # Threads that spin while they wait make a busy machine stand still: a run was seen to take seven times as long.
    # It must be said before torch is loaded, which every verb does only when it runs.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, stream=sys.stderr, format="%(message)s")
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
