"""Files in the layouts of other tools give their values back, by joint, frame and person."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dyad.core.camera import Camera
from dyad.core.errors import BadInput, BadUsage
from dyad.core.skeleton import BODY17, COCO17, LSP14, Skeleton
from dyad.core.tracks import Flag, Tracks
from dyad.estimates.reading import own_people, read_people
from dyad.estimates.skeletons import HALPE26, OPENPOSE18, OPENPOSE25, POSETRACK17, SPIN24, WHOLEBODY23
from dyad.export.coco import coco_of_tracks, write_coco
from tests.estimates.making import (
    CAMERA,
    FRAMES,
    SIZE,
    mmpose_instance,
    openpose_folder,
    read_tracks,
    relative,
    spots,
    truth,
    write,
)


def joint(tracks: Tracks, row: int, name: str) -> list[float]:
    at = tracks.skeleton.index(name)
    return [*tracks.xy[row, at].tolist(), round(float(tracks.confidence[row, at]), 3)]


def test_openpose_without_identities_gives_detections(tmp_path: Path) -> None:
    points = spots(OPENPOSE25, people=2)
    points[0, 4] = 0
    people = read_people(openpose_folder(tmp_path / "json", points), camera=CAMERA, fps=25)
    assert (people.tool, people.identified, people.has_3d, people.advice.mode) == ("openpose", False, False, "2d")
    found = people.detections()
    assert [d.frame for d in found] == [0, 1, 2]
    assert [d.time for d in found] == [0.0, 0.04, 0.08]
    assert torch.isnan(found[0].xy[0, OPENPOSE25.index("right_wrist")]).all()
    assert found[0].confidence[0, OPENPOSE25.index("right_wrist")] == 0
    # BODY_25: 8 is the middle of the hips, 12 the left hip, 19 the left big toe, 24 the right heel.
    for at, name in (
        (0, "nose"),
        (1, "neck"),
        (8, "pelvis"),
        (12, "left_hip"),
        (19, "left_big_toe"),
        (24, "right_heel"),
    ):
        assert found[2].xy[1, OPENPOSE25.index(name)].tolist() == [points[1, at, 0] + 2, points[1, at, 1]]
    with pytest.raises(BadInput, match="who is who"):
        people.tracks()


def test_openpose_coco_and_identities(tmp_path: Path) -> None:
    points = spots(OPENPOSE18, people=2)
    tracks = read_tracks(openpose_folder(tmp_path, points, person=3), camera=CAMERA)
    assert tracks.people == [3, 4]
    row = int(tracks.rows(4)[1])
    assert joint(tracks, row, "left_ankle") == [points[1, 13, 0] + 1, points[1, 13, 1], points[1, 13, 2]]
    assert joint(tracks, row, "left_ear") == [points[1, 17, 0] + 1, points[1, 17, 1], points[1, 17, 2]]


def test_openpose_as_shares_of_the_image_is_refused(tmp_path: Path) -> None:
    points = spots(OPENPOSE25)
    points[..., :2] /= 1000
    with pytest.raises(BadInput, match="keypoint_scale 0"):
        read_people(openpose_folder(tmp_path, points, frames=1), camera=CAMERA)


def alphapose(points: np.ndarray, idx: object, frames: int = 3) -> list[dict]:
    return [
        {
            "image_id": f"{frame}.jpg",
            "category_id": 1,
            "keypoints": found.ravel().tolist(),
            "score": 2.91,
            "box": [40.0, 30.0, 100.0, 200.0],
            "idx": idx if idx is not None else at + 1,
        }
        for frame in range(frames)
        for at, found in enumerate(points)
    ]


@pytest.mark.parametrize(("count", "skeleton"), [(17, COCO17), (26, HALPE26), (136, HALPE26), (133, WHOLEBODY23)])
def test_alphapose(tmp_path: Path, count: int, skeleton: Skeleton) -> None:
    points = spots(Skeleton.of_names(tuple(f"p{k}" for k in range(count))), people=2)
    people = read_people(write(tmp_path / "alphapose-results.json", alphapose(points, None)), camera=CAMERA)
    assert people.tool == "alphapose"
    tracks = people.tracks()
    assert tracks.people == [1, 2]
    assert tracks.skeleton == skeleton
    assert joint(tracks, 3, skeleton.names[-1]) == points[1, len(skeleton) - 1].tolist()
    assert tracks.box[0].tolist() == [40, 30, 140, 230]
    # Its own score goes beyond 1.
    assert people.scores[0] == pytest.approx(points[0, : len(skeleton), 2].mean(), abs=1e-6)


def test_halpe_names(tmp_path: Path) -> None:
    points = spots(HALPE26)
    tracks = read_tracks(write(tmp_path / "a.json", alphapose(points, None)), camera=CAMERA)
    for at, name in ((17, "head_top"), (18, "neck"), (19, "pelvis"), (21, "right_big_toe"), (24, "left_heel")):
        assert joint(tracks, 0, name) == points[0, at].tolist()


def test_alphapose_without_tracking_has_no_identities(tmp_path: Path) -> None:
    found = read_people(write(tmp_path / "a.json", alphapose(spots(COCO17, people=2), [0.0])), camera=CAMERA)
    assert not found.identified
    assert [len(d) for d in found.detections()] == [2, 2, 2]


def test_mmpose_demo_counts_from_one_and_names_joints(tmp_path: Path) -> None:
    points = spots(COCO17, people=2)
    names = {str(at): name for at, name in enumerate(COCO17.names)}
    info = [{"frame_id": f + 1, "instances": [mmpose_instance(p) for p in points] if f else []} for f in range(3)]
    value = {"meta_info": {"dataset_name": "coco", "keypoint_id2name": names}, "instance_info": info}
    found = read_people(write(tmp_path / "results_clip.json", value), camera=CAMERA).detections()
    assert [len(d) for d in found] == [0, 2, 2]
    assert found[1].skeleton == COCO17
    np.testing.assert_allclose(found[1].xy.numpy(), points[..., :2])
    np.testing.assert_allclose(found[1].confidence.numpy(), points[..., 2], atol=1e-6)
    np.testing.assert_allclose(found[1].boxes[0].numpy(), [*points[0, :, :2].min(0), *points[0, :, :2].max(0)])


def test_mmpose_inferencer_counts_from_zero(tmp_path: Path) -> None:
    points = spots(COCO17)
    value = [{"frame_id": f, "instances": [mmpose_instance(p) for p in points]} for f in range(3)]
    people = read_people(write(tmp_path / "clip.json", value), camera=CAMERA)
    assert people.tool == "mmpose"
    assert people.rows.frame.tolist() == [0, 1, 2]
    # Of one image: the people alone, with a score beyond 1 as some networks give.
    points[0, 0, 2] = 1.2
    single = read_people(write(tmp_path / "image.json", [mmpose_instance(p) for p in points]), camera=CAMERA)
    assert single.rows.frame.tolist() == [0]
    assert single.rows.confidence[0, 0] == 1


def test_mmpose_3d_is_turned_back_and_placed(tmp_path: Path) -> None:
    real = truth()
    pose = relative(real)
    # As its demos show it: depth second, x negated, z up from the lowest joint.
    shown = np.stack((-pose[..., 0], pose[..., 2], -pose[..., 1]), -1)
    shown[..., 2] -= shown[..., 2].min(-1, keepdims=True)
    info = [
        {"frame_id": f + 1, "instances": [{"keypoints": p.tolist(), "keypoint_scores": [1.0] * 17}]}
        for f, p in enumerate(shown)
    ]
    names = "root right_hip right_knee right_foot left_hip left_knee left_foot spine thorax neck_base head"
    names += " left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist"
    meta = {"dataset_name": "h36m", "keypoint_id2name": {str(k): n for k, n in enumerate(names.split())}}
    path = write(tmp_path / "lifted.json", {"meta_info": meta, "instance_info": info})
    real.save(tmp_path / "tracks.npz")
    with pytest.raises(BadInput, match="detections"):
        read_people(path, camera=CAMERA)
    people = read_people(path, camera=CAMERA, fps=10, detections=tmp_path / "tracks.npz")
    assert people.skeleton == BODY17
    assert people.has_3d
    np.testing.assert_allclose(people.rows.xyz.numpy(), real.xyz.numpy(), atol=2e-3)


def test_coco_results_and_annotations(tmp_path: Path) -> None:
    points = spots(COCO17, people=2)
    results = [
        {"image_id": f, "category_id": 1, "keypoints": p.ravel().tolist(), "score": 0.5} for f in (0, 2) for p in points
    ]
    people = read_people(write(tmp_path / "results.json", results), camera=CAMERA)
    assert (people.tool, people.identified) == ("coco", False)
    assert [len(d) for d in people.detections()] == [2, 0, 2]
    assert people.scores.tolist() == [0.5] * 4
    results[0]["score"] = 1.7
    assert read_people(write(tmp_path / "results.json", results), camera=CAMERA).scores.max() == 1
    images = [{"id": 10 + f, "file_name": f"images/val/x/{f:06d}.jpg", "width": 640, "height": 480} for f in range(4)]
    flagged = points.copy()
    flagged[..., 2] = 2
    flagged[0, 3, 2], flagged[0, 4] = 1, 0
    annotations = [
        {"id": k, "image_id": 11, "track_id": k + 5, "keypoints": p.ravel().tolist(), "bbox": [1, 2, 3, 4]}
        for k, p in enumerate(flagged)
    ]
    category = [{"id": 1, "name": "person", "keypoints": list(COCO17.names)}]
    content = {"images": images, "annotations": annotations, "categories": category}
    tracks = read_tracks(write(tmp_path / "truth.json", content), camera=CAMERA)
    assert tracks.people == [5, 6]
    assert tracks.frame.tolist() == [1, 1]
    assert tracks.frames.tolist() == [0, 1, 2, 3]
    assert tracks.confidence[0, 2:6].tolist() == [1, 0.5, 0, 1]
    assert tracks.box[1].tolist() == [1, 2, 4, 6]


def test_our_own_coco_export_comes_back(tmp_path: Path) -> None:
    real = truth(2)
    write_coco(tmp_path / "coco.json", coco_of_tracks(real))
    back = read_tracks(tmp_path / "coco.json", camera=CAMERA)
    assert back.skeleton == BODY17
    assert back.people == real.people
    assert torch.equal(back.frame, real.frame)
    assert (back.xy - real.xy).abs().max() < 0.006


def test_posetrack18_with_scores(tmp_path: Path) -> None:
    points = spots(POSETRACK17)
    scores = points[0, :, 2].tolist()
    points[..., 2] = 1
    names = [{"neck": "head_bottom"}.get(name, name) for name in POSETRACK17.names]
    content = {
        "images": [{"id": 10003420000 + f, "file_name": f"images/val/000342/{f:06d}.jpg"} for f in range(2)],
        "annotations": [
            {"image_id": 10003420001, "track_id": 0, "keypoints": points.ravel().tolist(), "scores": scores}
        ],
        "categories": [{"supercategory": "person", "name": "person", "keypoints": names}],
    }
    tracks = read_tracks(write(tmp_path / "000342.json", content), camera=CAMERA)
    assert tracks.skeleton == POSETRACK17
    assert tracks.frame.tolist() == [1]
    assert tracks.confidence[0].tolist() == pytest.approx(scores)


def test_posetrack17_points_have_the_ids_of_its_evaluation(tmp_path: Path) -> None:
    point = [{"id": [k], "x": [10.0 + k], "y": [100.0 + k], "score": [0.5]} for k in (0, 12, 13, 14)]
    person = {"x1": [5], "y1": [6], "x2": [70], "y2": [80], "score": [0.9], "track_id": [4]}
    person["annopoints"] = [{"point": point}]  # ty: ignore[invalid-assignment]
    images = [
        {"image": [{"name": f"images/val/000342/{f:08d}.jpg"}], "annorect": [person] if f == 2 else []} for f in (1, 2)
    ]
    tracks = read_tracks(write(tmp_path / "a.json", {"annolist": images}), camera=CAMERA, first=1)
    assert (tracks.people, tracks.frame.tolist()) == ([4], [1])
    for k, name in ((0, "right_ankle"), (12, "neck"), (13, "nose"), (14, "head_top")):
        assert joint(tracks, 0, name) == [10 + k, 100 + k, 0.5]
    assert torch.isnan(tracks.xy[0, tracks.skeleton.index("left_knee")]).all()
    assert tracks.box[0].tolist() == [5, 6, 70, 80]


def test_dcpose_demo_and_arrays(tmp_path: Path) -> None:
    points = spots(POSETRACK17)
    points[0, 3:5] = 0
    info = [
        {
            "image_path": f"demo/input/clip/{f:05d}.jpg",
            "candidates": [
                {"det_category": 1, "det_bbox": [3, 4, 5, 6], "det_score": 0.7, "keypoints": p.tolist()} for p in points
            ],
        }
        for f in range(2)
    ]
    people = read_people(write(tmp_path / "clip.json", {"Info": info}), camera=CAMERA)
    assert people.tool == "posetrack"
    assert joint(people.rows, 0, "head_top") == points[0, 2].tolist()
    assert people.scores.tolist() == pytest.approx([0.7, 0.7])
    np.savez(tmp_path / "d.npz", detections=np.repeat(points, 3, 0), frames=np.array([0, 5, 10]))
    arrays = read_people(tmp_path / "d.npz", camera=CAMERA)
    assert arrays.tool == "dcpose"
    tracks = arrays.tracks()
    assert tracks.frame.tolist() == [0, 5, 10]
    assert joint(tracks, 1, "right_ankle") == points[0, 16].tolist()
    assert torch.isnan(tracks.xy[0, POSETRACK17.index("left_ear")]).all()


def test_metro_is_placed_by_its_own_camera(tmp_path: Path) -> None:
    real = truth()
    xyz = BODY17.convert(torch.from_numpy(relative(real)), LSP14).numpy()
    # A camera of the whole image without perspective: pixels = 150 (x + t) about the middle of the crop.
    depth = real.xyz[:, :1, 2].double().numpy()
    wanted = BODY17.convert(real.xy.double(), LSP14).numpy()
    middle = real.xy[:, 0].double().numpy()
    enlarged = np.full(FRAMES, 1.5)
    scale = 600.0 / depth[:, 0] * enlarged / 112
    camera = np.column_stack([scale, np.zeros((FRAMES, 2))])
    np.savez(
        tmp_path / "metro.npz",
        pred_3d_joints_from_smpl=xyz.astype(np.float32),
        pred_camera=camera.astype(np.float32),
        crop_scale=enlarged,
        crop_start=middle * 1.5,
    )
    people = read_people(tmp_path / "metro.npz", camera=CAMERA, fps=10)
    assert (people.tool, people.advice.weak_camera, people.advice.motion) == ("metro", True, True)
    tracks = people.tracks()
    assert tracks.skeleton == LSP14
    # The weak camera leaves perspective out: a few pixels at this distance.
    assert np.abs(tracks.xy.numpy() - wanted).max() < 10
    assert np.abs(tracks.xyz.numpy() - BODY17.convert(real.xyz, LSP14).numpy()).max() < 0.25
    # With the true 2D joints it stands where it should.
    real.save(tmp_path / "true.npz")
    seen = read_people(tmp_path / "metro.npz", camera=CAMERA, fps=10, detections=tmp_path / "true.npz").tracks()
    np.testing.assert_allclose(seen.xyz.numpy(), BODY17.convert(real.xyz, LSP14).numpy(), atol=2e-3)
    np.testing.assert_allclose(seen.xy.numpy(), wanted, atol=1e-3)
    assert seen.confidence.unique().tolist() == pytest.approx([0.8])


def test_metro_pixels_are_those_of_the_published_code(parity: Path, tmp_path: Path) -> None:
    stored = np.load(parity / "bootstrap_pose.npz")
    names = ("joints3d", "camera", "crop_scale_f64", "crop_start")
    np.savez(tmp_path / "metro.npz", **{name: stored[name] for name in names})
    people = read_people(tmp_path / "metro.npz", camera=Camera.from_focal((128, 96), 120.0))
    assert people.tool == "metro"
    np.testing.assert_allclose(people.rows.xy.numpy(), stored["projection"], atol=1e-3)
    np.savez(tmp_path / "dcpose.npz", detections_f64=stored["detections_f64"])
    dcpose = read_people(tmp_path / "dcpose.npz", camera=Camera.from_focal((128, 96), 120.0))
    assert dcpose.tool == "dcpose"
    known = stored["detections_f64"][..., :2].any(-1)
    assert (torch.isfinite(dcpose.rows.xy).all(-1).numpy() == known).all()


def test_anatomy3d_needs_joints_in_the_image(tmp_path: Path) -> None:
    real = truth()
    np.save(tmp_path / "out.npy", relative(real).astype(np.float32))
    with pytest.raises(BadInput, match="detections"):
        read_people(tmp_path / "out.npy", camera=CAMERA)
    real.save(tmp_path / "tracks.npz")
    people = read_people(tmp_path / "out.npy", camera=CAMERA, fps=10, detections=tmp_path / "tracks.npz")
    assert (people.tool, people.identified) == ("anatomy3d", True)
    assert (people.advice.mode, people.advice.motion, people.advice.weak_camera) == ("3d", False, False)
    np.testing.assert_allclose(people.rows.xyz.numpy(), real.xyz.numpy(), atol=2e-3)
    np.savez(tmp_path / "both.npz", predictions=relative(real), keypoints_2d=real.xy.numpy())
    np.testing.assert_allclose(read_tracks(tmp_path / "both.npz", camera=CAMERA).xyz, real.xyz, atol=2e-3)


def test_anatomy3d_among_several_people_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "out.npz", predictions=relative(truth()))
    truth(2).save(tmp_path / "two.npz")
    with pytest.raises(BadInput, match="one person"):
        read_people(tmp_path / "out.npz", camera=CAMERA, detections=tmp_path / "two.npz")


def vibe_fields(real: Tracks, person: int) -> dict[str, np.ndarray]:
    """What VIBE says of a person: 49 joints of which the last 24 begin with LSP's and pelvis, thorax, spine."""
    rows = real[real.rows(person)]
    pose = torch.from_numpy(relative(rows))
    joints = np.zeros((len(rows), 49, 3))
    for at, name in enumerate(LSP14.names):
        joints[:, 25 + at] = pose[:, BODY17.index(name)]
    for at, name in ((39, "pelvis"), (40, "neck"), (41, "spine"), (42, "nose"), (43, "head_top"), (44, "nose")):
        joints[:, at] = pose[:, BODY17.index(name)]
    for at in (45, 46, 47, 48):
        joints[:, at] = pose[:, BODY17.index("nose")]
    depth = rows.xyz[:, 0, 2].double().numpy()
    half = np.array(SIZE) / 2
    scale = 600.0 / depth[:, None] / half
    middle = rows.xy[:, 0].double().numpy()
    shift = ((middle + 0.5) / half - 1) / scale
    side = np.full(len(rows), 300.0)
    crop = 600.0 / depth / (side / 2)
    return {
        "joints3d": joints,
        "orig_cam": np.concatenate([scale, shift], -1),
        "pred_cam": np.column_stack([crop, np.zeros((len(rows), 2))]),
        "bboxes": np.column_stack([middle + 0.5, side, side]),
        "frame_ids": rows.frame.numpy(),
        "betas": np.zeros((len(rows), 10)),
        "verts": np.zeros((len(rows), 4, 3)),
    }


