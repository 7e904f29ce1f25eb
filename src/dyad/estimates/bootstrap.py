"""Arrays as the published code of the flow-and-pose paper passes them on: METRO's poses, DCPose's joints, Anatomy3D's.

One person, one row a frame; the array `frames` (T,) may say which frames, else they count from 0.
"""

import numpy as np
from numpy.typing import NDArray

from dyad.core.errors import BadInput
from dyad.core.skeleton import LSP14, POSETRACK17
from dyad.estimates.contents import LAST_FRAME, Arrays, Contents
from dyad.estimates.sheet import Advice, Floats, Sheet
from dyad.estimates.skeletons import H36M17

_CROP = 224
_METRO_JOINTS = ("pred_3d_joints_from_smpl", "joints3d")
_METRO_CAMERAS = ("pred_camera", "camera", "cameras")
_SCALES = ("crop_scale", "crop_scale_f64")
_ANATOMY = ("predictions", "prediction", "positions_3d", "joints3d", "")
_DCPOSE = ("detections", "detections_f64", "keypoints", "")
_KEYPOINTS = ("keypoints_2d", "keypoints", "joints2d")

_METRO = Advice(
    weak_camera=True,
    note="One image at a time, about the pelvis, with a weak-perspective camera: the paper's first setting.",
)
_ANATOMY3D = Advice(
    motion=False,
    note="Lifted from many frames with a camera that is given: the paper leaves the term on motion out here.",
)

# No one stands farther from their own pelvis, in metres; no image is so small, in pixels.
_REACH = 5.0


def fits_metro(contents: Contents) -> bool:
    """Whether there are METRO's joints (T, 14, 3) and cameras."""
    if not isinstance(contents, Arrays):
        return False
    joints, camera = contents.first(*_METRO_JOINTS), contents.first(*_METRO_CAMERAS)
    return joints is not None and camera is not None and contents.shapes[joints][1:] == (14, 3)


def read_metro(contents: Contents, size: tuple[int, int]) -> Sheet:
    """`pred_3d_joints_from_smpl` (T, 14, 3) m, `pred_camera` (T, 3), and where the crop of 224 px was.

    `crop_scale` (T,) is how much the image was enlarged and `crop_start` (T, 2) the crop's middle in that; without
    them the crop is the whole image, padded to a square.
    """
    arrays = _arrays(contents)
    joints = _named(arrays, _METRO_JOINTS)
    xyz = arrays.read(joints, (None, 14, 3))
    camera = arrays.read(_named(arrays, _METRO_CAMERAS), (len(xyz), 3))
    enlarged, start = _crops(arrays, len(xyz), size)
    plane = camera[:, None, :1] * (xyz[..., :2] + camera[:, None, 1:])
    with np.errstate(divide="ignore", invalid="ignore"):
        xy = (plane * (_CROP / 2) + start[:, None]) / enlarged[:, None, None]
    xy[~(np.abs(xy) < 1e6).all(-1)] = np.nan
    return Sheet(skeleton=LSP14, number=_frames(arrays, len(xyz)), xy=xy, xyz=xyz, person=_one(xyz), advice=_METRO)


def _crops(arrays: Arrays, count: int, size: tuple[int, int]) -> tuple[Floats, Floats]:
    scale = arrays.first(*_SCALES)
    if scale is None and "crop_start" not in arrays:
        side = max(size)
        return np.full(count, _CROP / side), np.tile(np.array(size) / side * (_CROP / 2), (count, 1))
    enlarged = arrays.read(scale or _SCALES[0], (count,))
    start = arrays.read("crop_start", (count, 2))
    if (enlarged <= 0).any():
        raise BadInput(f"{arrays.path}, {scale}, should be positive: how much the image was enlarged")
    return enlarged, start


def fits_anatomy3d(contents: Contents) -> bool:
    """Whether there are poses (T, 17, 3) in metres; in pixels they would be DCPose's."""
    if not isinstance(contents, Arrays) or fits_metro(contents):
        return False
    name = contents.first(*_ANATOMY)
    if name is None or contents.shapes[name][1:] != (17, 3):
        return False
    values = contents.read(name, (None, 17, 3))
    return bool(np.nanmax(np.abs(values), initial=0.0) < _REACH)


def read_anatomy3d(contents: Contents, size: tuple[int, int]) -> Sheet:
    """Poses (T, 17, 3) m of Human3.6M about the pelvis, camera axes, as Anatomy3D and VideoPose3D export them.

    `predictions` in an .npz or the array of an .npy; `keypoints_2d` (T, 17, 2 or 3) px with them places the poses,
    and without it a file of detections has to. BadInput for joints too far from the pelvis to be metres.
    """
    arrays = _arrays(contents)
    xyz = arrays.read(_named(arrays, _ANATOMY), (None, 17, 3))
    if np.nanmax(np.abs(xyz), initial=0.0) >= _REACH:
        raise BadInput(f"{arrays.path} holds joints {_REACH:g} m and more from the pelvis: expected metres about it")
    flat = arrays.first(*_KEYPOINTS)
    xy = confidence = None
    if flat is not None:
        points = arrays.read(flat, (len(xyz), 17, 3 if arrays.shapes[flat][-1:] == (3,) else 2))
        xy, confidence = points[..., :2], points[..., 2] if points.shape[-1] == 3 else None
    number = _frames(arrays, len(xyz))
    return Sheet(
        skeleton=H36M17,
        number=number,
        xy=xy,
        confidence=confidence,
        xyz=xyz,
        person=_one(xyz),
        advice=_ANATOMY3D,
    )


def fits_dcpose(contents: Contents) -> bool:
    """Whether there are detections (T, 17, 3) in pixels."""
    if not isinstance(contents, Arrays) or fits_metro(contents) or fits_anatomy3d(contents):
        return False
    name = contents.first(*_DCPOSE)
    return name is not None and contents.shapes[name][1:] == (17, 3)


def read_dcpose(contents: Contents, size: tuple[int, int]) -> Sheet:
    """`detections` (T, 17, 3): x, y and score of PoseTrack's joints, 0 0 where not detected."""
    arrays = _arrays(contents)
    points = arrays.read(_named(arrays, _DCPOSE), (None, 17, 3))
    return Sheet(
        skeleton=POSETRACK17,
        number=_frames(arrays, len(points)),
        xy=points[..., :2],
        confidence=points[..., 2],
        person=_one(points),
    )


def _arrays(contents: Contents) -> Arrays:
    if not isinstance(contents, Arrays):
        raise BadInput(f"{contents.path} is no .npz or .npy file")
    return contents


def _named(arrays: Arrays, names: tuple[str, ...]) -> str:
    found = arrays.first(*names)
    if found is None:
        raise BadInput(f"{arrays.path} lacks an array {names[0]}; it holds {', '.join(arrays.shapes)[:200]}")
    return found


def _frames(arrays: Arrays, count: int) -> NDArray[np.int64]:
    if "frames" not in arrays:
        return np.arange(count)
    return whole_numbers(arrays.read("frames", (count,)), f"{arrays.path}, frames,")


def whole_numbers(values: Floats, what: str) -> NDArray[np.int64]:
    """`values` (T,) as numbers of frames; BadInput unless they are whole, from 0 on, and each another one."""
    good = (values >= 0) & (values < LAST_FRAME) & (values == np.floor(values))
    if not good.all() or len(np.unique(values)) < len(values):
        raise BadInput(f"{what} should be different whole numbers from 0 on")
    return values.astype(np.int64)


def _one(rows: NDArray) -> NDArray[np.int64]:
    return np.zeros(len(rows), np.int64)
