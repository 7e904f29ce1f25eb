"""Every protocol on a tiny tree in the data set's own layout: truth scores perfectly, nothing scores nothing."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import dyad
from dyad.bench.evaluate import action_of, evaluate
from dyad.bench.truths import true_clips
from dyad.core.errors import BadInput, BadUsage
from dyad.core.flow import Flow
from dyad.core.flow_files import write_flow
from dyad.core.skeleton import BODY17
from dyad.core.tracks import Tracks
from dyad.datasets.coco import coco_split, read_coco
from dyad.datasets.crowdpose import crowdpose_split
from dyad.estimates.reading import read_people
from dyad.evaluation.protocols import PROTOCOLS, protocol_of
from dyad.export.coco import coco_results, write_coco
from tests.datasets import (
    test_crowdpose,
    test_flow_sets,
    test_human36m,
    test_jta,
    test_muco,
    test_mupots_official,
    test_threedpw,
)
from tests.datasets.test_coco import coco_tree
from tests.estimates import making
from tests.evaluation.people import moved, nobody, renamed, walkers

POSES = [p.name for p in PROTOCOLS if p.measures == "poses"]


def mupots(folder: Path) -> None:
    for name in ("TS2", "TS10"):
        test_mupots_official.write(folder, name)


def muco(folder: Path) -> None:
    (folder / "MuCo-3DHP.json").write_text(json.dumps(test_muco.content()[0]))


def jta(folder: Path) -> None:
    test_jta.write(folder, test_jta.rows()[0], "test")


def human36m(folder: Path) -> None:
    test_human36m.write(folder, actions=("Directions", "Directions 1", "WalkDog"))


def threedpw(folder: Path) -> None:
    for name in ("street_00", "cafe_01"):
        test_threedpw.write(folder, test_threedpw.sequence()[0], "test", name)


def synth(folder: Path) -> None:
    for number in range(2):
        path = folder / f"{number:06d}"
        path.mkdir()
        walkers(seed=number).save(path / "tracks.npz")


TREES: dict[str, Callable[[Path], None]] = {
    "mupots": mupots, "muco": muco, "jta": jta, "human36m": human36m, "3dpw": threedpw, "": synth,
}  # fmt: skip


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[str], Path]:
    def make(protocol: str) -> Path:
        folder = tmp_path / "truth"
        folder.mkdir()
        TREES[protocol_of(protocol).dataset](folder)
        return folder

    return make


def predict(protocol: str, truth: Path, folder: Path, change: Callable[[Tracks], Tracks] = lambda t: t) -> Path:
    """The truth's people as predictions, by clip name."""
    for clip in true_clips(protocol_of(protocol), truth):
        path = folder / f"{clip.name}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        change(clip.truth).save(path)
    return folder


@pytest.mark.parametrize("protocol", POSES)
def test_an_oracle_is_perfect(protocol: str, tree, tmp_path: Path) -> None:
    truth = tree(protocol)
    report = evaluate(predict(protocol, truth, tmp_path / "found"), truth, protocol)
    total = dict(report.parts["all"]) if report.parts else dict(report.total)
    assert report.missing == ()
    for name, value in total.items():
        if name in ("pck", "pck_abs", "roots_25cm", "root_ap25", "f1_40cm", "f1_80cm", "f1_120cm"):
            assert value == pytest.approx(100), name
        elif name in ("coverage", "precision", "mota", "idf1"):
            assert value == 1, name
        elif name.endswith("mpjpe_mm") or name in ("mrpe_mm", "mpjve_mm"):
            assert value == pytest.approx(0, abs=0.05) or math.isnan(value), name
    assert json.loads(json.dumps(report.to_json(), allow_nan=False))["protocol"] == protocol


@pytest.mark.parametrize("protocol", POSES)
def test_nobody_found_is_zero(protocol: str, tree, tmp_path: Path) -> None:
    truth = tree(protocol)
    report = evaluate(predict(protocol, truth, tmp_path / "found", nobody), truth, protocol)
    total = dict(report.parts["all"]) if report.parts else dict(report.total)
    for name, value in total.items():
        if name.startswith(("pck", "auc", "roots", "root_ap", "f1", "coverage", "hota", "mota", "idf1", "id_switches")):
            assert value == 0, name
        elif name == "person_frames":
            assert value > 0
        elif not name.endswith(("_true_m_s3", "_true_mm_s", "_true_mm")):
            assert math.isnan(value), name