def test_vibe_folder_of_people(tmp_path: Path) -> None:
    real = truth(2)
    for person, name in ((0, "3"), (1, "12")):
        np.savez(tmp_path / f"{name}.npz", **vibe_fields(real, person))
    people = read_people(tmp_path, camera=CAMERA, fps=10)
    assert (people.tool, people.advice.weak_camera) == ("vibe", True)
    tracks = people.tracks()
    assert tracks.people == [3, 12]
    assert tracks.skeleton == SPIN24
    at = SPIN24.index("pelvis")
    np.testing.assert_allclose(tracks.xy[:, at].numpy(), real.xy[:, 0].numpy(), atol=1e-2)
    assert np.abs(tracks.xyz[:, at].numpy() - real.xyz[:, 0].numpy()).max() < 0.25
    # Without the camera of the whole image that of the crop says the same.
    fields = vibe_fields(real, 0)
    fields.pop("orig_cam")
    (tmp_path / "one").mkdir()
    np.savez(tmp_path / "one" / "1.npz", **fields)
    crop = read_tracks(tmp_path / "one" / "1.npz", camera=CAMERA)
    np.testing.assert_allclose(crop.xy.numpy(), tracks.xy[: len(crop)].numpy(), atol=1e-2)


def test_people_keep_who_they_are_among_detections(tmp_path: Path) -> None:
    """Two people of VIBE get the joints of a file that lists them in another order."""
    real = truth(2)
    for person in (0, 1):
        np.savez(tmp_path / f"{person}.npz", **vibe_fields(real, person))
    points = np.concatenate([real.xy.numpy(), np.full((len(real), 17, 1), 0.9)], -1)
    names = {str(k): n for k, n in enumerate(BODY17.names)}
    info = [
        {"frame_id": f + 1, "instances": [mmpose_instance(points[p * FRAMES + f]) for p in (1, 0)]}
        for f in range(FRAMES)
    ]
    meta = {"dataset_name": "ours", "keypoint_id2name": names}
    path = write(tmp_path / "json" / "d.json", {"meta_info": meta, "instance_info": info})
    tracks = read_tracks(tmp_path, camera=CAMERA, fps=10, detections=path)
    for person in (0, 1):
        rows, theirs = tracks.rows(person), real.rows(person)
        for name in ("left_wrist", "right_ankle"):
            at = SPIN24.index(name)
            np.testing.assert_allclose(tracks.xy[rows, at], real.xy[theirs, BODY17.index(name)], atol=1e-3)
            np.testing.assert_allclose(tracks.xyz[rows, at], real.xyz[theirs, BODY17.index(name)], atol=0.01)
            assert (tracks.confidence[rows, at] == 0.9).all()
    # Nobody gives ears: they stay where the body model has them, and count nothing.
    assert (tracks.confidence[:, SPIN24.index("left_ear")] == 0).all()


