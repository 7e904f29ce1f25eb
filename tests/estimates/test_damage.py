"""Damaged, hostile and senseless files end in one sentence, whatever they are."""

import copy
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dyad.core.errors import BadInput, DyadError
from dyad.core.skeleton import COCO17, POSETRACK17
from dyad.estimates.reading import FORMATS, read_people
from dyad.estimates.skeletons import OPENPOSE25
from tests.estimates.making import CAMERA, mmpose_instance, relative, spots, truth, write

FIXED = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def good() -> dict[str, Any]:
    """A small file of each JSON format."""
    points = spots(COCO17)[0]
    flat = points.ravel().tolist()
    wide = spots(OPENPOSE25).ravel().tolist()
    head = {"x": [1.0], "y": [2.0], "id": [14], "score": [0.5]}
    person = {"track_id": [1], "annopoints": [{"point": [head]}]}
    found = {"det_bbox": [1, 2, 3, 4], "det_score": 1.0, "keypoints": spots(POSETRACK17)[0].tolist()}
    frame = {"frame_id": 1, "instances": [mmpose_instance(points)]}
    posed = {"category_id": 1, "keypoints": flat, "score": 0.5}
    return {
        "openpose": {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": wide}]},
        "mmpose": {"meta_info": {"dataset_name": "coco"}, "instance_info": [frame]},
        "posetrack": {"annolist": [{"image": [{"name": "0.jpg"}], "annorect": [person]}]},
        "dcpose": {"Info": [{"image_path": "0.jpg", "candidates": [found]}]},
        "alphapose": [{"image_id": "0.jpg", "box": [1, 2, 3, 4], "idx": 1, **posed}],
        "coco": [{"image_id": 0, **posed}],
        "annotations": {
            "images": [{"id": 1, "file_name": "0.jpg"}],
            "annotations": [{"image_id": 1, "track_id": 0, "keypoints": flat}],
            "categories": [],
        },
    }


def places(value: Any, way: tuple = ()) -> list[tuple]:
    """Ways to every value of a JSON, and to the first of each list."""
    found = [way] if way else []
    if isinstance(value, dict):
        return found + [w for key, inner in value.items() for w in places(inner, (*way, key))]
    if isinstance(value, list):
        return found + [w for at, inner in enumerate(value[:1]) for w in places(inner, (*way, at))]
    return found


def put(value: Any, way: tuple, new: Any) -> Any:
    changed = copy.deepcopy(value)
    inner = changed
    for key in way[:-1]:
        inner = inner[key]
    inner[way[-1]] = new
    return changed


def attempt(path: Path, **options: Any) -> None:
    """Reads, or says in one sentence why not; values that are read are clean."""
    fault = None
    try:
        rows = read_people(path, camera=CAMERA, **options).rows
    except BadInput as error:
        fault = str(error)
    if fault is not None:
        assert "\n" not in fault
        assert len(fault) < 1500
        return
    assert ((rows.confidence >= 0) & (rows.confidence <= 1)).all()
    assert not rows.xy.isinf().any()
    assert not rows.xyz.isinf().any()
    assert (rows.frame >= 0).all()


@pytest.mark.parametrize("name", list(good()))
def test_whole_files_are_read(tmp_path: Path, name: str) -> None:
    assert len(read_people(write(tmp_path / "x.json", good()[name]), camera=CAMERA).rows) == 1


STRANGE = (None, -1, -5, 1e300, 10**400, 2.5, "word", "", [], {}, [[]], [None], True, [[1], [1, 2]], [1e300] * 51)


@pytest.mark.parametrize("name", list(good()))
def test_every_value_replaced_by_a_strange_one(tmp_path: Path, name: str) -> None:
    whole = good()[name]
    path = tmp_path / "x.json"
    for way in places(whole):
        for strange in STRANGE:
            path.write_text(json.dumps(put(whole, way, strange)))
            attempt(path)


@pytest.mark.parametrize("name", list(good()))
def test_truncated_json(tmp_path: Path, name: str) -> None:
    text = json.dumps(good()[name])
    path = tmp_path / "x.json"
    for share in np.linspace(0, 0.999, 30):
        path.write_text(text[: int(share * len(text))])
        with pytest.raises(BadInput):
            read_people(path, camera=CAMERA)


@given(st.binary(max_size=200), st.sampled_from((b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"{", b"[{", b"\x80\x04")))
@FIXED
def test_any_bytes(tmp_path: Path, content: bytes, head: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(head + content)
    with pytest.raises(BadInput):
        read_people(path, camera=CAMERA)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ("people", "image_id", "keypoints", "instances", "annolist", "images", "annotations", "idx", "x")
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from((None, *FORMATS)))
@FIXED
def test_any_json(tmp_path: Path, value: Any, kind: str | None) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(value))
    attempt(path, format=kind)