@pytest.mark.parametrize("protocol", [name for name in POSES if name != "mupots-released"])
def test_names_of_people_do_not_matter(protocol: str, tree, tmp_path: Path) -> None:
    truth = tree(protocol)

    def other(found: Tracks) -> Tracks:
        shifted = moved(found, (0.02, 0, 0.05))
        return renamed(shifted, {person: 50 - person for person in found.people})

    plain = evaluate(predict(protocol, truth, tmp_path / "a", lambda t: moved(t, (0.02, 0, 0.05))), truth, protocol)
    mixed = evaluate(predict(protocol, truth, tmp_path / "b", other), truth, protocol)
    assert dict(mixed.total) == pytest.approx(dict(plain.total), nan_ok=True, rel=1e-4, abs=1e-4)


def test_mupots_released_keeps_what_the_scripts_do(tree, tmp_path: Path) -> None:
    """Tracks have no identity of the truth's: each true person takes whoever fits best, wherever they stand."""
    truth = tree("mupots-released")
    found = predict("mupots-released", truth, tmp_path / "found", lambda t: moved(t, (5.0, 0, 9)))
    report = evaluate(found, truth, "mupots-released")
    assert (report["pck"], report["pck_abs"]) == (100, 0)
    assert report["auc"] == pytest.approx(97.5)
    assert "similarity fit" in report.to_json()["matching"]
    assert "similarity fit" in " ".join(report.to_json()["helped_by"])


def test_human36m_takes_means_over_actions_and_frames_of_one_camera(tree, tmp_path: Path) -> None:
    truth = tree("h36m-p1")

    def worse(found: Tracks) -> Tracks:
        wrong = torch.zeros(17, 3)
        wrong[BODY17.index("left_wrist"), 0] = 1.7 * (1 if "Walk" in found.video else 2 if " 1" in found.video else 4)
        return found.with_(xyz=found.xyz + wrong)

    report = evaluate(predict("h36m-p1", truth, tmp_path / "a", worse), truth, "h36m-p1")
    assert len(report.clips) == 12
    # Directions and Directions 1 are one action: (400 + 200) / 2 and 100.
    assert report["mpjpe_mm"] == pytest.approx((300 + 100) / 2, abs=0.01)
    assert report.pooling == "mean of actions"
    assert action_of("S9/Directions 1.60457274") == action_of("S9/Directions.54138969") == "Directions"
    fourteen = evaluate(predict("h36m-p1", truth, tmp_path / "b"), truth, "h36m-14")
    assert list(fourteen.clips) == [f"S9/{action}.60457274" for action in ("Directions", "Directions 1", "WalkDog")]
    # Four frames at 50 a second: only frame 1 counts.
    assert fourteen["person_frames"] == 3
    first = predict("h36m-p1", truth, tmp_path / "c", lambda t: t[t.frame == 1])
    assert evaluate(first, truth, "h36m-14")["coverage"] == 1


def test_the_middle_of_the_hips_is_the_centre_of_fourteen(tree, tmp_path: Path) -> None:
    truth = tree("h36m-14")

    def pelvis_off(found: Tracks) -> Tracks:
        wrong = torch.zeros(17, 3)
        wrong[BODY17.index("pelvis")] = 1.0
        return found.with_(xyz=found.xyz + wrong)

    found = predict("h36m-14", truth, tmp_path / "found", pelvis_off)
    assert evaluate(found, truth, "h36m-14")["mpjpe_mm"] == pytest.approx(0, abs=0.01)
    assert evaluate(found, truth, "h36m-p1")["mpjpe_mm"] > 1000


