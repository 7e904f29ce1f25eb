import os
import stat
from pathlib import Path

import pytest

from dyad.core.files import whole_file


def write_half(path: Path, error: type[BaseException]) -> None:
    with whole_file(path) as partial:
        partial.write_bytes(b"half")
        raise error


def test_a_file_appears_whole_under_its_name(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "result.txt"
    with whole_file(target) as partial:
        assert partial.parent == target.parent
        assert partial.suffix == ".txt"
        partial.write_text("half", encoding="utf-8")
        assert not target.exists()
        partial.write_text("whole", encoding="utf-8")
    assert target.read_text(encoding="utf-8") == "whole"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError, MemoryError])
def test_an_interruption_leaves_neither_the_file_nor_a_part_of_it(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error):
        write_half(tmp_path / "result.npz", error)
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_the_old_file_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "result.npz"
    target.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        write_half(target, KeyboardInterrupt)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_old_file_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "result.npz"
    target.write_bytes(b"old")
    with whole_file(target) as partial:
        partial.write_bytes(b"new")
    assert target.read_bytes() == b"new"


def test_a_writer_may_have_removed_its_part(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "result.mp4") as partial:
        partial.unlink()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with whole_file(tmp_path / "result") as partial:
        partial.write_bytes(b"x")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "result")}
    assert len(modes) == 1
