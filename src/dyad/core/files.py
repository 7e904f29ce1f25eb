"""Files that appear under their final name whole or not at all, and one sentence for those that cannot."""

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from dyad.core.errors import BadInput


@contextmanager
def whole_file(path: str | Path) -> Generator[Path]:
    """Yield a temporary path beside `path`; rename it on success, remove it on any error or interruption.

    The temporary name keeps the suffix, since some writers choose their format by it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        # mkstemp makes files private; a result is as readable as any file the user creates.
        mask = os.umask(0)
        os.umask(mask)
        partial.chmod(0o666 & ~mask)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def writing_to(folder: Path) -> Generator[None]:
    """Say in one sentence what keeps files from being written: BadInput."""
    try:
        yield
    except OSError as error:
        raise BadInput(f"cannot write to {folder}: {error.strerror or error}; choose another folder with -o") from error
