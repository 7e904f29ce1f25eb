"""One attempt: a damaged copy of a reader's file is read, and either works or fails in one clear sentence."""

import time
import traceback
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.fuzz.damage import damaged
from tests.fuzz.readers import Reader

LONGEST = 1500
"""Characters of a message; more is no sentence."""


@dataclass(frozen=True)
class Bench:
    """A reader with its sound files in a folder."""

    name: str
    reader: Reader
    folder: Path
    files: tuple[Path, ...]
    whole: tuple[bytes, ...]

    @classmethod
    def of(cls, name: str, reader: Reader, folder: Path) -> "Bench":
        made = reader.make(folder)
        files = (made,) if isinstance(made, Path) else tuple(made)
        return cls(name, reader, folder, files, tuple(file.read_bytes() for file in files))

    def copy(self, number: int) -> tuple[Path, bytes]:
        """Which file is damaged in attempt `number`, and its damaged content."""
        random = np.random.default_rng([zlib.crc32(self.name.encode()), number])
        at = int(random.integers(len(self.files)))
        kind = self.reader.kind
        if self.files[at].suffix == ".json":
            kind = "json"
        return self.files[at], damaged(kind, self.whole[at], random)

    def attempt(self, number: int) -> str | None:
        """What is wrong with how attempt `number` ended."""
        path, content = self.copy(number)
        return self.attempt_with(path, content)

    def attempt_with(self, path: Path, content: bytes) -> str | None:
        before, start = _measured(), time.process_time()
        path.write_bytes(content)
        try:
            fault = complaint(self.reader, self.folder, path.name)
        finally:
            path.write_bytes(self.whole[self.files.index(path)])
        spent, took = _peak() - before, time.process_time() - start
        if fault is None and spent > self.reader.memory:
            fault = f"took {spent >> 20} MB of memory"
        if fault is None and took > self.reader.seconds:
            fault = f"took {took:.1f} s"
        return fault


def complaint(reader: Reader, folder: Path, name: str) -> str | None:
    """Reads the folder; None where that works or fails as it should."""
    try:
        reader.read(folder)
    except reader.errors as error:
        text = str(error)
        if "\n" in text or not 10 < len(text) < LONGEST or "\0" in text:
            return f"said what is wrong in no sentence: {text[:300]!r} … ({len(text)} characters)"
        if "Traceback" in text or (reader.named and Path(name).stem not in text and folder.name not in text):
            return f"does not name {name}: {text[:300]!r}"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return f"raised {type(error).__name__}: {str(error)[:200]}\n{''.join(traceback.format_exc()[-1500:])}"
    return None


def _measured() -> int:
    """Bytes resident now; the peak is counted anew from here, where the system can do that."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return _peak()
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def _status(name: str) -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith(name)), 0)
