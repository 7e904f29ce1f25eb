import os

# Before torch is loaded: threads that spin while they wait make a busy machine stand still.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from dyad.cli import main
from dyad.export.video import clip_writer
from dyad.models.weights import WeightsError, find_blazepose, pull_blazepose
from dyad.synthetic.demo import demo_clip

ROOT = Path(__file__).resolve().parents[1]


class Ended(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line that says what is wrong."""
        (line,) = self.err.splitlines()
        assert line.startswith("dyad: ")
        assert self.out == ""
        return line.removeprefix("dyad: ")


Dyad = Callable[..., Ended]


@pytest.fixture
def dyad(capsys) -> Dyad:
    """Runs the command line within this process."""

    def call(*words: object) -> Ended:
        capsys.readouterr()
        status = 0
        try:
            main([str(word) for word in words])
        except SystemExit as leave:
            status = int(leave.code or 0)
        return Ended(status, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def real() -> Path:
    """Folder of real clips and images; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("DYAD_REAL", ROOT / ".." / "shared" / "real")).resolve()
    if not folder.is_dir():
        pytest.skip(f"real material not found at {folder}; set DYAD_REAL")
    return folder


@pytest.fixture(scope="session")
def parity() -> Path:
    """Folder of inputs and outputs of the original code; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("DYAD_PARITY", ROOT / ".." / "shared" / "parity")).resolve()
    if not folder.is_dir():
        pytest.skip(f"parity material not found at {folder}; set DYAD_PARITY")
    return folder


@pytest.fixture(scope="session")
def mocap() -> Path:
    """Folder of motion capture; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("DYAD_MOCAP", ROOT / ".." / "shared" / "mocap")).resolve()
    if not folder.is_dir():
        pytest.skip(f"motion capture not found at {folder}; set DYAD_MOCAP")
    return folder


@pytest.fixture(scope="session")
def blazepose_folder() -> Path:
    """The folder with BlazePose's files, fetched once into the user's cache; tests skip where they cannot be had."""
    try:
        return find_blazepose() or pull_blazepose()
    except WeightsError as error:
        pytest.skip(f"BlazePose's weights are not at hand: {error}")


@pytest.fixture(scope="session")
def walkers(tmp_path_factory) -> Path:
    """A drawn clip of two people, 10 frames of 256x144 px at 25 a second."""
    path = tmp_path_factory.mktemp("walkers") / "walkers.mp4"
    clip = demo_clip(size=(256, 144), seconds=0.4, fps=25, people=2)
    with clip_writer(path) as writer:
        for chunk in clip.video.chunks(5):
            for image, time in zip(chunk.images, chunk.times.tolist(), strict=True):
                writer.write(image, time)
    return path
