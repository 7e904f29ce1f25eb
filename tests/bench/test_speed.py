import json
import sys
from pathlib import Path

import pytest

from dyad.bench.speed import bench_speed
from dyad.core.errors import BadUsage
from dyad.pipeline import Pipeline
from dyad.viewer.overlay import overlay_writer

STAGES = {
    "decode_per_frame",
    "propose_per_key_frame",
    "landmarks_per_person",
    "detect_per_frame",
    "track_per_frame",
    "lift_per_frame",
    "write_per_frame",
}
HOARDER = "import sys; kept = bytearray(200_000_000); sys.exit(int(sys.argv[1]))"


def _bench(status: int = 0, **options: int) -> tuple[dict, list[tuple[Path, Path]]]:
    parts = Pipeline.default(device="cpu")
    asked: list[tuple[Path, Path]] = []
    result = bench_speed(
        run=lambda path, output: asked.append((path, output)),
        program=[sys.executable, "-c", HOARDER, str(status)],
        overlay=overlay_writer,
        detector=parts.detector,
        tracker=parts.tracker,
        lifter=parts.lifter,
        people=1,
        seconds=0.2,
        size=(320, 180),
        **{"repeats": 1, **options},
    )
    return result, asked


def test_every_stage_is_timed_and_the_memory_is_that_of_the_command(blazepose_folder: Path) -> None:
    result, asked = _bench()
    assert set(result["stages"]) == STAGES
    assert all(set(ms) == {"wall_ms", "cpu_ms"} and min(ms.values()) >= 0 for ms in result["stages"].values())
    assert result["stages"]["landmarks_per_person"]["wall_ms"] > 0
    assert result["clip"] | {"people_tracked": 0} == {"size": [320, 180], "frames": 5, "people": 1, "people_tracked": 0}
    assert set(result["whole"]) == {"frames_per_second", "cpu_ms_per_frame"}
    assert len(asked) == 1
    assert not asked[0][0].exists()
    if sys.platform == "win32":
        assert result["peak_memory_mb"] is None
    else:
        assert 200 < result["peak_memory_mb"] < 300
    assert {"cores", "cpu", "torch_threads", "device", "python", "torch", "av"} <= set(result["machine"])
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_a_run_that_fails_has_no_memory(blazepose_folder: Path) -> None:
    assert _bench(status=3)[0]["peak_memory_mb"] is None


def test_nothing_can_be_measured_no_times(blazepose_folder: Path) -> None:
    with pytest.raises(BadUsage, match="at least once"):
        _bench(repeats=0)
