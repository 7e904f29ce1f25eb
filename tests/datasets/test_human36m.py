import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat
from scipy.spatial.transform import Rotation

from dyad.core.errors import BadInput, BadUsage, MissingExtra
from dyad.core.skeleton import BODY17
from dyad.datasets import read_dataset
from dyad.datasets.human36m import read_human36m
from dyad.datasets.human36m_cameras import CAMERAS, SUBJECTS, StudioCamera, studio_camera
from dyad.datasets.human36m_clip import H36M32
from dyad.export.video import clip_writer

from .walking import miss, walk

EVERYBODY = [subject for subjects in SUBJECTS.values() for subject in subjects]
# The joints that move, as all code for this data set counts them.
SEVENTEEN = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)


def studio_walk(frames: int = 4, seed: int = 0) -> np.ndarray:
    """Positions (F,32,3) m in the studio: z up, near the middle, feet above the floor."""
    xyz = walk(H36M32, frames=frames, seed=seed)[:, 0]
    return np.stack((xyz[..., 0], xyz[..., 2] - 5, 1.1 - xyz[..., 1]), -1)


def seen(subject: str, camera: str, world: np.ndarray, *, swapped: bool) -> tuple[np.ndarray, np.ndarray]:
    """Positions in camera axes, and pixels by the data set's own lens model; written apart from the reader's."""
    studio = studio_camera(subject, camera, swapped=swapped)
    xyz = (world - studio.place) @ studio.rotation
    (fx, fy, cx, cy), k, p = studio.lens[:4], studio.lens[4:7], studio.lens[7:]
    x, y = xyz[..., 0] / xyz[..., 2], xyz[..., 1] / xyz[..., 2]
    r2 = x * x + y * y
    px, py = (p[1], p[0]) if swapped else (p[0], p[1])
    bend = 1 + k[0] * r2 + k[1] * r2**2 + k[2] * r2**3 + px * x + py * y
    return xyz, np.stack((fx * (x * bend + px * r2) + cx, fy * (y * bend + py * r2) + cy), -1)


def write(
    folder: Path, *, actions=("Directions", "WalkDog 1"), subjects=("S1", "S9"), joints: int = 17, name="gt"
) -> dict:
    """The two files of VideoPose3D; returns {(subject, action): world positions}."""
    solid: dict = {}
    flat: dict = {}
    for subject in subjects:
        solid[subject], flat[subject] = {}, {}
        for at, action in enumerate(actions):
            world = studio_walk(seed=len(solid) * 10 + at).astype(np.float32)
            solid[subject][action] = world
            some = world if joints == 32 else world[:, SEVENTEEN]
            flat[subject][action] = [
                seen(subject, camera, some, swapped=False)[1].astype(np.float32) for camera in CAMERAS
            ]
    np.savez_compressed(folder / "data_3d_h36m.npz", positions_3d=solid)
    metadata = {"layout_name": "h36m", "num_joints": joints, "keypoints_symmetry": [[4, 5], [1, 2]]}
    np.savez_compressed(folder / f"data_2d_h36m_{name}.npz", positions_2d=flat, metadata=metadata)
    return {(s, a): world for s, table in solid.items() for a, world in table.items()}


def test_the_seventeen_joints_are_those_that_move() -> None:
    assert tuple(H36M32.names[at] for at in SEVENTEEN) == BODY17.names


def test_the_cameras_stand_around_the_middle_and_look_at_it() -> None:
    for subject in EVERYBODY:
        for name in CAMERAS:
            studio = studio_camera(subject, name, swapped=False)
            assert studio.rotation @ studio.rotation.T == pytest.approx(np.eye(3), abs=1e-12)
            assert np.linalg.det(studio.rotation) == pytest.approx(1)
            middle = studio.rotation.T @ (np.array((0.2, 0.2, 1)) - studio.place)
            assert np.abs(studio.pixels(middle) - 500).max() < 200
            assert 3.5 < middle[2] < 6
            # Cameras are upright: the studio's up is the image's.
            assert studio.rotation[2, 1] < -0.95


