"""Columns in files are what they are in memory, take none of it while they rest, and leave nothing behind."""

import copy
import io
import multiprocessing
import os
import pickle
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
import torch

import dyad
from dyad.core import columns
from dyad.core.columns import Column, Columns, column, filled, in_file, mapped, picked, rest
from tests.core.test_video import encode, ramp
from tests.standin import StandIn

pytestmark = pytest.mark.skipif(os.name != "posix", reason="files without names are those of POSIX")


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Everything larger than 1 kB lies in files, in this folder, in which none is to be seen afterwards."""
    monkeypatch.setattr(columns, "_IN_MEMORY", 1000)
    monkeypatch.setattr(columns, "BLOCK", 50)
    folder = tmp_path / "files"
    folder.mkdir()
    monkeypatch.setattr(columns, "_place", lambda: str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.bool])
def test_what_is_appended_comes_back(small: Path, dtype: torch.dtype) -> None:
    parts = [(10 * torch.randn(n, 3, 2)).to(dtype) for n in (7, 0, 400, 1, 90)]
    found = column(parts)
    assert in_file(found)
    assert in_file(found[5:9])
    assert found.dtype == dtype
    for _ in range(2):
        assert torch.equal(found, torch.cat(parts))
        rest(found)
    found[3] = 0
    rest(found)
    assert not found[3].any()
    assert not in_file(column([parts[3]]))


def test_several_columns_of_the_same_rows(small: Path) -> None:
    kept = Columns()
    places = [kept.append({"a": torch.arange(n), "b": torch.ones(n, 40)}) for n in (3, 0, 100)]
    assert places == [slice(0, 3), slice(3, 3), slice(3, 103)]
    assert len(kept) == 103
    found = kept.tensors()
    assert found["b"].shape == (103, 40)
    assert (in_file(found["a"]), in_file(found["b"])) == (False, True)
    assert torch.equal(found["a"][places[2]], torch.arange(100))


def test_no_rows_keep_their_shape_and_type(small: Path) -> None:
    found = column([torch.zeros(0, 17, 2, dtype=torch.float64)])
    assert (found.shape, found.dtype) == ((0, 17, 2), torch.float64)
    assert picked(found, torch.zeros(0, dtype=torch.int64)).shape == (0, 17, 2)
    assert filled((0, 3), 1.0, torch.float32).shape == (0, 3)


def test_work_in_blocks_is_work_on_the_whole(small: Path) -> None:
    values, rows = torch.randn(333, 5), torch.randperm(333)[:222]
    assert torch.equal(picked(column([values]), rows), values[rows])
    assert torch.equal(mapped(lambda some: some.square().sum(-1), values), values.square().sum(-1))
    assert torch.equal(filled((333, 5), 2.5, torch.float64), torch.full((333, 5), 2.5, dtype=torch.float64))


def test_where_the_disk_is_full_rows_stay_in_memory(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Narrow(io.FileIO):
        def write(self, content):
            if self.tell() + len(content) > 5000:
                super().write(content[:100])
                raise OSError(28, "No space left on device")
            return super().write(content)

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Narrow(tmp_path / "narrow", "w+"))
    parts = [torch.randn(20, 10) for _ in range(30)]
    found = Column()
    for part in parts:
        found.append(part)
    values = found.tensor()
    assert not in_file(values)
    assert torch.equal(values, torch.cat(parts))


def test_files_are_forgotten_with_their_tensors(small: Path) -> None:
    before = dict(columns._in_files())
    found = column([torch.zeros(1000)])
    view = found[500:].numpy()
    del found
    assert len(columns._in_files()) == len(before) + 1
    del view
    assert columns._in_files() == before


def test_other_processes_get_copies(small: Path) -> None:
    found = column([torch.arange(1000)])
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(_sum, found).result(timeout=100) == 499500
    assert torch.equal(pickle.loads(pickle.dumps(found)), found)
    assert not in_file(copy.deepcopy(found))


def _sum(values: torch.Tensor) -> int:
    return int(values.sum())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory in use is asked of Linux")
def test_resting_columns_take_no_memory() -> None:
    def resident() -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS"))

    part = torch.randn(10_000, 100)
    before = resident()
    found = column(part for _ in range(25))
    assert found.nbytes == 100_000_000
    found.sum()
    assert resident() - before > 90_000_000
    rest(found)
    assert resident() - before < 30_000_000


def test_a_run_whose_rows_lie_in_files_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = encode(tmp_path / "clip.mp4", [ramp(k % 200) for k in range(90)])
    dyad.run(clip, tmp_path / "usual", detector=StandIn())
    monkeypatch.setattr(columns, "_IN_MEMORY", 500)
    monkeypatch.setattr(columns, "BLOCK", 20)
    found = dyad.run(clip, tmp_path / "files", detector=StandIn())
    assert in_file(found.tracks.xyz)
    assert in_file(found.tracks.agreement)
    usual, files = ((tmp_path / name / "tracks.npz").read_bytes() for name in ("usual", "files"))
    assert usual == files
