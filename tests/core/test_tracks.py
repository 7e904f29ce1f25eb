import json
import math
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dyad.core.camera import Camera
from dyad.core.errors import BadInput
from dyad.core.skeleton import BODY17, COCO17, MUPOTS17
from dyad.core.tracks import Flag, Tracks, World

CAMERA = Camera(
    (640, 480), torch.tensor([500.0, 501.25]), torch.tensor([320.1, 239.9]), torch.tensor([0.1, -0.01, 1e-3, 2e-3, 0])
)
ROW_ARRAYS = ["frame", "person", "time", "xy", "confidence", "xyz", "sigma", "box", "filled", "agreement", "flags"]


def some(seen: list[tuple[int, int]], *, frames: list[int] | None = None, seed: int = 0) -> Tracks:
    """Tracks of the (person, frame) pairs in any order, with values of their own in every array."""
    generator = torch.Generator().manual_seed(seed)
    n, j = len(seen), len(BODY17)

    def draw(*shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=generator)

    timeline = sorted({frame for _, frame in seen}) if frames is None else frames
    return Tracks.of_rows(
        skeleton=BODY17,
        camera=CAMERA,
        frame=torch.tensor([frame for _, frame in seen], dtype=torch.int64),
        person=torch.tensor([person for person, _ in seen], dtype=torch.int64),
        frames=torch.tensor(timeline, dtype=torch.int64),
        times=torch.tensor(timeline, dtype=torch.float64) / 29.97,
        xy=draw(n, j, 2) * 400,
        confidence=draw(n, j),
        xyz=draw(n, j, 3) + torch.tensor([0.0, 0.0, 3.0]),
        sigma=draw(n, j, 3),
        box=draw(n, 4),
        filled=draw(n) > 0.5,
        agreement=torch.where(draw(n, j) > 0.5, draw(n, j), torch.nan),
        flags=torch.randint(0, 4, (n,), generator=generator),
        fps=29.97,
        video="clip.mp4",
        world=World(torch.tensor([0.0, 0.98, 0.199]), torch.tensor([0.0, -0.98, -0.199, 1.5])),
    )


RAGGED = [(7, 4), (2, 2), (2, 9), (7, 2), (2, 5), (9, 9)]
TIMELINE = [0, 2, 4, 5, 7, 9, 11]


def same(a: Tracks, b: Tracks) -> bool:
    arrays = all(
        getattr(a, name).dtype == getattr(b, name).dtype
        and getattr(a, name).numpy().tobytes() == getattr(b, name).numpy().tobytes()
        for name in (*ROW_ARRAYS, "frames", "times")
    )
    worlds = [t.world.to_json() if t.world else None for t in (a, b)]
    rest = [(t.skeleton, t.camera.to_json(), t.fps, t.video) for t in (a, b)]
    return arrays and worlds[0] == worlds[1] and rest[0] == rest[1]


def test_a_frame_lies_in_the_shot_of_the_last_cut_up_to_it() -> None:
    tracks = some(RAGGED, frames=TIMELINE)
    assert tracks.shot(tracks.frames).tolist() == [0] * 7
    # A cut at a frame that was left out (3), one at a frame that was not (9), and one after all of them.
    assert tracks.with_(cuts=(9, 3, 20)).shot(tracks.frames).tolist() == [0, 0, 1, 1, 1, 2, 2]


# --- rows ----------------------------------------------------------------------------------------------------------


def test_rows_are_put_in_order_with_all_that_is_theirs() -> None:
    tracks = some(RAGGED, frames=TIMELINE)
    assert list(zip(tracks.person.tolist(), tracks.frame.tolist(), strict=True)) == sorted(RAGGED)
    assert torch.equal(tracks.time, tracks.frame.double() / 29.97)
    assert tracks.people == [2, 7, 9]
    assert tracks.frame[tracks.rows(2)].tolist() == [2, 5, 9]
    # The first given row, person 7 in frame 4, has the first values drawn.
    first = torch.rand((6, 17, 2), generator=torch.Generator().manual_seed(0))[0] * 400
    assert torch.equal(tracks.xy[4], first)


