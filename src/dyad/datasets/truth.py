"""Turns what data sets state into truth as the rest of Dyad understands it."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.core.camera import Camera
from dyad.core.errors import BadInput
from dyad.core.skeleton import Skeleton
from dyad.core.tracks import Tracks
from dyad.geometry.boxes import box_of
from dyad.geometry.rigid import to_world

VISIBLE, HIDDEN = 1.0, 0.25
"""Confidence of a joint that is seen, and of one that something hides."""


def truth_tracks(
    *,
    skeleton: Skeleton,
    camera: Camera,
    frame: NDArray[np.int64],
    person: NDArray[np.int64],
    xyz: NDArray[np.float64],
    xy: NDArray[np.float64] | None = None,
    hidden: NDArray[np.bool_] | None = None,
    box: NDArray[np.float64] | None = None,
    **given: Any,
) -> Tracks:
    """Tracks of N annotated person-frames.

    Args:
        frame, person: (N,). xyz: (N,J,3) m in the camera frame, NaN where unknown.
        xy: (N,J,2) px as the data set states them; where 3D appears if None. hidden: (N,J), nothing is if None.
        box: (N,4) px; around the joints if None.
        given: more of `Tracks`: fps, video, frames, times, world.

    A joint has confidence 0 where it lies outside the image or is unknown.
    """
    points = torch.from_numpy(np.ascontiguousarray(xyz, dtype=np.float64))
    seen = camera.project(points).numpy() if xy is None else np.asarray(xy, dtype=np.float64)
    limits = np.array(camera.size) - 0.5
    with np.errstate(invalid="ignore"):
        inside = ((seen >= -0.5) & (seen <= limits)).all(-1)
    confidence = np.where(inside, VISIBLE, 0.0)
    if hidden is not None:
        confidence = np.where(inside & hidden, HIDDEN, confidence)
    return Tracks.of_rows(
        skeleton=skeleton,
        camera=camera,
        frame=torch.from_numpy(np.asarray(frame, dtype=np.int64)),
        person=torch.from_numpy(np.asarray(person, dtype=np.int64)),
        xyz=points,
        xy=torch.from_numpy(seen),
        confidence=torch.from_numpy(confidence),
        box=torch.from_numpy(box_of(seen) if box is None else np.asarray(box, dtype=np.float64)),
        **given,
    )


def into_camera(
    xyz: NDArray[np.float64], rotation: NDArray[np.float64], translation: NDArray[np.float64]
) -> NDArray[np.float64]:
    """World points (…,N,3) in camera axes by what files call extrinsics: R x + t, R (…,3,3) and t (…,3)."""
    # The same sum as the way out of a camera that has R for its rotation and stands at t.
    return to_world(*(torch.from_numpy(np.ascontiguousarray(value)) for value in (xyz, rotation, translation))).numpy()


def check_rotation(rotation: NDArray[np.float64], what: str) -> NDArray[np.float64]:
    """The rotations (…,3,3) themselves; BadInput if one has no orthonormal rows, or mirrors."""
    gram = np.einsum("...ij,...kj->...ik", rotation, rotation)
    if np.abs(gram - np.eye(3)).max(initial=0) > 1e-3 or (np.linalg.det(rotation) < 0).any():
        raise BadInput(f"{what} holds a camera rotation that is none: expected orthonormal rows that do not mirror")
    return rotation


def fitted_camera(
    xyz: NDArray[np.float64], xy: NDArray[np.float64], size: tuple[int, int], what: str, *, tolerance: float = 3.0
) -> Camera:
    """The camera without distortion that sends points (…,3) m to their stated pixels (…,2), by least squares.

    Pairs that few others agree with are left out. BadInput (beginning with `what`) if the pairs are too few, or if
    the median pair is missed by more than `tolerance` px.
    """
    known = np.isfinite(xyz).all(-1) & np.isfinite(xy).all(-1) & (xyz[..., 2] > 0)
    plane, pixels = xyz[known][:, :2] / xyz[known][:, 2:], xy[known]
    if len(plane) < 8 or (np.ptp(plane, axis=0) < 1e-6).any():
        raise BadInput(f"{what} holds too few joints ({len(plane)}) to tell the camera from")
    focal, centre = np.zeros(2), np.zeros(2)
    for axis in (0, 1):
        keep = np.ones(len(plane), dtype=bool)
        for _ in range(8):
            rows = np.stack((plane[:, axis], np.ones(len(plane))), -1)
            try:
                focal[axis], centre[axis] = np.linalg.lstsq(rows[keep], pixels[keep, axis], rcond=None)[0]
            except np.linalg.LinAlgError as error:
                raise BadInput(f"{what}: no camera can be fitted to its joints ({error}): damaged") from error
            miss = np.abs(rows @ (focal[axis], centre[axis]) - pixels[:, axis])
            keep = miss <= max(4 * float(np.median(miss)), 1e-6)
    miss = np.linalg.norm(plane * focal + centre - pixels, axis=-1)
    if not (focal > 0).all() or np.median(miss) > tolerance:
        raise BadInput(f"{what}: its 2D and 3D joints do not agree, the best camera misses by {np.median(miss):.3g} px")
    return Camera(size, torch.from_numpy(focal), torch.from_numpy(centre), source="file")
