"""An hour of video: what comes after detection takes little more memory than for a minute."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dyad.core.tracks import Tracks
from tests.core.test_video import encode
from tests.soak.stored import store
from tests.soak.test_memory import MEASURE, _repeated

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(sys.platform == "win32", reason="peak memory of a process is not asked for here"),
]

ROOT = Path(__file__).resolve().parents[2]
SIZE, FPS, MINUTE = (160, 120), 30, 60
MINUTES = int(os.environ.get("DYAD_SOAK_MINUTES", "60"))
# Of a minute's peak.
MORE = 0.1
DETECTOR = f"{Path(__file__).with_name('stored.py')}:Stored"


def _run(video: Path, output: Path, detections: Path) -> dict:
    words = ["run", str(video), "-o", str(output), "--detector", DETECTOR, "--threads", "1", "--json"]
    command = [sys.executable, "-c", MEASURE, sys.executable, "-c", "from dyad.cli import main; main()", *words]
    known = {**os.environ, "DYAD_SOAK_DETECTIONS": str(detections)}
    # Plug-ins that are files import what lies beside the tests.
    known["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=known)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["status"] == 0, done.stderr
    return result | {"told": json.loads(result["told"][0])}


def result_bytes(tracks: Tracks) -> int:
    """What the result itself takes in memory."""
    return sum(value.numel() * value.element_size() for value in vars(tracks).values() if hasattr(value, "numel"))


def test_an_hour_takes_little_more_memory_than_a_minute(tmp_path: Path) -> None:
    patch = np.random.default_rng(0).integers(0, 255, (15, 20, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    images = [np.roll(patch, 30 - abs(k % 60 - 30), 1) for k in range(FPS * MINUTE)]
    minute = encode(tmp_path / "minute.mp4", images, fps=FPS)
    long = _repeated(minute, tmp_path / "long.mp4", MINUTES)
    found = store(tmp_path / "found", frames=FPS * MINUTE * MINUTES, fps=FPS, size=SIZE)
    first = _run(minute, tmp_path / "a", found)
    sys.stderr.write(f"\na minute takes {first['peak'] >> 20} MB\n")
    second = _run(long, tmp_path / "b", found)
    assert second["told"]["video"]["frames"] == FPS * MINUTE * MINUTES
    tracks = Tracks.load(tmp_path / "b")
    told = {"minute": first["peak"], "long": second["peak"], "result": result_bytes(tracks), "rows": len(tracks)}
    told |= {"a row more": (second["peak"] - first["peak"]) / len(tracks), "seconds": second["told"]["seconds"]}
    sys.stderr.write(f"\n{json.dumps(told)}\n")
    assert second["peak"] - first["peak"] < MORE * first["peak"], told