def test_what_is_not_given_is_missing() -> None:
    tracks = Tracks.of_rows(camera=CAMERA, frame=[3, 1], person=[0, 0], fps=10)
    assert tracks.time.tolist() == [0.1, 0.3]
    assert tracks.frames.tolist() == [1, 3]
    for name in ("xy", "xyz", "sigma", "box", "agreement"):
        assert torch.isnan(getattr(tracks, name)).all()
    assert not tracks.confidence.any()
    assert not tracks.filled.any()
    assert not tracks.flags.any()
    assert tracks.world is None


def test_times_of_rows_become_times_of_frames() -> None:
    tracks = Tracks.of_rows(camera=CAMERA, frame=[5, 8, 5], person=[1, 1, 2], time=[0.2, 0.33, 0.2])
    assert tracks.times.tolist() == [0.2, 0.33]


def test_nobody_at_all() -> None:
    nobody = some([], frames=[0, 1, 2])
    assert len(nobody) == 0
    assert nobody.people == []
    window = nobody.window()
    assert window.xyz.shape == (3, 0, 17, 3)
    assert nobody.reproject().shape == (0, 17, 2)
    assert nobody.convert(COCO17).xy.shape == (0, 17, 2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"xy": torch.zeros(6, 16, 2)}, "xy should have the shape"),
        ({"box": torch.zeros(5, 4)}, "box should have the shape"),
        ({"person": torch.tensor([7, 2, 2, 2, 7, 9])}, "sorted"),
        ({"frame": torch.tensor([5, 2, 9, 2, 4, 9])}, "sorted"),
        ({"frame": torch.tensor([2, 2, 9, 2, 4, 9])}, "person 2 appears twice in frame 2"),
        ({"frames": torch.tensor(TIMELINE[:-1])}, "agree"),
        ({"frames": torch.tensor([0, 2, 5, 4, 7, 9, 11])}, "ascend"),
        ({"frames": torch.tensor([0, 2, 4, 5, 7, 8, 11])}, "frame 9, which is not among"),
        ({"fps": math.nan}, "fps"),
        ({"fps": 0.0}, "fps"),
    ],
)
def test_what_contradicts_itself_is_refused(change: dict, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        some(RAGGED, frames=TIMELINE).with_(**change)


def test_with_changes_only_what_it_names() -> None:
    before = some(RAGGED)
    after = before.with_(video="other.mp4")
    assert after.video == "other.mp4"
    assert before.video == "clip.mp4"
    assert same(after.with_(video="clip.mp4"), before)


def test_choosing_rows_keeps_the_timeline() -> None:
    tracks = some(RAGGED, frames=TIMELINE)
    one = tracks[tracks.person == 2]
    assert one.people == [2]
    assert one.frames.tolist() == TIMELINE
    assert torch.equal(one.xyz, tracks.xyz[:3])


# --- windows -------------------------------------------------------------------------------------------------------


def test_a_window_shows_who_is_there_and_nan_where_not() -> None:
    tracks = some(RAGGED, frames=TIMELINE)
    window = tracks.window()
    assert window.frames.tolist() == TIMELINE
    assert window.people.tolist() == [2, 7, 9]
    assert torch.equal(window.times, tracks.times)
    there = {(int(window.people[p]), int(window.frames[t])) for t, p in torch.nonzero(window.present)}
    assert there == set(RAGGED)
    for name in ("xy", "confidence", "xyz", "sigma"):
        dense = getattr(window, name)
        assert torch.isnan(dense[~window.present]).all()
        for row in range(len(tracks)):
            t = TIMELINE.index(int(tracks.frame[row]))
            p = tracks.people.index(int(tracks.person[row]))
            assert torch.equal(dense[t, p], getattr(tracks, name)[row])
    assert not window.filled[~window.present].any()


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (2, 5, [2, 4]),
        (None, 5, [0, 2, 4]),
        (5, None, [5, 7, 9, 11]),
        (3, 4, []),
        (5, 2, []),
        (-10, 100, TIMELINE),
        (6, 8, [7]),
        (100, None, []),
    ],
)
def test_a_window_is_half_open(start: int | None, stop: int | None, expected: list[int]) -> None:
    window = some(RAGGED, frames=TIMELINE).window(start, stop)
    assert window.frames.tolist() == expected
    assert window.xyz.shape == (len(expected), 3, 17, 3)
    wanted = sum(frame in expected for _, frame in RAGGED)
    assert int(window.present.sum()) == wanted


