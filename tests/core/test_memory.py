import threading
import time

import pytest

from dyad.core import memory
from dyad.core.memory import memory_given_back


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "dyad-memory"]


def test_memory_is_given_back_now_and_then_while_the_work_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(memory, "_trimmer", lambda: calls.append)
    with memory_given_back(0.005):
        end = time.monotonic() + 10
        while len(calls) < 3 and time.monotonic() < end:
            time.sleep(0.005)
    assert len(calls) >= 3
    done = len(calls)
    time.sleep(0.03)
    assert len(calls) == done
    assert _threads() == []


def test_the_thread_ends_with_an_error_and_the_error_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_trimmer", lambda: int)
    with pytest.raises(KeyError), memory_given_back(0.01):
        raise KeyError
    assert _threads() == []


def test_without_glibc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_trimmer", lambda: None)
    with memory_given_back(0.001):
        assert _threads() == []


def test_it_decorates_and_each_call_has_its_own() -> None:
    @memory_given_back(0.01)
    def work(x: int) -> int:
        return x + 1

    assert [work(1), work(2)] == [2, 3]
    assert _threads() == []