def test_the_nearest_camera_is_near() -> None:
    place = np.stack(np.meshgrid(np.linspace(-0.25, 0.25, 21), np.linspace(-0.25, 0.25, 21)), -1).reshape(-1, 2)
    place = place[np.linalg.norm(place, axis=-1) < 0.25]
    points = np.concatenate((place, np.ones((len(place), 1))), -1) * 4
    for name in CAMERAS:
        for swapped in (False, True):
            studio = studio_camera("S1", name, swapped=swapped)
            gap = studio.camera.project(torch.from_numpy(points)).numpy() - studio.pixels(points)
            assert np.linalg.norm(gap, axis=-1).max() < 0.07


def test_lenses_meet_real_annotations(real: Path) -> None:
    """Four real frames whose joints VideoPose3D's numbers projected."""
    file = real / "images/h36m/test_h36m_body3d.npz"
    if not file.is_file():
        pytest.skip("no Human3.6M sample")
    arrays = np.load(file)
    for name, xyz, xy in zip(arrays["imgname"], arrays["S"], arrays["part"], strict=True):
        subject, camera = str(name)[:2], str(name).split(".")[1][:8]
        studio = studio_camera(subject, camera, swapped=False)
        assert np.abs(studio.pixels(xyz[:, :3]) - xy[:, :2]).max() < 1e-3
        gap = studio.camera.project(torch.from_numpy(xyz[:, :3])).numpy() - xy[:, :2]
        assert np.abs(gap).max() < 0.07


@pytest.mark.parametrize("joints", [17, 32])
def test_every_subject_action_and_camera_is_a_clip(tmp_path: Path, joints: int) -> None:
    worlds = write(tmp_path, joints=joints)
    clips = list(read_dataset("human36m", tmp_path))
    assert [clip.name for clip in clips] == [
        f"{s}/{a}.{c}" for s in ("S1", "S9") for a in ("Directions", "WalkDog 1") for c in CAMERAS
    ]
    for clip in clips:
        subject, _, rest = clip.name.partition("/")
        action, _, camera = rest.rpartition(".")
        truth = clip.truth
        xyz, xy = seen(subject, camera, worlds[subject, action][:, SEVENTEEN], swapped=False)
        assert (truth.skeleton, truth.people, truth.fps, clip.video) == (BODY17, [0], 50.0, None)
        assert truth.camera.size == (1000, 1002 if camera in ("54138969", "60457274") else 1000)
        assert truth.xyz.numpy() == pytest.approx(xyz, abs=1e-6)
        assert truth.xy.numpy() == pytest.approx(xy, abs=1e-3)
        assert miss(truth) < 0.15
        # The floor is the studio's: heights are the world's z.
        assert truth.world is not None
        heights = truth.world.height(truth.xyz.double()).numpy()
        assert heights == pytest.approx(worlds[subject, action][:, SEVENTEEN, 2], abs=1e-5)
        assert truth.times.tolist() == pytest.approx([0, 0.02, 0.04, 0.06])


def test_splits_cameras_joints_and_files_of_2d(tmp_path: Path) -> None:
    worlds = write(tmp_path, name="cpn_ft_h36m_dbb")
    test = list(read_human36m(tmp_path, split="test", cameras=["60457274"]))
    assert [clip.name for clip in test] == ["S9/Directions.60457274", "S9/WalkDog 1.60457274"]
    assert {clip.name[:2] for clip in read_human36m(tmp_path, split="train")} == {"S1"}
    # Without the file of 2D truth, 2D is where the nearest camera sees 3D.
    assert miss(test[0].truth) < 0.001
    full = next(read_human36m(tmp_path, split="test", joints=32)).truth
    assert full.skeleton == H36M32
    expected = seen("S9", CAMERAS[0], worlds["S9", "Directions"], swapped=False)[0]
    assert full.xyz.numpy() == pytest.approx(expected, abs=1e-6)
    assert torch.equal(full.convert(BODY17).xyz, next(read_human36m(tmp_path, split="test")).truth.xyz)
    detected = next(read_human36m(tmp_path, split="test", keypoints="cpn_ft_h36m_dbb"))
    assert torch.allclose(detected.truth.xy, next(read_human36m(tmp_path, split="test")).truth.xy, atol=0.1)


def test_a_video_is_found_by_the_longer_name(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "S9/Videos").mkdir(parents=True)
    with clip_writer(tmp_path / "S9/Videos/WalkingDog 1.60457274.mp4") as writer:
        for frame in range(4):
            writer.write(np.zeros((1002, 1000, 3), np.uint8), frame / 50)
    clips = list(read_human36m(tmp_path, split="test", cameras=["60457274"]))
    assert [clip.video is not None for clip in clips] == [False, True]


