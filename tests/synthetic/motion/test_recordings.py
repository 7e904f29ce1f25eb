"""Folders of motion capture: every kind of file is found and read, an AMC file with the ASF that is its own."""

from pathlib import Path

import numpy as np
import pytest

from dyad.core.errors import BadInput
from dyad.synthetic.casting import Casting
from dyad.synthetic.motion.mocap import load_motion
from dyad.synthetic.motion.recordings import find_motions, read_motion
from tests.synthetic.motion.test_acclaim import AMC, ASF, acclaim_of


def put(folder: Path, *names: str, content: str = "") -> None:
    for name in names:
        (folder / name).write_text(content)


def test_files_are_found_by_their_endings(tmp_path: Path) -> None:
    put(tmp_path, "b.bvh", "a.AMC", "a.asf", "c.npz", "notes.txt")
    assert [file.name for file in find_motions(tmp_path)] == ["a.AMC", "b.bvh", "c.npz"]
    with pytest.raises(BadInput, match="no folder"):
        find_motions(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="holds no motion capture"):
        find_motions(tmp_path / "empty")


def test_an_amc_file_takes_the_asf_of_its_name_of_its_subject_or_the_only_one(tmp_path: Path) -> None:
    twice = ASF.replace("length 2\n", "length 4\n")
    put(tmp_path, "07_01.amc", "07_02.amc", "other.amc", content=AMC)
    with pytest.raises(BadInput, match=r"07_01\.amc has no skeleton.*07_01\.asf"):
        read_motion(tmp_path / "07_01.amc")
    put(tmp_path, "07.asf", content=ASF)
    arm = {name: read_motion(tmp_path / name).offsets[2, 1] for name in ("07_01.amc", "other.amc")}
    assert arm["07_01.amc"] == arm["other.amc"] > 0
    put(tmp_path, "07_02.asf", content=twice)
    assert read_motion(tmp_path / "07_02.amc").offsets[2, 1] == pytest.approx(2 * arm["07_01.amc"])
    assert read_motion(tmp_path / "07_01.amc").offsets[2, 1] == arm["07_01.amc"]
    with pytest.raises(BadInput, match=r"other\.amc has no skeleton"):
        read_motion(tmp_path / "other.amc")


def test_other_endings_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "a.fbx")
    with pytest.raises(BadInput, match=r"expected a recorded motion.*a\.fbx"):
        read_motion(tmp_path / "a.fbx")


def test_a_folder_of_acclaim_files_casts_actors(tmp_path: Path, mocap: Path) -> None:
    motion = load_motion(mocap / "cmu_01_01.npz").part(0, 2)
    acclaim_of(motion, tmp_path)
    casting = Casting(frames=20, fps=30.0, pairs=0, motions=tmp_path, recorded=1.0, detail="low")
    (company,) = casting(1, np.random.default_rng(0))
    (actor,) = company.actors
    assert actor.take.source == "m.amc"
    assert np.isfinite(actor.take.translation).all()
