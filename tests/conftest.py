import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real() -> Path:
    """Folder of real clips and images; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("DYAD_REAL", ROOT / ".." / "shared" / "real")).resolve()
    if not folder.is_dir():
        pytest.skip(f"real material not found at {folder}; set DYAD_REAL")
    return folder
