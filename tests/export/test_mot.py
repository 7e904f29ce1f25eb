from pathlib import Path

import numpy as np
import pytest
import torch

from dyad.export.mot import write_mot
from dyad.export.upright import upright
from tests.export.walking import truth, walkers


def test_a_line_for_each_box_by_frame(tmp_path: Path) -> None:
    tracks = walkers(12)
    box = tracks.box.clone()
    box[tracks.rows(3)[4]] = torch.nan
    filled = torch.zeros(len(tracks), 17)
    confidence = torch.where((tracks.frame == 2)[:, None], filled, tracks.confidence)
    write_mot(tmp_path / "a.txt", upright(tracks.with_(box=box, confidence=confidence)))
    rows = np.loadtxt(tmp_path / "a.txt", delimiter=",")
    assert rows.shape == (len(tracks) - 1, 10)
    # Frames of both people from 1; the frame without a box has no line. Nobody has the number 8 before frame 11.
    assert rows[:, 0].tolist() == sorted([1, 2, 3, 4, *range(6, 13)])
    assert set(rows[:, 1]) == {3}
    assert rows[0, 2:7].tolist() == [11, 21, 100, 200, 0.75]
    assert rows[2, 6] == 0
    place = truth(tracks, 3)[:, 0][:, [0, 2, 1]] * (1, -1, 1)
    assert rows[:, 7:] == pytest.approx(np.delete(place, 4, 0), abs=1e-4)


def test_two_people_take_turns_and_unknown_places_are_minus_one(tmp_path: Path) -> None:
    tracks = walkers(16)
    xyz = tracks.xyz.clone()
    xyz[tracks.rows(8)] = torch.nan
    write_mot(tmp_path / "a.txt", upright(tracks.with_(xyz=xyz)))
    rows = np.loadtxt(tmp_path / "a.txt", delimiter=",")
    assert (np.diff(rows[:, 0] * 100 + rows[:, 1]) > 0).all()
    assert (rows[rows[:, 1] == 8, 7:] == -1).all()
    assert len(rows[rows[:, 1] == 8]) == 1


def test_nobody_makes_an_empty_file(tmp_path: Path) -> None:
    write_mot(tmp_path / "a.txt", upright(walkers(2)[torch.zeros(2, dtype=torch.bool)]))
    assert (tmp_path / "a.txt").read_text() == ""
