"""Damaged copies of every file that is read, a few of each in every run and minutes of each in `make soak-fuzz`."""

import json
import os
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.fuzz.attempts import Bench
from tests.fuzz.table import READERS

# Videos have a soak test of their own and cost most; here a few copies tell whether the harness works.
DEAR = ("video", "tflite", "kitti", "folder", "flow png", "smpl")
COPIES = {name: 4 if name.startswith(DEAR) else 16 for name in READERS}
SECONDS = float(os.environ.get("DYAD_FUZZ_SECONDS", "120"))
WORKERS = int(os.environ.get("DYAD_SOAK_WORKERS", "2"))
# Other copies each time, unless somebody wants the same again.
FIRST = int(os.environ.get("DYAD_FUZZ_FIRST", "0")) or int(time.time()) % 1_000_000 * 10_000


@pytest.mark.parametrize("name", list(READERS))
def test_a_damaged_file_is_read_or_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    bench = Bench.of(name, READERS[name], tmp_path)
    READERS[name].read(tmp_path)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        faults = {number: bench.attempt(number) for number in range(COPIES[name])}
    assert {number: fault for number, fault in faults.items() if fault} == {}


@pytest.mark.soak
def test_minutes_of_damage_find_no_fault(capsys: pytest.CaptureFixture[str]) -> None:
    start, stop = (float(part) * len(READERS) for part in os.environ.get("DYAD_FUZZ_PART", "0-1").split("-"))
    names = [name for name in [*READERS][round(start) : round(stop)] if os.environ.get("DYAD_FUZZ_ONLY", "") in name]

    def work(name: str) -> tuple[str, int, list[str]]:
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.worker", str(FIRST), str(SECONDS), name],
            capture_output=True,
            text=True,
            errors="replace",
            cwd=Path(__file__).resolve().parents[2],
        )
        told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"reader"')]
        faults = [f"copy {entry['number']} of {name} {entry['fault']}" for entry in told if "fault" in entry]
        if done.returncode:
            last = told[-1]["at"] if told else "none"
            faults.append(f"copy {last} of {name} ended the process ({done.returncode}):\n{done.stderr[-2000:]}")
        count = sum("at" in entry for entry in told)
        sys.stdout.write(f"{name}: {count} copies from {FIRST} on, {len(faults)} faults\n")
        sys.stdout.flush()
        return name, count, faults

    with capsys.disabled(), ThreadPoolExecutor(WORKERS) as pool:
        done = list(pool.map(work, names))
    faults = [fault for _, _, some in done for fault in some]
    assert not faults, "\n".join(["", *faults])
    assert all(count > SECONDS / 6 for _, count, _ in done), "a reader was hardly tried"