@settings(max_examples=25, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 4), st.integers(0, 12)), max_size=25), st.integers(0, 12), st.integers(0, 12))
def test_windows_side_by_side_are_one_window(seen: set[tuple[int, int]], low: int, high: int) -> None:
    tracks = some(sorted(seen, reverse=True), frames=list(range(13)))
    low, high = min(low, high), max(low, high)
    parts = [tracks.window(None, low), tracks.window(low, high), tracks.window(high, None)]
    whole = tracks.window()
    for name in ("xyz", "confidence"):
        joined = torch.cat([getattr(part, name) for part in parts])
        assert torch.equal(joined.nan_to_num(-1), getattr(whole, name).nan_to_num(-1))
    assert int(whole.present.sum()) == len(seen)


# --- verbs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["focal", "centre", "distortion"])
def test_one_camera_sees_all_frames(name: str) -> None:
    several = replace(CAMERA, **{name: getattr(CAMERA, name).expand(7, 1, 1, -1)})
    with pytest.raises(BadInput, match=r"one camera .* sees all frames, got shapes .*\(7, 1, 1, .*tracks of its own"):
        some(RAGGED, frames=TIMELINE).with_(camera=several)


def test_reprojection_is_that_of_the_camera() -> None:
    tracks = some(RAGGED)
    assert torch.equal(tracks.reproject(), CAMERA.project(tracks.xyz))


def test_conversion_goes_by_name_and_shares_stay_shares() -> None:
    tracks = some(RAGGED)
    there = tracks.convert(MUPOTS17)
    assert there.skeleton == MUPOTS17
    knee = there.xyz[:, MUPOTS17.index("left_knee")]
    assert torch.equal(knee, tracks.xyz[:, BODY17.index("left_knee")])
    coco = tracks.convert(COCO17)
    assert torch.isnan(coco.xyz[:, COCO17.index("left_ear")]).all()
    assert torch.isnan(coco.agreement[:, COCO17.index("left_ear")]).all()
    assert not coco.confidence[:, COCO17.index("left_ear")].any()
    # The head's top lies outside the points it is derived from; its agreement is still a share.
    wild = coco.with_(agreement=torch.rand(6, 17), confidence=torch.rand(6, 17)).convert(BODY17)
    for values in (wild.agreement, wild.confidence):
        assert float(values.min()) >= 0
        assert float(values.max()) <= 1


def test_height_above_the_floor() -> None:
    world = World(torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.0, -1.0, 0.0, 1.5]))
    assert world.height(torch.tensor([[0.0, 1.5, 3.0], [2.0, -0.2, 8.0]])).tolist() == pytest.approx([0.0, 1.7])
    assert World.from_json(world.to_json()).to_json() == world.to_json()
    third = World(torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.0, -1.0, 0.0, 1.5]).double() / 3)
    assert World.from_json(third.to_json()).to_json() == third.to_json()
    for gravity, floor in (([0, 1], [0, -1, 0, 1]), ([0, math.nan, 0], [0, -1, 0, 1]), ([0, 1, 0], [0, -1, 0])):
        with pytest.raises(BadInput, match="world"):
            World(torch.tensor(gravity), torch.tensor(floor))


# --- files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seen", [RAGGED, [], [(0, 0)]])
def test_saved_and_loaded_is_the_same_bit_by_bit(tmp_path: Path, seen: list[tuple[int, int]]) -> None:
    tracks = some(seen, frames=TIMELINE)
    tracks.save(tmp_path / "tracks.npz")
    assert same(Tracks.load(tmp_path / "tracks.npz"), tracks)
    assert same(Tracks.load(tmp_path), tracks)
    assert [path.name for path in tmp_path.iterdir()] == ["tracks.npz"]


