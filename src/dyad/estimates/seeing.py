"""2D joints from one file for the people of another, and 3D poses placed where their 2D joints say."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from dyad.core.camera import Camera
from dyad.core.errors import BadInput
from dyad.core.skeleton import Skeleton
from dyad.core.tracks import Tracks
from dyad.estimates.likeness import assigned, by_frame, likeness
from dyad.estimates.people import People
from dyad.geometry.alignment import place

_CHUNK = 256
# What 2D joints miss, as a share of the person's extent in the image, and estimators' poses, in metres.
_NOISE_SHARE, _POSE_NOISE = 0.02, 0.04
_UNSURE = 1e-3


def placed(relative: Tensor, xy: Tensor, confidence: Tensor, camera: Camera) -> Tensor:
    """Poses (N, J, 3) m about any point, in the axes of the camera, where their joints (N, J, 2) px appear.

    Weighted least squares (see `place`); NaN where fewer than two joints tell.
    """
    out = torch.full_like(relative, torch.nan)
    for at in range(0, len(relative), _CHUNK):
        some = slice(at, at + _CHUNK)
        points = xy[some]
        high, low = (torch.nan_to_num(s * points, nan=-torch.inf).amax(1) for s in (1, -1))
        extent = torch.linalg.vector_norm((high + low).clamp(0, 1e6), dim=-1)
        noise = (_NOISE_SHARE * extent / float(camera.focal.mean())).clamp(min=1e-6).double()
        weights = torch.where(confidence[some] > _UNSURE, confidence[some], _UNSURE)
        fit = place(relative[some], camera.rays(points), weights, noise=noise, pose_noise=_POSE_NOISE)
        ahead = (fit.translation[:, 2:] > 0) & torch.isfinite(fit.translation).all(-1, keepdim=True)
        shift = torch.where(ahead, fit.translation, torch.nan)
        out[some] = relative[some] + shift[:, None]
    return out


def with_joints(people: People, other: People, *, least: float = 0.3) -> People:
    """The same people with the 2D joints that somebody else found of them.

    People are matched in each frame by their joints in the image; whoever stands alone in both is the same. Joints
    that the other does not have keep their place with confidence 0. Raises BadInput where people without 2D cannot be
    told apart.
    """
    rows, seen = people.rows, other.rows
    target = rows.skeleton
    theirs, sure = _converted(seen, target)
    xy, confidence = rows.xy.clone(), torch.zeros_like(rows.confidence)
    ours = by_frame(rows)
    found = by_frame(seen)
    for frame, mine in ours.items():
        others = found.get(frame, np.zeros(0, np.int64))
        for row, match in _pairs(rows, mine, theirs, others, least, frame):
            known = torch.isfinite(theirs[match]).all(-1)
            xy[row] = torch.where(known[:, None], theirs[match], xy[row])
            confidence[row] = torch.where(known, sure[match], 0.0)
    # Whatever the 3D was made from, it was not made from these.
    advice = replace(people.advice, lifted=False)
    return replace(people, advice=advice, rows=rows.with_(xy=xy, confidence=confidence))


def _converted(seen: Tracks, target: Skeleton) -> tuple[Tensor, Tensor]:
    return seen.skeleton.convert(seen.xy, target), seen.skeleton.convert_confidence(seen.confidence, target)


def _pairs(
    rows: Tracks, mine: np.ndarray, theirs: Tensor, others: np.ndarray, least: float, frame: int
) -> list[tuple[int, int]]:
    if not len(others):
        return []
    if len(mine) == len(others) == 1:
        return [(int(mine[0]), int(others[0]))]
    here = rows.xy[torch.from_numpy(mine)].double().numpy()
    if not np.isfinite(here).any():
        raise BadInput(
            f"in frame {frame} there are {len(mine)} poses without 2D joints and {len(others)} people in the file of "
            "detections, and nothing tells who is who: give the detections of that one person"
        )
    alike = likeness(here, theirs[torch.from_numpy(others)].double().numpy())
    return [(int(mine[a]), int(others[b])) for a, b in assigned(alike, least)]
