from pathlib import Path

import pytest

from dyad.bench.predictions import Found, find_flows, find_tracks, has_flows, key_of, pick
from dyad.core.errors import BadInput


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("TS01", "TS1"),
        ("S9/Directions 1.60457274", "s9_directions_1_60457274"),
        ("test/seq_0", "test-seq_0"),
        ("000010", "10"),
    ],
)
def test_names_that_mean_the_same(one: str, other: str) -> None:
    assert key_of(one) == key_of(other)


@pytest.mark.parametrize(("one", "other"), [("TS1", "TS10"), ("TS100", "TS10"), ("seq_0", "seq_1"), ("a1", "a10")])
def test_names_that_do_not(one: str, other: str) -> None:
    assert key_of(one) != key_of(other)


def test_the_closest_name_is_picked_and_never_one_of_several() -> None:
    found = [Found(name, Path(name)) for name in ("test/seq_1", "test/seq_10", "train/seq_1", "seq_2_run", "seq_20")]
    assert pick("test/seq_1", found).name == "test/seq_1"
    assert pick("val/seq_10", found).name == "test/seq_10"
    assert pick("test/seq_2", found).name == "seq_2_run"
    assert pick("val/seq_1", found) is None
    assert pick("seq_3", found) is None


def test_tracks_are_found_in_every_place_they_are_written_to(tmp_path: Path) -> None:
    for place in ("a.npz", "S9/b.npz", "c/tracks.npz", "c/truth.npz"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    assert [f.name for f in find_tracks(tmp_path)] == ["a", "c", "S9/b"] or sorted(
        f.name for f in find_tracks(tmp_path)
    ) == ["S9/b", "a", "c"]
    assert find_tracks(tmp_path / "c") == [Found("c", tmp_path / "c/tracks.npz")]
    assert find_tracks(tmp_path / "c/tracks.npz")[0].name == "c"
    assert find_tracks(tmp_path / "a.npz")[0].name == "a"
    with pytest.raises(BadInput, match="there are no predictions at"):
        find_tracks(tmp_path / "z")


def test_folders_of_flow(tmp_path: Path) -> None:
    for place in ("x/alley_2/1.flo", "x/alley_2/2.flo", "x/cave_2/1.pfm"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    assert [f.name for f in find_flows(tmp_path)] == ["x/alley_2", "x/cave_2"]
    assert [f.name for f in find_flows(tmp_path / "x/cave_2")] == ["cave_2"]
    assert has_flows(tmp_path)
    assert not has_flows(tmp_path / "x/cave_2/1.pfm")
    with pytest.raises(BadInput, match="there is no folder of flow"):
        find_flows(tmp_path / "x/cave_2/1.pfm")