def test_the_file_is_what_the_conventions_say(tmp_path: Path) -> None:
    some(RAGGED, frames=TIMELINE).save(tmp_path / "tracks.npz")
    with np.load(tmp_path / "tracks.npz", allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    header = json.loads(str(arrays.pop("header")))
    assert {name: (a.dtype.str, a.shape) for name, a in arrays.items()} == {
        "frame": ("<i8", (6,)),
        "person": ("<i8", (6,)),
        "time": ("<f8", (6,)),
        "xy": ("<f4", (6, 17, 2)),
        "confidence": ("<f4", (6, 17)),
        "xyz": ("<f4", (6, 17, 3)),
        "sigma": ("<f4", (6, 17, 3)),
        "box": ("<f4", (6, 4)),
        "filled": ("|b1", (6,)),
        "agreement": ("<f4", (6, 17)),
        "flags": ("<i8", (6,)),
        "frames": ("<i8", (7,)),
        "times": ("<f8", (7,)),
    }
    assert header["schema"] == "dyad-tracks/1"
    assert header["skeleton"]["names"] == list(BODY17.names)
    assert header["camera"] == CAMERA.to_json()
    assert header["flags"] == {str(flag.value): flag.meaning for flag in Flag}
    assert set(header) == {"schema", "skeleton", "camera", "fps", "video", "world", "cuts", "flags"}


def test_values_with_a_history_can_be_saved(tmp_path: Path) -> None:
    tracks = some(RAGGED)
    grown = tracks.with_(xyz=(torch.ones_like(tracks.xyz).requires_grad_() * 2))
    grown.save(tmp_path / "tracks.npz")
    assert float(Tracks.load(tmp_path).xyz.min()) == 2


def parts_of(tracks: Tracks, path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    tracks.save(path)
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    return json.loads(str(arrays.pop("header"))), arrays


def write(path: Path, header: object, arrays: dict[str, np.ndarray]) -> None:
    np.savez(path, header=np.array(header if isinstance(header, str) else json.dumps(header)), **arrays)


def test_a_file_of_the_stable_arrays_alone_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "tracks.npz"
    tracks = some(RAGGED)
    header, arrays = parts_of(tracks, path)
    del arrays["frames"], arrays["times"], header["flags"]
    shuffled = {name: array[::-1] for name, array in arrays.items()}
    write(path, header, shuffled)
    assert same(Tracks.load(path), tracks)


def refused(path: Path, words: str | None = None) -> None:
    with pytest.raises(BadInput, match=words) as caught:
        Tracks.load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600
    assert str(path) in message


def test_a_newer_schema_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "tracks.npz"
    header, arrays = parts_of(some(RAGGED), path)
    header["schema"] = "dyad-tracks/2"
    # Whatever a newer file holds, the reason given is its age.
    write(path, header | {"skeleton": None}, {"frame": arrays["frame"]})
    refused(path, "schema dyad-tracks/2, this Dyad reads up to dyad-tracks/1: update Dyad")


@pytest.mark.parametrize("name", ROW_ARRAYS)
def test_a_missing_array_or_one_of_a_wrong_shape_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / "tracks.npz"
    header, arrays = parts_of(some(RAGGED), path)
    write(path, header, {key: value for key, value in arrays.items() if key != name})
    refused(path, f"lacks {name}")
    write(path, header, arrays | {name: arrays[name][:-1]})
    refused(path)
    write(path, header, arrays | {name: arrays[name].astype("U8")})
    refused(path, f"{name} should hold numbers")
    write(path, header, arrays | {name: np.array(3)})
    refused(path)


HEADERS = {
    "not JSON": "schema: dyad-tracks/1",
    "no object": [1, 2],
    "a number": "17",
    "no schema": {"schema": None},
    "another schema": {"schema": "movement/1"},
    "no version": {"schema": "dyad-tracks/one"},
    "odd digits": {"schema": "dyad-tracks/²"},
    "NaN camera": {"camera": CAMERA.to_json() | {"focal": [math.nan, 500]}},
    "endless camera": {"camera": CAMERA.to_json() | {"size": [math.inf, 500]}},
    "no camera": {"camera": None},
    "NaN rate": {"fps": math.nan},
    "endless rate": {"fps": math.inf},
    "negative rate": {"fps": -1},
    "rate in words": {"fps": "fast"},
    "NaN world": {"world": {"gravity": [math.nan, 0, 0], "floor": [0, 0, 0, 0]}},
    "flat world": {"world": {"gravity": [0, 1], "floor": [0, 0, 0, 0]}},
    "half a world": {"world": {"gravity": [0, 1, 0]}},
    "list for a world": {"world": [1, 2]},
    "circular skeleton": {"skeleton": {"name": "x", "names": ["a", "b"], "parents": ["b", "a"]}},
    "another skeleton": {"skeleton": {"name": "x", "names": ["a", "b"], "parents": ["", "a"]}},
    "skeleton by name": {"skeleton": "body17"},
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("which", HEADERS)
def test_a_wrong_header_is_refused(tmp_path: Path, which: str) -> None:
    path = tmp_path / "tracks.npz"
    header, arrays = parts_of(some(RAGGED), path)
    change = HEADERS[which]
    write(path, header | change if isinstance(change, dict) else change, arrays)
    refused(path)


def test_rows_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "tracks.npz"
    header, arrays = parts_of(some(RAGGED), path)
    for change in (
        {"frame": np.zeros_like(arrays["frame"])},
        {"frames": arrays["frames"][:-1]},
        {"frames": arrays["frames"][::-1]},
        {"times": arrays["times"][:-1]},
    ):
        write(path, header, arrays | change)
        refused(path)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "tracks.npz"
    header, arrays = parts_of(some(RAGGED), path)
    write(path, header, arrays | {"xy": np.array([{"a": 1}], dtype=object)})
    refused(path)
    np.savez(path, header=np.array([header], dtype=object), **arrays)
    refused(path)


def test_absurd_sizes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "tracks.npz"
    header, arrays = parts_of(some(RAGGED), path)
    for shape in ("(1000000000000000,)", "(100000000, 100000000, 100000000)", "(-6,)"):
        text = f"{{'descr': '<i8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
        claim = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + bytes(48)
        write(path, header, {key: value for key, value in arrays.items() if key != "person"})
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("person.npy", claim)
        refused(path)


@pytest.mark.parametrize("content", [b"", b"hello\nworld\n", b"\x93NUMPY junk", b"PK\x03\x04 junk", bytes(1000)])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tracks.npz"
    path.write_bytes(content)
    refused(path, "not a tracks file")


def test_other_archives_and_plain_arrays_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "tracks.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("letter.txt", "hello")
    refused(path, "no header")
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    refused(path, "not a tracks file")


def test_no_file_and_no_folder(tmp_path: Path) -> None:
    refused(tmp_path / "none.npz", "no tracks at")
    with pytest.raises(BadInput, match=r"tracks\.npz"):
        Tracks.load(tmp_path)


def test_every_cut_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tracks.npz"
    some(RAGGED).save(path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        refused(path, "not a tracks file")


def test_damage_is_refused_or_harmless(tmp_path: Path) -> None:
    """Bytes changed anywhere never raise anything but BadInput."""
    path = tmp_path / "tracks.npz"
    some(RAGGED).save(path)
    whole = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    generator = np.random.default_rng(0)
    messages = []
    for _ in range(300):
        damaged = whole.copy()
        damaged[generator.integers(len(whole), size=generator.integers(1, 8))] = generator.integers(256)
        path.write_bytes(damaged.tobytes())
        try:
            Tracks.load(path)
        except BadInput as error:
            messages.append(str(error))
    assert len(messages) > 150
    assert not any("\n" in message for message in messages)


def test_an_interrupted_save_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(file, *_: object) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("dyad.core.tracks.write_npz", interrupted)
    with pytest.raises(KeyboardInterrupt):
        some(RAGGED).save(tmp_path / "tracks.npz")
    assert list(tmp_path.iterdir()) == []
