"""`make soak`: all long tests, some parts at a time, and what came of each. Words choose parts by their names."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = int(os.environ.get("DYAD_SOAK_PROCESSES", "2"))


@dataclass(frozen=True)
class Part:
    """Tests of a file that run in one process; `settings` are defaults, which the environment overrides."""

    name: str
    tests: tuple[str, ...]
    settings: dict[str, str] = field(default_factory=dict)

    def __call__(self, log: Path) -> tuple[int, float]:
        """Exit status, and seconds."""
        begun = time.monotonic()
        command = [sys.executable, "-m", "pytest", "-m", "soak", "-s", "-p", "no:cacheprovider", *self.tests]
        settings = {"DYAD_SOAK_WORKERS": "1", **self.settings, **os.environ}
        with log.open("w") as file:
            done = subprocess.run(command, cwd=ROOT, env=settings, stdout=file, stderr=subprocess.STDOUT)
        return done.returncode, time.monotonic() - begun


def _fuzz(part: str) -> Part:
    settings = {"DYAD_FUZZ_SECONDS": "15", "DYAD_FUZZ_PART": part}
    return Part(f"fuzz {part}", ("tests/fuzz/test_readers.py",), settings)


# The longest first, so that both ends come together.
PARTS = (
    Part("hour", ("tests/soak/test_long.py",)),
    _fuzz("0-0.5"),
    Part("copies", ("tests/soak/test_corrupt.py",)),
    _fuzz("0.5-1"),
    Part("kills", ("tests/soak/test_kills.py", "-k", "kills")),
    Part("cluster", ("tests/soak/test_kills.py", "-k", "cluster")),
    Part("others", ("tests/fuzz/test_faults.py", "tests/export/test_blender.py")),
)


def main(words: Iterable[str] = ()) -> int:
    """Run the parts whose names contain one of the words, or all; 0 where none failed."""
    wanted = list(words)
    parts = [part for part in PARTS if not wanted or any(word in part.name for word in wanted)]
    begun, failed = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="dyad-soak-") as place, ThreadPoolExecutor(AT_ONCE) as pool:
        logs = [Path(place) / f"{number}.log" for number in range(len(parts))]
        waiting = [pool.submit(part, log) for part, log in zip(parts, logs, strict=True)]
        for part, log, done in zip(parts, logs, waiting, strict=True):
            status, seconds = done.result()
            failed += status != 0
            said = log.read_text(errors="replace").strip()
            sys.stdout.write(f"== {part.name}: {'failed' if status else 'passed'} in {seconds / 60:.1f} min\n{said}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(parts) - failed} of {len(parts)} parts passed, {(time.monotonic() - begun) / 60:.1f} min\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