def test_flow_at_joints(tree, tmp_path: Path) -> None:
    """A flow that is 3 px off everywhere is 3 px off at every joint that moves by nothing."""
    truth = tree("3dpw")
    (clip, _) = true_clips(protocol_of("3dpw"), truth)
    width, height = clip.truth.camera.size
    for name in ("street_00", "cafe_01"):
        for t in range(4):
            path = tmp_path / "flow" / name / f"{t:05d}.flo"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_flow(path, Flow(torch.zeros(2, height, width)))
    report = evaluate(tmp_path / "flow", truth, "3dpw")
    assert report["joints_covered"] == 1
    motion = []
    for each in true_clips(protocol_of("3dpw"), truth):
        dense, seen = each.truth.window().xy, each.truth.window().confidence == 1
        step = torch.linalg.vector_norm(dense[1:] - dense[:-1], dim=-1)[seen[1:] & seen[:-1]]
        motion.append(step[step.isfinite()])
    assert report["epe_joints"] == pytest.approx(float(torch.cat(motion).mean()), rel=1e-4)
    (tmp_path / "flow/street_00/00003.flo").unlink()
    with pytest.raises(BadInput, match="should hold 4 files of flow, one for each pair of frames, got 3"):
        evaluate(tmp_path / "flow", truth, "3dpw")


def test_flow_at_joints_as_published_and_as_it_is(tree, tmp_path: Path) -> None:
    """Seventeen joints in the published sum, which divides by 32."""
    truth = tmp_path / "truth"
    truth.mkdir()
    xyz = np.repeat(test_human36m.studio_walk(frames=1), 12, axis=0)
    world = {"S9": {"Directions": xyz.astype(np.float32)}}
    np.savez_compressed(truth / "data_3d_h36m.npz", positions_3d=world)
    for t in range(2):
        path = tmp_path / f"flow/S9/Directions.60457274/{t:02}.flo"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_flow(path, Flow(torch.stack((torch.full((1002, 1000), 3.0), torch.full((1002, 1000), 4.0)))))
    report = evaluate(tmp_path / "flow", truth, "h36m-14")
    assert report["epe_joints"] == pytest.approx(5, abs=1e-3)
    assert report["epe_joints_released"] == pytest.approx(5 * 17 / 32, abs=0.16)
    assert report["joints_covered"] == 1


def test_sintel_takes_the_scenes_with_people(tmp_path: Path) -> None:
    root = tmp_path / "truth/training"
    for scene in ("alley_1", "cave_2", "bamboo_2"):
        for t in (1, 2, 3):
            test_flow_sets.image(root / "final" / scene / f"frame_{t:04}.png", 10 * t)
            if t < 3:
                test_flow_sets.flow(root / "flow" / scene / f"frame_{t:04}.flo", 2.0)
                test_flow_sets.flow(tmp_path / "found" / scene / f"frame_{t:04}.flo", 2.0 + (scene == "cave_2"))
    report = evaluate(tmp_path / "found", tmp_path / "truth", "sintel-human")
    assert {name: row["epe"] for name, row in report.clips.items()} == {
        "sintel/final/cave_2": pytest.approx(1),
        "sintel/final/bamboo_2": pytest.approx(0),
    }
    assert (report["epe"], report["covered"]) == (pytest.approx(0.5), 1)
    with pytest.raises(BadInput, match=r"holds no \.flo or .pfm; sintel-human wants a folder of them"):
        evaluate(tmp_path / "truth/training/final", tmp_path / "truth", "sintel-human")
    with pytest.raises(BadUsage, match=r"predictions are a folder of \.flo"):
        evaluate(walkers(), tmp_path / "truth", "sintel-human")


