"""Freed memory leaves the process."""

import resource
import sys
from pathlib import Path

import pytest
import torch

from dyad.core import memory
from dyad.core.memory import give_back_memory


def resident() -> int:
    """Bytes of this process in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc keeps what was freed")
def test_freed_memory_is_given_back() -> None:
    # Blocks below the size that glibc maps on its own, with survivors in between that keep the heap from shrinking.
    blocks = [torch.ones(30_000) for _ in range(4000)]
    kept = blocks[::50]
    full = resident()
    del blocks
    give_back_memory()
    assert resident() < full - 300e6
    assert len(kept) == 80


def test_nothing_happens_with_another_c_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_trimmer", lambda: None)
    assert give_back_memory() is None
