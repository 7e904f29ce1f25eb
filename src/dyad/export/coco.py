"""People in images as COCO keypoint JSON: annotations of a video's frames, and results of a detector.

The format: https://cocodataset.org/#format-data and https://cocodataset.org/#format-results. What lies beyond it is
`track_id`, the person's identity, and `frame_id`, the frame's index in the video; other readers pass over both.
"""

import json
import string
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dyad.core.detections import Detections
from dyad.core.errors import BadInput, BadUsage
from dyad.core.files import whole_file
from dyad.core.flow import Series
from dyad.core.skeleton import Skeleton
from dyad.core.tracks import Tracks

# A person's outline covers about this share of the box: what CrowdPose's evaluation takes where nobody outlined.
_AREA_OF_BOX = 0.53
_PERSON = 1
_DECIMALS = 2


def coco_of_tracks(
    tracks: Tracks,
    *,
    file_name: str | Callable[[int], str] = "{frame:06d}.jpg",
    masks: Series[Tensor] | None = None,
    skeleton: Skeleton | None = None,
    visible_from: float = 0.5,
    first_image: int = 1,
    first_annotation: int = 1,
) -> dict[str, Any]:
    """Everyone in every processed frame as the content of a COCO annotation file.

    A joint's v is 0 (not labelled) where it has no place or confidence 0, 2 (visible) from the confidence
    `visible_from` on, else 1 (hidden). Filled rows are left out, and so is whom a mask shows with no pixel. Without a
    mask `area` is 0.53 × the box. Images are numbered from `first_image` on and annotations from `first_annotation`,
    so that several videos can share a file. Frames without people are images without annotations.

    Args:
        tracks: of one video.
        file_name: of a frame's image: a pattern with `{frame}`, or a function of the frame's index.
        masks: as of `Clip`, one image (H,W) for each of the tracks' frames, p + 1 where person p is seen. Box, `area`
            and `segmentation` (run lengths) then come from it.
        skeleton: joints to write, converted by name; the tracks' own if None.

    Raises BadUsage for a pattern without `{frame}`, BadInput for masks of other frames or another size.
    """
    if masks is not None and len(masks) != len(tracks.frames):
        raise BadInput(f"there should be a mask for each of {len(tracks.frames)} frames, got {len(masks)}")
    rows = tracks if skeleton is None else tracks.convert(skeleton)
    name = _namer(file_name)
    width, height = tracks.camera.size
    images, annotations = [], []
    by_frame: dict[int, list[int]] = {int(frame): [] for frame in tracks.frames.tolist()}
    for row, (frame, filled) in enumerate(zip(rows.frame.tolist(), rows.filled.tolist(), strict=True)):
        if not filled:
            by_frame[frame].append(row)
    xy, confidence, box = (v.double().numpy() for v in (rows.xy, rows.confidence, rows.box))
    person = rows.person.tolist()
    for position, frame in enumerate(by_frame):
        number = first_image + position
        entry = {"id": number, "file_name": name(frame), "width": width, "height": height}
        images.append({**entry, "frame_id": frame, "video": tracks.video})
        seen = None if masks is None else _mask(masks[position], (height, width), frame)
        for row in by_frame[frame]:
            mask = None if seen is None else seen == person[row] + 1
            if mask is not None and not mask.any():
                continue
            annotations.append(
                {
                    "id": first_annotation + len(annotations),
                    "image_id": number,
                    "category_id": _PERSON,
                    "iscrowd": 0,
                    "track_id": person[row],
                    **_labels(xy[row], confidence[row], visible_from),
                    **_extent(xy[row], box[row], mask),
                }
            )
    return {"images": images, "annotations": annotations, "categories": [_category(rows.skeleton)]}