def test_wrong_files_are_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds neither data_3d_h36m"):
        list(read_human36m(tmp_path))
    write(tmp_path, subjects=("S1",), actions=("Eating",))
    with pytest.raises(BadInput, match="none of the subjects S9, S11"):
        list(read_human36m(tmp_path, split="test"))
    for wrong in ({"cameras": ["1"]}, {"joints": 16}, {"split": "val"}):
        with pytest.raises(BadUsage):
            list(read_human36m(tmp_path, **wrong))
    solid, flat = (tmp_path / f"data_{n}.npz" for n in ("3d_h36m", "2d_h36m_gt"))
    keep = {path: path.read_bytes() for path in (solid, flat)}
    good = studio_walk().astype(np.float32)
    for path, entry, value, match in (
        (solid, "positions_3d", {"S1": {"Eating": good[:, :17]}}, "any x 32 x 3, got 4 x 17 x 3"),
        (solid, "positions_3d", {"S1": {"Eating": good * 1000}}, "other units"),
        (solid, "positions_3d", {"S1": {"Eating": good * np.nan}}, "not finite"),
        (solid, "positions_3d", {"S1": {"Eating": good + 1}}, "px from where the camera sees 3D"),
        (solid, "positions_3d", {"S1": {"Eating": good[:3]}}, None),
        (solid, "positions_3d", {"S1": [good]}, "table of subjects"),
        (solid, "positions_3d", [good], "table of subjects"),
        (solid, "positions_3d", {"S1": {"Eating": Path("x")}}, "holds more than data"),
        (solid, "something", {}, "lacks positions_3d"),
        (flat, "positions_2d", {"S5": {}}, "no 2D joints"),
        (flat, "positions_2d", {"S1": {"Eating": []}}, "no 2D joints"),
        (flat, "positions_2d", {"S1": {"Eating": [good[:2, :17, :2]] * 4}}, "4 frames of 17 or 32 joints"),
    ):
        np.savez(path, **{entry: np.array(value, dtype=object) if isinstance(value, list) else value})
        if match is None:
            # Detectors' files hold a few frames more than there is 3D for.
            keep_world = read_human36m(tmp_path, split="train", keypoints="none")
            assert len(next(keep_world).truth) == 3
        else:
            with pytest.raises(BadInput, match=match):
                list(read_human36m(tmp_path))
        path.write_bytes(keep[path])
    solid.write_bytes(keep[solid][:500])
    with pytest.raises(BadInput, match="no npz archive"):
        list(read_human36m(tmp_path))


def metadata(folder: Path, subjects=("S1", "S9")) -> dict[tuple[str, str], StudioCamera]:
    """A metadata.xml whose cameras are these tests' own; returns them."""
    numbers, cameras = np.zeros(300), {}
    for at, name in enumerate(CAMERAS):
        lens = np.array((1100 + at, 1090, 505, 498, -0.2, 0.24, -0.003, -0.001 - at / 1000, 0.002))
        numbers[264 + 9 * at : 273 + 9 * at] = lens
        for subject in subjects:
            angles = np.array((-1.7 + at / 50, 0.3 * at, 0.1 + int(subject[1:]) / 30))
            rotation = Rotation.from_euler("XYZ", angles).as_matrix()
            place = rotation.T @ (0, 0, -5.2) + (0.1, 0, 1)
            numbers[6 * (at * 11 + int(subject[1:]) - 1) :][:6] = (*angles, *(place * 1000))
            cameras[subject, name] = StudioCamera(name, lens, rotation.T, place, True)
    text = " ".join(f"{number:.12g}" for number in numbers)
    (folder / "metadata.xml").write_text(f"<metadata><mapping/><w0>[{text}]</w0></metadata>")
    return cameras