def test_the_occluded_are_chosen_by_detections_and_compared_with_all(tree, tmp_path: Path) -> None:
    truth = tree("3dpw-occluded")
    strangers = tmp_path / "detections"

    def detected(found: Tracks) -> Tracks:
        """A stranger stands before person 0 of street_00 in frame 3, and nowhere else."""
        near = found[(found.frame == 3) & (found.person == 0)]
        if found.video != "street_00":
            near = nobody(found)
        rows = {name: torch.cat((getattr(found, name), getattr(near, name))) for name in ("frame", "xy", "xyz")}
        person = torch.cat((found.person, near.person + 9))
        shift = torch.zeros(len(person), 1, 2)
        shift[len(found) :] = 30.0
        return Tracks.of_rows(
            skeleton=found.skeleton, camera=found.camera, person=person, frame=rows["frame"], xyz=rows["xyz"],
            xy=rows["xy"] + shift, frames=found.frames, video=found.video,
        )  # fmt: skip

    predict("3dpw-occluded", truth, strangers, detected)

    def bent(found: Tracks) -> Tracks:
        wrong = torch.zeros(len(found), len(found.skeleton), 3)
        here = (found.frame == 3) & (found.person == 0) & (found.video == "street_00")
        wrong[here, found.skeleton.index("left_wrist")] = 0.4
        return found.with_(xyz=found.xyz + wrong)

    found = predict("3dpw-occluded", truth, tmp_path / "found", bent)
    one = protocol_of("3dpw-occluded")
    report = evaluate(found, truth, replace(one, hardest=1), detections=strangers)
    assert report.facts["occluded"] == 1
    assert report.facts["threshold"] > 0.5
    everyone, hard, drop = (report.parts[name] for name in ("all", "occluded", "drop"))
    assert hard["person_frames"] == 1
    assert hard["pa_mpjpe_mm"] == pytest.approx(everyone["person_frames"] * everyone["pa_mpjpe_mm"], rel=1e-3)
    assert drop["pa_mpjpe_mm"] == pytest.approx(hard["pa_mpjpe_mm"] - everyone["pa_mpjpe_mm"])
    assert report["pa_mpjpe_mm"] == hard["pa_mpjpe_mm"]
    (strangers / "street_00.npz").unlink()
    with pytest.raises(BadInput, match="holds no detections of"):
        evaluate(found, truth, "3dpw-occluded", detections=strangers)
    own = evaluate(found, truth, "3dpw-occluded")
    assert any("give --detections" in note for note in own.notes)


def test_images_of_muco_may_lie_in_one_file(tree, tmp_path: Path) -> None:
    truth = tree("muco")
    clips = list(true_clips(protocol_of("muco"), truth))
    frame = torch.cat([torch.full((len(c.truth),), i) for i, c in enumerate(clips)])
    rows = {name: torch.cat([getattr(c.truth, name) for c in clips]) for name in ("person", "xy", "xyz")}
    album = Tracks.of_rows(
        skeleton=clips[0].truth.skeleton, camera=clips[0].truth.camera, frame=frame, frames=torch.arange(3), **rows
    )
    album.save(tmp_path / "album.npz")
    for given in (tmp_path / "album.npz", album):
        report = evaluate(given, truth, "muco")
        assert (report["pck_abs"], report["coverage"], report["person_frames"]) == (100, 1, 5)
        assert report.clips == {}


def results(file, path: Path, *, shift: float = 0.0) -> Path:
    """The annotated people as results."""
    found = []
    for image in file.images:
        truth = image.clip(file.skeleton).truth
        people = dyad.Detections(
            0, 0.0, truth.box, torch.ones(len(truth)), truth.xy.nan_to_num() + shift, truth.confidence, file.skeleton
        )
        found.append((image.id, people))
    write_coco(path, coco_results(found))
    return path


def test_coco_and_crowdpose(tmp_path: Path) -> None:
    (tmp_path / "coco").mkdir()
    coco_tree(tmp_path / "coco")
    file = coco_split(tmp_path / "coco")
    report = evaluate(results(file, tmp_path / "a.json"), tmp_path / "coco", "coco")
    assert (report["ap"], report["ar"], report["ap50"]) == (1, 1, 1)
    assert report.facts == {"images": 2, "people": 1}
    assert evaluate(results(file, tmp_path / "b.json", shift=500), tmp_path / "coco", "coco")["ap"] == 0
    (tmp_path / "c.json").write_text("[]")
    assert evaluate(tmp_path / "c.json", tmp_path / "coco", "coco")["ap"] == 0
    crowd = tmp_path / "crowd"
    test_crowdpose.write(crowd)
    report = evaluate(results(crowdpose_split(crowd), tmp_path / "d.json"), crowd, "crowdpose")
    assert (report["ap"], report["ap_medium_crowd"]) == (1, 1)
    assert math.isnan(report["ap_hard"])
    stranger = {"image_id": 5, "category_id": 1, "keypoints": [1] * 51, "score": 1}
    (tmp_path / "e.json").write_text(json.dumps([stranger]))
    with pytest.raises(BadInput, match="has no result for any of the 2 images"):
        evaluate(tmp_path / "e.json", tmp_path / "coco", "coco")
    with pytest.raises(BadInput, match="a result has 42 keypoint values, expected 51 numbers"):
        evaluate(tmp_path / "d.json", tmp_path / "coco", "coco")
    with pytest.raises(BadUsage, match="coco takes a COCO results file and the data set's folder"):
        evaluate(walkers(), tmp_path / "coco", "coco")


