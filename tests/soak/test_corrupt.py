"""A thousand damaged videos: each run ends with 0 or 3, in time, says in one line what is wrong, leaves no scraps."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest

from dyad.core.tracks import Tracks
from tests.soak.corruption import corrupted, make_clips

COPIES = int(os.environ.get("DYAD_SOAK_COPIES", "1000"))
FIRST = int(os.environ.get("DYAD_SOAK_FIRST", "0"))
WORKERS = int(os.environ.get("DYAD_SOAK_WORKERS", "2"))
# The network costs ten times all the rest, and what it is shown is never damaged: it sees some of them.
BLAZEPOSE = 10
STANDIN = f"{Path(__file__).resolve().parents[1] / 'standin.py'}:StandIn"
LIMIT = 60.0
WRITTEN = {"tracks.npz", "run.json", "overlay.mp4", "report.html"}


class Worker:
    """A long-lived process of `worker.py`, started again after a crash."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._process: subprocess.Popen[str] | None = None

    def __call__(self, arguments: list[str]) -> dict:
        process = self._process or self._start()
        process.stdin.write(json.dumps(arguments) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if answer:
            return json.loads(answer)
        self._process = None
        return {
            "status": f"died with {process.wait()}",
            "out": "",
            "err": self._log.read_text(errors="replace")[-3000:],
        }

    def _start(self) -> subprocess.Popen[str]:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("worker.py")), str(LIMIT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log.open("w"),
            text=True,
        )
        return self._process

    def close(self) -> None:
        if self._process is not None:
            self._process.stdin.close()
            self._process.wait()


def complaint(answer: dict, folder: Path) -> str | None:
    """What is wrong with how a run ended."""
    lines = answer["err"].splitlines()
    files = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if answer["status"] not in (0, 3) or "Traceback" in answer["err"]:
        return f"ended with {answer['status']}:\n{answer['err']}"
    if scraps := files - WRITTEN:
        return f"left {sorted(scraps)}"
    if answer["status"] == 3 and (len(lines) != 1 or not lines[0].startswith("dyad: ")):
        return f"said what is wrong in {len(lines)} lines:\n{answer['err']}"
    if answer["status"] == 0:
        if files != WRITTEN:
            return f"wrote only {sorted(files)}"
        Tracks.load(folder)
        json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return None


@pytest.mark.soak
def test_no_damaged_file_breaks_a_run(tmp_path, blazepose_folder, capsys):
    clips = [(path.suffix, path.read_bytes()) for path in make_clips(tmp_path)]
    numbers: SimpleQueue[int] = SimpleQueue()
    for number in range(FIRST, FIRST + COPIES):
        numbers.put(number)

    def work(name: str) -> list[tuple[int, object, str | None]]:
        worker, done = Worker(tmp_path / f"{name}.log"), []
        while True:
            try:
                number = numbers.get_nowait()
            except Empty:
                worker.close()
                return done
            path = tmp_path / f"copy{number}{clips[number % len(clips)][0]}"
            path.write_bytes(corrupted([data for _, data in clips], number))
            folder = tmp_path / f"out{number}"
            detector = () if number % (BLAZEPOSE + 1) == 0 else ("--detector", STANDIN)
            answer = worker(["run", str(path), "-o", str(folder), "--threads", "1", *detector])
            what = complaint(answer, folder)
            done.append((number, answer["status"], what))
            if what or number % 100 == 99:
                sys.stdout.write(f"copy {number} {what or 'is done'}\n")
                sys.stdout.flush()
            path.unlink()
            shutil.rmtree(folder, ignore_errors=True)

    # Half an hour is long to wait for the first word.
    with capsys.disabled(), ThreadPoolExecutor(WORKERS) as pool:
        done = [entry for entries in pool.map(work, map(str, range(WORKERS))) for entry in entries]
        counts = Counter(str(status) for _, status, _ in done)
        sys.stdout.write(f"{len(done)} damaged copies; exit statuses {dict(counts)}\n")
    assert len(done) == COPIES
    wrong = sorted(number for number, _, what in done if what)
    assert not wrong, f"copies {wrong} went wrong; see above"
    # Neither outcome is the only one, else the damage were too small or too great to tell anything.
    assert min(counts["0"], counts["3"]) > COPIES / 20