def arrays() -> dict[str, dict[str, np.ndarray]]:
    """A small file of each format of arrays."""
    pose = relative(truth())
    return {
        "metro": {
            "pred_3d_joints_from_smpl": pose[:, :14],
            "pred_camera": np.ones((5, 3)),
            "crop_scale": np.ones(5),
            "crop_start": np.ones((5, 2)),
        },
        "anatomy3d": {"predictions": pose, "keypoints_2d": np.full((5, 17, 2), 40.0) + 30 * pose[..., :2]},
        "dcpose": {"detections": spots(POSETRACK17, people=5)},
        "vibe": {
            "joints3d": np.ones((5, 49, 3)) + np.arange(49)[:, None] / 50,
            "orig_cam": np.ones((5, 4)),
            "frame_ids": np.arange(5),
        },
    }


@pytest.mark.parametrize("name", list(arrays()))
def test_arrays_of_wrong_shapes_and_values(tmp_path: Path, name: str) -> None:
    whole = arrays()[name]
    path = tmp_path / "x.npz"
    np.savez(path, **whole)
    assert read_people(path, camera=CAMERA).tool == name
    for key, value in whole.items():
        blank = np.full(value.shape, np.nan)
        wrong = (
            value[:-1],
            value[..., :-1],
            value.ravel(),
            value.astype("U"),
            blank,
            value * 1e300,
            -value - 1,
            np.full(value.shape, np.inf),
        )
        for other in (*wrong, np.zeros((0, *value.shape[1:])), np.array(0.0), value.astype(complex)):
            np.savez(path, **{**whole, key: other})
            attempt(path)
            attempt(path, format=name)
        np.savez(path, **{k: v for k, v in whole.items() if k != key})
        attempt(path)
    content = path.read_bytes()
    for share in np.linspace(0, 0.99, 20):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(BadInput):
            read_people(path, camera=CAMERA)


def test_arrays_of_objects_and_pickles_are_not_opened(tmp_path: Path) -> None:
    ran = tmp_path / "ran"

    class Bad:
        def __reduce__(self) -> tuple:
            return Path.touch, (ran,)

    np.savez(tmp_path / "x.npz", joints3d=np.full((3, 49, 3), Bad(), dtype=object))
    (tmp_path / "vibe_output.pkl").write_bytes(pickle.dumps({1: Bad()}))
    for name in ("x.npz", "vibe_output.pkl"):
        with pytest.raises(BadInput):
            read_people(tmp_path / name, camera=CAMERA)
    assert not ran.exists()
    with pytest.raises(BadInput, match=r"pickle.*\.npz"):
        read_people(tmp_path / "vibe_output.pkl", camera=CAMERA)


def test_an_array_that_states_more_than_it_holds(tmp_path: Path) -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (100000000000, 17, 3), }"
    header += b" " * (64 - (len(header) + 11) % 64) + b"\n"
    npy = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    (tmp_path / "x.npy").write_bytes(npy)
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("detections.npy", npy)
    for name in ("x.npy", "x.npz"):
        with pytest.raises(BadInput, match="stated"):
            read_people(tmp_path / name, camera=CAMERA)


def test_an_unknown_file_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as found:
        read_people(write(tmp_path / "x.json", {"poses": []}), camera=CAMERA)
    for word in FORMATS:
        assert word in str(found.value)
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(DyadError):
            read_people(path, camera=CAMERA)


def test_nested_beyond_measure(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(BadInput):
        read_people(path, camera=CAMERA)