def write_raw(
    folder: Path, suffix: str, cameras: dict | None, subjects=("S1", "S9"), pose: str = "MyPoseFeatures"
) -> dict:
    """The raw layout; returns {(subject, action): world positions}."""
    worlds = {}
    for subject in subjects:
        for name in ("D3_Positions", "D2_Positions"):
            (folder / subject / pose / name).mkdir(parents=True)
        for at, action in enumerate(("Directions 1", "Eating")):
            world = studio_walk(seed=at + 5).astype(np.float32).astype(np.float64)
            worlds[subject, action] = world
            save(folder / subject / pose / "D3_Positions" / f"{action}{suffix}", world.reshape(len(world), 96) * 1000)
            for name in CAMERAS:
                if cameras:
                    studio = cameras[subject, name]
                    xy = studio.pixels((world - studio.place) @ studio.rotation)
                else:
                    xy = seen(subject, name, world, swapped=True)[1]
                path = folder / subject / pose / "D2_Positions" / f"{action}.{name}{suffix}"
                save(path, xy.reshape(len(world), 64))
        save(folder / subject / pose / "D3_Positions" / f"_ALL 1{suffix}", np.zeros((1, 96)))
    return worlds


def save(path: Path, values: np.ndarray) -> None:
    values = values.astype(np.float32)
    if path.suffix == ".mat":
        cell = np.empty((1, 1), dtype=object)
        cell[0, 0] = values
        savemat(path, {"data": cell})
        return
    cdfwrite = pytest.importorskip(
        "cdflib.cdfwrite", reason="cdflib is not installed: pip install 'dyad-pose[datasets]'"
    )
    path.unlink(missing_ok=True)
    with cdfwrite.CDF(str(path), cdf_spec={"Compressed": 6}) as file:
        spec = {
            "Variable": "Pose",
            "Data_Type": 44,
            "Num_Elements": 1,
            "Rec_Vary": True,
            "Dim_Sizes": list(values.shape),
        }
        file.write_var(spec, var_data=values[None])


@pytest.mark.parametrize(
    ("suffix", "pose", "stated"),
    [
        (".cdf", "MyPoseFeatures", True),
        (".cdf", "MyPoses", False),
        (".cdf.mat", "MyPoseFeatures", True),
    ],
)
def test_the_raw_download_is_read(tmp_path: Path, suffix: str, pose: str, stated: bool) -> None:
    cameras = metadata(tmp_path) if stated else None
    worlds = write_raw(tmp_path, suffix, cameras, pose=pose)
    clips = list(read_dataset("human36m", tmp_path, split="test"))
    assert [clip.name for clip in clips] == [f"S9/{a}.{c}" for a in ("Directions 1", "Eating") for c in CAMERAS]
    for clip in clips:
        action, _, camera = clip.name.removeprefix("S9/").rpartition(".")
        world = worlds["S9", action][:, SEVENTEEN]
        if cameras:
            studio = cameras["S9", camera]
            xyz = (world - studio.place) @ studio.rotation
            xy = studio.pixels(xyz)
        else:
            xyz, xy = seen("S9", camera, world, swapped=True)
        assert clip.truth.xyz.numpy() == pytest.approx(xyz, abs=2e-6)
        assert clip.truth.xy.numpy() == pytest.approx(xy, abs=1e-3)
        assert miss(clip.truth) < 0.15


def test_wrong_raw_files_are_said_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_raw(tmp_path, ".cdf", None, subjects=("S1",))
    path = tmp_path / "S1/MyPoseFeatures/D3_Positions/Directions 1.cdf"
    keep = path.read_bytes()
    for content in (b"", keep[: len(keep) // 2], b"text" * 100):
        path.write_bytes(content)
        with pytest.raises(BadInput, match="no whole CDF"):
            list(read_human36m(tmp_path))
    for values, match in (
        (np.zeros((4, 51)), "any x 96"),
        (np.full((4, 96), np.nan), "not finite"),
        (np.full((4, 96), 1e9), "other units"),
        (np.zeros((3, 96)), "3 frames, its 2D"),
        (np.zeros((4, 96)), "px from where"),
    ):
        save(path, values)
        with pytest.raises(BadInput, match=match):
            list(read_human36m(tmp_path))
    for text, match in (
        ("<a>", "no metadata"),
        ("<a><w0>[1 2]</w0></a>", "shape 300"),
        ("<a><w0>x</w0></a>", "no meta"),
    ):
        (tmp_path / "metadata.xml").write_text(text)
        with pytest.raises(BadInput, match=match):
            list(read_human36m(tmp_path))
    (tmp_path / "metadata.xml").unlink()
    monkeypatch.setitem(sys.modules, "cdflib", None)
    with pytest.raises(MissingExtra, match=r"cdflib.*dyad-pose\[datasets\]"):
        list(read_human36m(tmp_path))