def test_poses_that_were_made_up_are_refined_in_2d() -> None:
    real = truth(2)
    assert own_people(real).advice.mode == "3d"
    assert own_people(real.with_(xyz=real.xyz * torch.nan)).advice.mode == "2d"
    flags = torch.full_like(real.flags, int(Flag.FLAT))
    assert own_people(real.with_(flags=flags)).advice.mode == "2d"
    flags[0] = 0
    assert own_people(real.with_(flags=flags)).advice.mode == "3d"


def test_our_own_tracks(tmp_path: Path) -> None:
    real = truth(2)
    real.save(tmp_path / "tracks.npz")
    people = read_people(tmp_path, camera=CAMERA)
    assert (people.tool, people.identified, people.advice.mode) == ("dyad", True, "3d")
    assert people.advice.lifted
    assert not read_people(tmp_path, camera=CAMERA, detections=tmp_path).advice.lifted
    assert torch.equal(people.tracks().xyz, real.xyz)
    assert [len(d) for d in people.detections()] == [2] * FRAMES
    # A cut at a frame that was left out is one before the next.
    sparse = real[real.frame % 2 == 0].with_(frames=real.frames[::2], times=real.times[::2], cuts=(3,))
    sparse.save(tmp_path / "sparse.npz")
    cut = [d.frame for d in read_people(tmp_path / "sparse.npz", camera=CAMERA).detections() if d.cut]
    assert cut == [4]
    with pytest.raises(BadInput, match="px"):
        read_people(tmp_path, camera=Camera.guess((100, 100)))
    with pytest.raises(BadUsage, match="formats"):
        read_people(tmp_path, camera=CAMERA, format="nothing")
    with pytest.raises(BadUsage, match="camera"):
        read_people(tmp_path)
