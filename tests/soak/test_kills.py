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

import pytest

from tests.core.test_video import encode, ramp

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX"),
]

KILLS = int(os.environ.get("DYAD_SOAK_KILLS", "20"))
FRAMES = 600


def start(clip: Path, output: Path, *words: str, **environment: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.soak.resumed", str(clip), str(output), *words]
    return subprocess.Popen(command, env={**os.environ, **environment}, start_new_session=True)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encode(tmp_path_factory.mktemp("clip") / "clip.mp4", [ramp(k % 200) for k in range(FRAMES)])


@pytest.fixture(scope="module")
def calm(clip, tmp_path_factory) -> tuple[bytes, float]:
    """The bytes of a run that nobody disturbs, and the seconds it takes."""
    folder, begun = tmp_path_factory.mktemp("calm"), time.monotonic()
    assert start(clip, folder, DYAD_STANDIN_PAUSE="0.02").wait() == 0
    return (folder / "tracks.npz").read_bytes(), time.monotonic() - begun


def test_random_kills_and_resumes_give_the_same_bytes(clip, calm, tmp_path) -> None:
    (whole, seconds), chance, out = calm, random.Random(7), tmp_path / "out"
    kills, found = 0, Counter[str]()
    while kills < KILLS:
        process = start(clip, out, "resume", DYAD_STANDIN_PAUSE="0.02")
        try:
            status = process.wait(chance.uniform(0.1, 0.8) * seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
            pieces = len(list(out.glob(".dyad-stages/found-*")))
            found["drawing" if (out / "tracks.npz").exists() else f"{pieces} pieces"] += 1
            continue
        # It came to its end in time: the result must be right, and the next kills hit another run.
        assert status == 0
        assert (out / "tracks.npz").read_bytes() == whole
        found["ends"] += 1
        shutil.rmtree(out)
    assert start(clip, out, "resume").wait() == 0
    assert (out / "tracks.npz").read_bytes() == whole
    assert sorted(p.name for p in out.iterdir()) == ["overlay.mp4", "report.html", "run.json", "tracks.npz"]
    sys.stderr.write(f"\n{kills} kills, found at them: {dict(found)}\n")


def test_a_cluster_that_loses_a_worker_finds_the_same(clip, calm, tmp_path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'dyad-pose[ray]'")
    died = tmp_path / "died"
    assert start(clip, tmp_path / "out", "ray", DYAD_STANDIN_DIE=str(died)).wait() == 0
    assert died.exists()
    assert (tmp_path / "out/tracks.npz").read_bytes() == calm[0]