def coco_results(
    found: Iterable[tuple[int, Detections]], *, skeleton: Skeleton | None = None, category: int = _PERSON
) -> list[dict[str, Any]]:
    """Detections of images, each with its image's id, as the content of a COCO results file.

    `skeleton`: joints to write, the annotation file's in its order; the detections' own if None. A joint that is
    missing is written as 0 0 0: a results file knows no gaps, and evaluation takes it for a guess of the corner.
    """
    results = []
    for image, detections in found:
        people = detections if skeleton is None else detections.convert(skeleton)
        xy, confidence = people.xy.double().numpy(), people.confidence.double().numpy()
        for row, score in enumerate(people.scores.tolist()):
            known = np.isfinite(xy[row]).all(-1, keepdims=True)
            points = np.where(known, np.concatenate([xy[row], np.nan_to_num(confidence[row])[:, None]], -1), 0.0)
            results.append(
                {
                    "image_id": image,
                    "category_id": category,
                    "keypoints": _rounded(points),
                    "score": float(score) if np.isfinite(score) else 0.0,
                }
            )
    return results


def write_coco(path: str | Path, content: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Write annotations or results as JSON; the file appears whole or not at all."""
    with whole_file(path) as partial:
        partial.write_text(json.dumps(content, allow_nan=False), encoding="utf-8")


def _namer(file_name: str | Callable[[int], str]) -> Callable[[int], str]:
    if not isinstance(file_name, str):
        return file_name
    try:
        fields = [field for _, field, _, _ in string.Formatter().parse(file_name) if field is not None]
        if fields != ["frame"]:
            raise ValueError(fields)
        file_name.format(frame=0)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise BadUsage(
            f"a pattern of image names has one field, such as 'images/{{frame:06d}}.jpg', got {file_name!r}"
        ) from error
    return lambda frame: file_name.format(frame=frame)


def _labels(xy: NDArray[np.float64], confidence: NDArray[np.float64], visible_from: float) -> dict[str, Any]:
    sure = np.nan_to_num(confidence)
    labelled = np.isfinite(xy).all(-1) & (sure > 0)
    state = np.where(labelled, np.where(sure >= visible_from, 2, 1), 0)
    points = np.where(labelled[:, None], xy, 0.0).round(_DECIMALS).tolist()
    keypoints = [value for (x, y), v in zip(points, state.tolist(), strict=True) for value in (x, y, v)]
    return {"keypoints": keypoints, "num_keypoints": int(labelled.sum())}


def _extent(xy: NDArray[np.float64], box: NDArray[np.float64], mask: NDArray[np.bool_] | None) -> dict[str, Any]:
    """Box x y width height, area and outline: of the mask, else of the track's box, else of its joints."""
    if mask is not None:
        rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
        # Whole coordinates are pixel centres here, and pixels' corners in COCO's boxes.
        x, y, width, height = columns[0], rows[0], np.ptp(columns) + 1, np.ptp(rows) + 1
        sides = [float(value) for value in (x, y, width, height)]
        return {"bbox": sides, "area": float(mask.sum()), "segmentation": _run_lengths(mask)}
    known = xy[np.isfinite(xy).all(-1)]
    if not np.isfinite(box).all():
        box = np.concatenate([known.min(0), known.max(0)]) if len(known) else np.zeros(4)
    x, y, width, height = (float(v) for v in np.concatenate([box[:2], box[2:] - box[:2]]).round(_DECIMALS))
    return {"bbox": [x, y, width, height], "area": round(_AREA_OF_BOX * width * height, _DECIMALS)}


def _run_lengths(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Lengths of the runs of 0 and 1 in turn, beginning with 0, down the columns from left to right."""
    flat = mask.ravel(order="F")
    ends = np.concatenate([np.nonzero(flat[1:] != flat[:-1])[0] + 1, [len(flat)]])
    counts = np.diff(ends, prepend=0).tolist()
    return {"size": list(mask.shape), "counts": [0, *counts] if flat[0] else counts}


def _mask(image: Tensor, shape: tuple[int, int], frame: int) -> NDArray[Any]:
    seen = np.asarray(image)
    if seen.shape != shape:
        raise BadInput(f"the mask of frame {frame} should be of the camera's size {shape} (H, W), got {seen.shape}")
    return seen


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return values.round(_DECIMALS).ravel().tolist()


def _category(skeleton: Skeleton) -> dict[str, Any]:
    bones = [[parent + 1, child + 1] for parent, child in skeleton.bones]
    entry = {"id": _PERSON, "name": "person", "supercategory": "person"}
    return {**entry, "keypoints": list(skeleton.names), "skeleton": bones}
