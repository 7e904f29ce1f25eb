"""Runs that are killed at any moment and resumed, and a cluster that loses a worker: the bytes of one calm run."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from dyad.core.flow import Flow
from dyad.export.flow_archive import flow_archive
from tests.core.test_video import SIZE, encode, ramp
from tests.soak.resumed import REFINED

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX"),
]

KILLS = int(os.environ.get("DYAD_SOAK_KILLS", "20"))
FRAMES = 600
SLOW = {"DYAD_STANDIN_PAUSE": "0.02"}


def start(clip: Path, output: Path, *words: str, **environment: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.soak.resumed", str(clip), str(output), *words]
    return subprocess.Popen(command, env={**os.environ, **environment}, start_new_session=True)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    random = np.random.default_rng(0)
    with flow_archive(folder / "flow.npz") as archive:
        for k in range(REFINED - 1):
            archive.write(Flow.from_numpy(random.normal(0, 0.5, (SIZE[1], SIZE[0], 2)).astype(np.float32)), k)
    return encode(folder / "clip.mp4", [ramp(k % 200) for k in range(FRAMES)])


@pytest.fixture(scope="module")
def calm(clip, tmp_path_factory) -> Path:
    """A run that nobody disturbs."""
    folder = tmp_path_factory.mktemp("calm")
    assert start(clip, folder).wait() == 0
    return folder


@pytest.mark.parametrize("words", [(), ("refine",)], ids=["", "refined"])
def test_random_kills_and_resumes_give_the_same_bytes(clip, tmp_path, words) -> None:
    begun = time.monotonic()
    assert start(clip, tmp_path / "calm", *words, **SLOW).wait() == 0
    seconds = time.monotonic() - begun
    whole = (tmp_path / "calm/tracks.npz").read_bytes()
    chance, out = random.Random(7), tmp_path / "out"
    kills, found = 0, Counter[str]()
    while kills < (KILLS if not words else KILLS // 2):
        process = start(clip, out, "resume", *words, **SLOW)
        try:
            status = process.wait(chance.uniform(0.1, 0.8) * seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
            found[_reached(out)] += 1
            continue
        # It came to its end in time: the result must be right, and the next kills hit another run.
        assert status == 0
        assert (out / "tracks.npz").read_bytes() == whole
        found["ends"] += 1
        shutil.rmtree(out)
    assert start(clip, out, "resume", *words).wait() == 0
    assert (out / "tracks.npz").read_bytes() == whole
    assert sorted(p.name for p in out.iterdir()) == ["overlay.mp4", "report.html", "run.json", "tracks.npz"]
    sys.stderr.write(f"\n{kills} kills, found at them: {dict(found)}\n")


def _reached(out: Path) -> str:
    """How far a killed run had come."""
    if (out / "tracks.npz").exists():
        return "drawing"
    refined = [name for name in ("estimate", "pose", "flow") if list(out.glob(f".dyad-stages/{name}-*"))]
    return f"after {refined[-1]}" if refined else f"{len(list(out.glob('.dyad-stages/found-*')))} pieces"


def test_a_cluster_that_loses_a_worker_finds_the_same(clip, calm, tmp_path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'dyad-pose[ray]'")
    died = tmp_path / "died"
    assert start(clip, tmp_path / "out", "ray", DYAD_STANDIN_DIE=str(died)).wait() == 0
    assert died.exists()
    assert (tmp_path / "out/tracks.npz").read_bytes() == (calm / "tracks.npz").read_bytes()