def test_the_real_images_score_perfectly_against_themselves(real: Path, tmp_path: Path) -> None:
    path = real / "images/coco/test_coco.json"
    if not path.is_file():
        pytest.skip("no COCO sample")
    report = evaluate(results(read_coco(path), tmp_path / "a.json"), path, "coco")
    assert (report["ap"], report["ar"]) == (1, 1)
    assert report.facts == {"images": 4, "people": 12}


def test_predictions_are_found_by_the_names_of_clips(tmp_path: Path) -> None:
    truth, found = tmp_path / "truth", tmp_path / "found"
    truth.mkdir()
    found.mkdir()
    synth(truth)
    predict("dyad-synth", truth, found)
    (found / "000000.npz").unlink()
    report = evaluate(found, truth, "dyad-synth")
    assert (list(report.clips), report.missing) == (["000001"], ("000000",))
    assert report.notes == ("clips of the truth without prediction, which do not count: 000000",)
    (found / "000001.npz").rename(found / "other.npz")
    with pytest.raises(BadInput, match=r"none of the predictions \(other\) is of a clip of the truth \(000000, 000001"):
        evaluate(found, truth, "dyad-synth")
    # One clip and one file belong together, whatever their names.
    report = evaluate(found / "other.npz", truth / "000001" / "tracks.npz", "dyad-synth")
    assert report["pck"] == 100
    assert evaluate(found / "other.npz", truth / "000001", "dyad-synth")["pck"] == 100


def test_what_another_tool_wrote_is_scored_once_it_is_tracks(tmp_path: Path) -> None:
    """As docs/estimates.md has it."""
    truth = making.truth()
    truth.save(tmp_path / "scene" / "truth.npz")
    np.savez(tmp_path / "out.npz", predictions=making.relative(truth), keypoints_2d=truth.xy.numpy())
    people = read_people(tmp_path / "out.npz", camera=making.CAMERA, fps=10)
    people.tracks().save(tmp_path / "predictions" / "scene.npz")
    report = evaluate(tmp_path / "predictions", tmp_path / "scene" / "truth.npz", "dyad-synth")
    assert (report["pck_abs"], report["coverage"]) == (100, 1)


def test_objects_serve_as_well_as_files() -> None:
    truth = walkers()
    report = dyad.evaluate(truth, truth)
    assert report.protocol.name == "dyad-synth"
    assert report["pck_abs"] == 100
    assert dyad.evaluate(nobody(truth), dyad.Clip(None, truth), "mupots-strict")["pck"] == 0


def test_what_does_not_fit_is_said_in_a_sentence(tree, tmp_path: Path) -> None:
    truth = tree("dyad-synth")
    empty = tmp_path / "empty"
    empty.mkdir()
    theirs = tmp_path / "alphapose-results.json"
    theirs.write_text("[]")
    for given, error, match in (
        ({"predictions": tmp_path / "no"}, BadInput, "there are no predictions at"),
        ({"predictions": empty}, BadInput, "holds no predictions: expected tracks.npz"),
        ({"predictions": theirs}, BadInput, "docs/estimates.md has the lines"),
        ({"truth": tmp_path / "no"}, BadInput, "there is no truth at"),
        ({"truth": empty}, BadInput, "holds no clip"),
        ({"protocol": "pck"}, BadUsage, "there is no protocol 'pck'; there are mupots-released"),
        ({"array": "x"}, BadUsage, "--array names stored poses of MuPoTS-3D samples; dyad-synth has none"),
        ({"detections": truth}, BadUsage, "--detections is for protocols that choose by overlap"),
        ({"protocol": "jta"}, BadInput, "holds no annotations/test/seq_"),
        ({"protocol": "sintel-human"}, BadInput, "holds none of the scenes alley_2"),
        ({"protocol": "coco"}, BadInput, "no COCO keypoints at"),
    ):
        with pytest.raises(error, match=match):
            evaluate(**{"predictions": truth, "truth": truth, "protocol": "dyad-synth", **given})
