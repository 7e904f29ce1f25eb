import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from dyad.core.errors import BadUsage
from dyad.core.locks import only_writer, writes_alone

HOLD = """
import sys
from dyad.core.locks import only_writer
with only_writer(sys.argv[1]):
    print('held', flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where locks lie; of this process and of those it starts."""
    (tmp_path / "locks").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "locks"))
    return tmp_path / "locks"


def test_a_second_writer_is_refused_until_the_first_ends_or_is_killed(tmp_path: Path, place: Path) -> None:
    out = tmp_path / "out"
    for kill in (False, True):
        other = subprocess.Popen([sys.executable, "-c", HOLD, str(out)], stdin=-1, stdout=-1, text=True)
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        # Under whatever name.
        for name in (out, tmp_path / "locks" / ".." / "out"):
            with pytest.raises(BadUsage, match="another run is writing to"), only_writer(name):
                pytest.fail("two at once")
        with only_writer(tmp_path / "other"):
            pass
        if kill:
            other.kill()
        other.communicate("")
        with only_writer(out):
            pass
    assert not out.exists(), "a folder is not made by holding it"
    assert list(place.iterdir()) == []


def test_threads_of_one_process_exclude_each_other_too(tmp_path: Path) -> None:
    with only_writer(tmp_path), pytest.raises(BadUsage), only_writer(tmp_path):
        pytest.fail("two at once")


def test_a_function_holds_its_output(tmp_path: Path) -> None:
    @writes_alone
    def work(source: int, output: Path | None = None) -> int:
        if output is not None:
            with pytest.raises(BadUsage), only_writer(output):
                pytest.fail("it was not held")
        return source

    assert work.__name__ == "work"
    assert (work(1, tmp_path), work(2, output=tmp_path), work(3), work(4, None)) == (1, 2, 3, 4)


def test_where_no_lock_can_be_had_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with only_writer(tmp_path):
        pass
