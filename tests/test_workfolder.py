"""What a run leaves in its folder and in its result."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import dyad
from dyad.core.errors import BadUsage
from dyad.core.video import Video
from dyad.pipeline import Watch
from dyad.synthetic.demo import demo_clip
from dyad.workfolder import FILES, Coverage, open_video
from tests.core.test_video import encode, ramp


@pytest.fixture(scope="module")
def ran(walkers, blazepose_folder, tmp_path_factory) -> dyad.Result:
    return dyad.run(walkers, tmp_path_factory.mktemp("ran") / "new" / "out", notes=("A note of the caller's.",))


@pytest.fixture(scope="module")
def account(ran) -> dict:
    return json.loads((ran.folder / "run.json").read_text(encoding="utf-8"))


def test_the_folder_holds_the_four_files(ran):
    """The page has its copy of the clip inside; nothing else is left of it."""
    assert sorted(path.name for path in ran.folder.iterdir()) == sorted({*FILES} - {"video.mp4"})
    page = (ran.folder / "report.html").read_text(encoding="utf-8")
    assert '"embedded":true' in page.replace(" ", "")
    assert "video.mp4" not in page


def test_a_copy_too_large_for_the_page_stays_beside_it(tmp_path, walkers, blazepose_folder, monkeypatch):
    monkeypatch.setattr("dyad.workfolder.EMBED_LIMIT", 100)
    dyad.run(walkers, tmp_path, every=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '"file":"./video.mp4"' in page.replace(" ", "")
    assert len(Video(tmp_path / "video.mp4")) == 4


def test_run_json_says_what_was_done(account, ran, walkers):
    assert account["schema"] == "dyad-run/1"
    assert account["dyad"] == dyad.__version__
    assert account["torch"] == torch.__version__
    assert account["video"]["name"] == walkers.name
    assert account["video"]["size"] == [256, 144]
    assert account["video"]["fps"] == 25
    assert account["video"]["frames"] == account["video"]["decoded"]["frames"] == 10
    assert account["camera"] == ran.tracks.camera.to_json()
    assert account["camera"]["source"] == "guess"
    assert account["camera_moves"] is False
    assert account["options"]["detector"] == "blazepose"
    assert account["options"]["frames"] is None
    assert set(account["options"]) >= {"every", "max_people", "height", "thorough", "key_interval", "device"}
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in account["weights"].values())
    assert set(account["weights"]) == {"pose_detection.tflite", "pose_landmark_full.tflite", "lifting.safetensors"}
    assert account["people"] == len(ran.tracks.people) == 2
    assert account["notes"] == ran.notes


def test_seconds_are_counted_by_stage(account, ran):
    assert set(account["seconds"]) == {"detect", "track", "lift", "draw", "write"}
    assert all(value >= 0 for value in account["seconds"].values())
    assert account["seconds"]["detect"] == pytest.approx(ran.seconds["detect"], abs=1e-3)


def test_coverage_adds_up(account, ran):
    cover, tracks = ran.coverage, ran.tracks
    assert cover.detected == int((~tracks.filled).sum()) > 10
    assert cover.detected + cover.filled == len(tracks)
    assert account["coverage"] == {"detected": cover.detected, "filled": cover.filled, "refused": cover.refused}


def test_refused_are_the_detections_that_became_nobody(walkers, blazepose_folder, monkeypatch):
    counts = []

    def call(pipeline, video: Video, watch: Watch):
        tracks = pipeline.lifter(pipeline.tracker(watch.note(pipeline.detector(video)), video))
        counts.append(watch.detections)
        return tracks

    monkeypatch.setattr("dyad.pipeline.Pipeline.__call__", call)
    both, one = dyad.run(walkers, every=2).coverage, dyad.run(walkers, every=2, max_people=1).coverage
    assert both.detected + both.refused == counts[0]
    assert one.detected + one.refused == counts[1]
    assert one.detected < both.detected


def test_a_guessed_camera_is_called_a_guess_everywhere(account, ran):
    (note,) = [note for note in ran.notes if "guess" in note]
    assert f"{0.8 * np.hypot(256, 144):.0f} px" in note
    assert "The focal length is a guess" in (ran.folder / "report.html").read_text(encoding="utf-8")
    assert ran.notes[0] == "A note of the caller's."


def test_a_known_camera_is_no_guess(walkers, blazepose_folder):
    assert open_video(walkers, focal=240.0).camera.focal.tolist() == [240, 240]
    assert open_video(walkers, fov=90.0).camera.focal.tolist() == pytest.approx([128, 128])
    result = dyad.run(walkers, every=5, height=1.7, camera=dyad.Camera.from_fov((256, 144), 50.0))
    assert result.tracks.camera.source == "fov"
    assert not any("guess" in note or "--height" in note for note in result.notes)


def test_the_tracks_load_again(ran):
    for place in (ran.folder, str(ran.folder), ran.folder / "tracks.npz"):
        again = dyad.load(place)
        assert again.person.tolist() == ran.tracks.person.tolist()
        torch.testing.assert_close(again.xyz, ran.tracks.xyz, equal_nan=True)


def test_the_overlay_has_every_frame_at_its_time(ran, walkers):
    overlay, source = Video(ran.folder / "overlay.mp4"), Video(walkers)
    np.testing.assert_allclose(overlay.times, source.times, atol=1e-4)
    assert overlay.size == source.size
    # Something is painted where people are, and nothing far from them.
    change = np.abs(overlay[5].astype(int) - source[5]).mean(-1)
    x0, y0, x1, y1 = ran.tracks.box[ran.tracks.frame == 5][0].round().int().tolist()
    assert change[max(y0, 0) : y1, max(x0, 0) : x1].max() > 60
    assert np.median(change) < 6


def test_without_an_output_nothing_is_written(tmp_path, blazepose_folder, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = demo_clip(size=(384, 216), seconds=0.16, fps=25, people=2).video[:]
    result = dyad.run(images)
    assert result.folder is None
    assert len(result.tracks.people) == 2
    assert result.tracks.video == "array"
    assert list(tmp_path.iterdir()) == []
    assert isinstance(result.coverage, Coverage)


def test_nobody_in_sight_is_said(tmp_path, blazepose_folder):
    result = dyad.run(np.full((2, 48, 64, 3), 90, np.uint8), tmp_path)
    assert len(result.tracks) == 0
    assert any("Nobody was found" in note for note in result.notes)
    assert len(dyad.load(tmp_path)) == 0


def test_a_cut_is_said(tmp_path, blazepose_folder):
    random = np.random.default_rng(0)
    scenes = [random.integers(0, 255, (12, 16, 3), np.uint8).repeat(8, 0).repeat(8, 1) for _ in range(2)]
    result = dyad.run(encode(tmp_path / "cut.mp4", [scenes[0]] * 8 + [scenes[1]] * 8))
    assert any("cut before frame 8;" in note for note in result.notes)


def test_a_second_run_replaces_the_first(tmp_path, blazepose_folder):
    for frames in (3, 2):
        dyad.run(np.stack([ramp(k) for k in range(frames)]), tmp_path)
    assert len(dyad.load(tmp_path).frames) == 2
    assert json.loads((tmp_path / "run.json").read_text())["video"]["frames"] == 2


def test_contradictory_cameras_are_bad_usage(walkers):
    both = {"focal": 1.0, "fov": 2.0}, {"fov": 40.0, "camera": "camera.toml"}
    for options, told in zip(both, ("--focal 1.0 and --fov 2.0", "--fov 40.0 and --camera camera.toml"), strict=True):
        with pytest.raises(BadUsage, match=f"one of .* got {told}"):
            open_video(walkers, **options)


def test_options_beside_a_video_are_bad_usage():
    video = Video(np.stack([ramp(0)]))
    assert open_video(video) is video
    for options in ({"focal": 1.0}, {"fov": 40.0}, {"camera": video.camera}, {"frames": slice(0, 1)}, {"every": 2}):
        with pytest.raises(BadUsage, match="already"):
            open_video(video, **options)


def said_to_move(path: Path, frames: slice, folder: Path) -> bool:
    result = dyad.run(path, folder, frames=frames, key_interval=1.0)
    said = any(note.startswith("The camera moves") for note in result.notes)
    assert json.loads((folder / "run.json").read_text())["camera_moves"] == said
    assert ("The camera moves" in (folder / "report.html").read_text(encoding="utf-8")) == said
    return said


def test_a_moving_camera_is_noticed_and_a_still_one_not(tmp_path, real, blazepose_folder):
    assert said_to_move(real / "video" / "3dpw_two_person_40f.mp4", slice(15, 27), tmp_path / "moving")
    assert not said_to_move(real / "video" / "ntu_two_person_hug.avi", slice(15, 27), tmp_path / "still")
