import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import dyad.synth
from dyad import cli
from dyad.core.camera import Camera
from dyad.core.decoding import read_image
from dyad.core.errors import BadInput, BadUsage
from dyad.core.flow_files import read_flow
from dyad.core.skeleton import COCO17
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.synth import CONTENTS, Plan, clip_name, make_clip, synth
from dyad.synthetic.random_scenes import Recipe
from dyad.synthetic.scenes import Scene

PLAN = Plan(Recipe(people=(2, 2), size=(128, 96), seconds=0.16, far=8.0, detail="low", samples=1, lens=0.0), seed=5)
FRAMES = 4


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def scene() -> Scene:
    return PLAN.scene(1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips, each by a process of its own."""
    return synth(2, tmp_path_factory.mktemp("synth"), PLAN, workers=2, command="dyad synth 2")


@pytest.fixture(scope="module")
def clip(made: Path) -> Path:
    return made / clip_name(1)


def test_a_folder_holds_what_it_says(made: Path) -> None:
    account = json.loads((made / "dataset.json").read_text(encoding="utf-8"))
    assert account["command"] == "dyad synth 2"
    assert account["plan"] == PLAN.to_json()
    assert account["files"].keys() == CONTENTS.keys()
    assert [entry["name"] for entry in account["clips"]] == ["clip_00000", "clip_00001"]
    assert [entry["people"] for entry in account["clips"]] == [2, 2]
    for number in range(2):
        assert sorted(contents(made / clip_name(number))) == sorted(PLAN.files())


def test_what_is_written_is_what_the_scene_knows(clip: Path, scene: Scene) -> None:
    truth, expected = Tracks.load(clip), scene.truth()
    for name in ("frame", "person", "xy", "xyz", "confidence", "box"):
        torch.testing.assert_close(getattr(truth, name), getattr(expected, name), atol=0, rtol=0)
    for frame in range(FRAMES):
        mask = read_image(clip / "masks" / f"{frame:06d}.png")[..., 0]
        np.testing.assert_array_equal(mask, scene.mask(frame).numpy())
    assert mask.max() == 2
    for frame in range(FRAMES - 1):
        flow = scene.flow(frame)
        np.testing.assert_array_equal(read_flow(clip / "flow" / f"{frame:06d}.flo").numpy(), flow.numpy())
        hidden = read_image(clip / "flow" / f"{frame:06d}.png")[..., 0]
        np.testing.assert_array_equal(hidden == 255, flow.occluded.numpy())
    camera = Camera.from_file(clip / "camera.toml")
    assert (camera.size, camera.focal.tolist()) == (truth.camera.size, truth.camera.focal.tolist())


def test_the_video_shows_the_scene(clip: Path, scene: Scene) -> None:
    video = Video(clip / "video.mp4")
    assert video.size == (128, 96)
    np.testing.assert_allclose(video.times, scene.times, atol=1e-4)
    for frame in range(FRAMES):
        shown, drawn = (image.astype(float).mean(-1) for image in (video[frame], scene.image(frame)))
        assert np.abs(shown - drawn).mean() < 3  # grey levels


def test_coco_has_its_own_joints_and_the_masks_extents(clip: Path, scene: Scene) -> None:
    coco = json.loads((clip / "annotations.json").read_text(encoding="utf-8"))
    assert coco["categories"][0]["keypoints"] == list(COCO17.names)
    assert [image["frame_id"] for image in coco["images"]] == list(range(FRAMES))
    truth = scene.truth(COCO17)
    checked = 0
    for entry in coco["annotations"]:
        frame = entry["image_id"] - 1
        mask = scene.mask(frame).numpy() == entry["track_id"] + 1
        assert entry["area"] == mask.sum()
        x, y, width, height = entry["bbox"]
        assert mask[int(y) : int(y + height), int(x) : int(x + width)].sum() == mask.sum()
        row = truth[(truth.frame == frame) & (truth.person == entry["track_id"])]
        points = np.array(entry["keypoints"]).reshape(17, 3)
        labelled = points[:, 2] > 0
        np.testing.assert_allclose(points[labelled, :2], row.xy[0].numpy()[labelled], atol=0.01)
        np.testing.assert_array_equal(points[:, 2], np.select([row.confidence[0] > 0.5, row.confidence[0] > 0], [2, 1]))
        checked += labelled.sum()
    assert checked > 50


def test_no_byte_depends_on_the_number_of_processes(made: Path, tmp_path: Path) -> None:
    for number in range(2):
        alone = make_clip(tmp_path, PLAN, number, threads=3)
        assert contents(alone) == contents(made / clip_name(number))
    assert contents(tmp_path / clip_name(0)) != contents(tmp_path / clip_name(1))


def test_what_is_finished_stays_and_what_is_not_is_made_anew(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(made, folder)
    before = contents(folder)
    kept = folder / clip_name(0) / "video.mp4"
    stamp = kept.stat().st_mtime_ns
    (folder / clip_name(1) / "masks" / "000002.png").unlink()
    (folder / ".clip_00007-half").mkdir()
    told: list[tuple[int, int | None]] = []
    synth(
        2, folder, PLAN, workers=1, command="dyad synth 2", progress=lambda _, done, total: told.append((done, total))
    )
    assert contents(folder) == before
    assert not (folder / ".clip_00007-half").exists()
    assert kept.stat().st_mtime_ns == stamp
    assert told == [(1, 2), (2, 2)]
    synth(1, folder, PLAN, workers=1)
    assert (folder / clip_name(1)).is_dir()


def test_an_interruption_leaves_whole_clips_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = dyad.synth.write_scene

    def broken(scene: Scene, folder: Path, **options: bool) -> None:
        whole(scene, folder, **options)
        if scene.name == clip_name(1):
            raise KeyboardInterrupt

    monkeypatch.setattr(dyad.synth, "write_scene", broken)
    with pytest.raises(KeyboardInterrupt):
        synth(3, tmp_path, PLAN, workers=1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip_00000", "dataset.json"]


def test_flow_and_masks_can_be_left_out(tmp_path: Path) -> None:
    plan = Plan(PLAN.recipe, seed=5, flow=False, masks=False)
    synth(1, tmp_path, plan, workers=1)
    names = {p.name for p in (tmp_path / clip_name(0)).iterdir()}
    assert names == {"video.mp4", "tracks.npz", "annotations.json", "camera.toml"}
    account = json.loads((tmp_path / "dataset.json").read_text(encoding="utf-8"))
    assert account["files"].keys() == names


def test_a_folder_of_other_clips_is_left_alone(made: Path) -> None:
    with pytest.raises(BadUsage, match="made with another seed, 5 and not 6"):
        synth(2, made, Plan(PLAN.recipe, seed=6))
    with pytest.raises(BadUsage, match="another people, 2 to 2 and not 1 to 4"):
        synth(2, made, Plan(Recipe(), seed=5))
    with pytest.raises(BadUsage, match="another flow"):
        synth(2, made, Plan(PLAN.recipe, seed=5, flow=False))


def test_clips_of_somebody_else_are_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "clip_00000" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("keep me")
    with pytest.raises(BadUsage, match=r"not made by `dyad synth`"):
        synth(1, tmp_path, PLAN)
    assert mine.read_text() == "keep me"


def test_a_strange_account_is_refused(tmp_path: Path) -> None:
    for text in ("{", "[]", '{"plan": 3}', '{"plan": {"recipe": 3}}'):
        (tmp_path / "dataset.json").write_text(text)
        with pytest.raises(BadInput, match=r"no account of `dyad synth`"):
            synth(1, tmp_path, PLAN)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["0"], 2, "a clip at least"),
        (["1", "--people", "x"], 2, "--people takes A:B"),
        (["1", "--people", "3:2"], 2, "1 to 32 people"),
        (["1", "--size", "64"], 2, "--size takes WxH"),
        (["1", "--size", "65x64"], 2, "even"),
        (["1", "--seed", "-1"], 2, "0 or above"),
        (["1", "--workers", "0"], 2, "--workers"),
        (["1", "--motions", "nowhere", "--size", "32x32", "--seconds", "0.1"], 3, "nowhere"),
        (["1", "--backgrounds", "nowhere", "--size", "32x32", "--seconds", "0.1"], 3, "nowhere"),
    ],
)
def test_mistakes_are_told_in_a_line(
    words: list[str], status: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as leave:
        cli.main(["synth", *words, "-o", str(tmp_path / "out")])
    assert leave.value.code == status
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert said in lines[0]
    assert list((tmp_path / "out").glob("*clip*")) == []


def test_the_command_line_makes_clips_and_says_how(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    words = ["--people", "1", "--size", "64x48", "--seconds", "0.08", "--no-flow", "--no-masks", "--workers", "1"]
    with pytest.raises(SystemExit) as leave:
        cli.main(["synth", "1", "-o", str(out), *words])
    assert leave.value.code == 0
    assert "1 clip is in" in capsys.readouterr().out
    account = json.loads((out / "dataset.json").read_text(encoding="utf-8"))
    assert account["command"].startswith(f"dyad synth 1 -o {out} --people 1 --size 64x48 --seed 0 --seconds 0.08")
    assert len(Video(out / "clip_00000" / "video.mp4").times) == 2
