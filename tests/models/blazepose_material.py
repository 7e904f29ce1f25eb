"""Pictures for the BlazePose tests: one drawn by formula, and crops of annotated photos."""

import json
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import torch
import torch.nn.functional as F

# The joints that BlazePose's 33 landmarks and COCO's 17 keypoints share: their rows in each.
SHARED_ROWS = {
    "left shoulder": (11, 5), "right shoulder": (12, 6), "left elbow": (13, 7), "right elbow": (14, 8),
    "left wrist": (15, 9), "right wrist": (16, 10), "left hip": (23, 11), "right hip": (24, 12),
    "left knee": (25, 13), "right knee": (26, 14), "left ankle": (27, 15), "right ankle": (28, 16),
}  # fmt: skip


class Person(NamedTuple):
    """An annotated person cut out of a photo."""

    crop: torch.Tensor  # (3,256,256) 0..1
    joints: dict[str, np.ndarray]  # visible ones, px of the crop
    size: float  # longer side of the person's box, px of the crop


def drawn(size: int) -> np.ndarray:
    """A crude standing figure before a wavy background, (size,size,3) float32 in 0..1, from plain arithmetic alone."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float64) / size
    image = np.stack([0.5 + 0.2 * np.sin(9 * x + 4 * y), 0.6 - 0.3 * y, 0.4 + 0.2 * np.cos(7 * y - 3 * x)], -1)
    skin, shirt, trousers = (0.85, 0.65, 0.5), (0.8, 0.1, 0.15), (0.1, 0.15, 0.4)
    strokes = [
        (0.50, 0.30, 0.50, 0.50, 0.085, shirt), (0.43, 0.28, 0.36, 0.42, 0.030, shirt),
        (0.57, 0.28, 0.64, 0.42, 0.030, shirt), (0.36, 0.42, 0.33, 0.54, 0.022, skin),
        (0.64, 0.42, 0.67, 0.54, 0.022, skin), (0.46, 0.53, 0.45, 0.72, 0.045, trousers),
        (0.54, 0.53, 0.56, 0.72, 0.045, trousers), (0.45, 0.72, 0.44, 0.88, 0.035, trousers),
        (0.56, 0.72, 0.57, 0.88, 0.035, trousers), (0.50, 0.15, 0.50, 0.17, 0.050, skin),
        (0.50, 0.19, 0.50, 0.24, 0.025, skin), (0.44, 0.90, 0.42, 0.91, 0.020, (0.1, 0.1, 0.1)),
        (0.57, 0.90, 0.59, 0.91, 0.020, (0.1, 0.1, 0.1)), (0.482, 0.15, 0.482, 0.15, 0.006, (0.05, 0.05, 0.05)),
        (0.518, 0.15, 0.518, 0.15, 0.006, (0.05, 0.05, 0.05)), (0.49, 0.185, 0.51, 0.185, 0.005, (0.6, 0.1, 0.1)),
    ]  # fmt: skip
    for ax, ay, bx, by, radius, colour in strokes:
        length = max((bx - ax) ** 2 + (by - ay) ** 2, 1e-12)
        along = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length, 0, 1)
        distance = np.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay))
        cover = np.clip((radius - distance) * size + 0.5, 0, 1)[..., None]
        image = image * (1 - cover) + cover * np.asarray(colour)
    return np.round(image * 255).astype(np.float32) / np.float32(255)


def as_batch(*images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


def read_image(path: Path) -> torch.Tensor:
    """A picture as (3,H,W) float32 in 0..1."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24")
    return torch.from_numpy(frame).permute(2, 0, 1).float() / 255


def cut(image: torch.Tensor, centre: tuple[float, float], side: float, size: int) -> torch.Tensor:
    """The upright square of that side (px of the image) resampled to (3,size,size); black outside the image."""
    steps = (torch.arange(size) + 0.5) * (side / size) - side / 2
    x = (centre[0] + steps + 0.5) / image.shape[2] * 2 - 1
    y = (centre[1] + steps + 0.5) / image.shape[1] * 2 - 1
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)
    return F.grid_sample(image[None], grid[None], align_corners=False)[0]


def annotated_people(coco: Path, *, scale: float = 1.4, size: int = 256) -> list[Person]:
    """Everyone in the folder of COCO photos with ten or more annotated keypoints."""
    notes = json.loads((coco / "test_coco.json").read_text())
    files = {picture["id"]: picture["file_name"] for picture in notes["images"]}
    people = []
    for note in notes["annotations"]:
        if note["num_keypoints"] < 10:
            continue
        x, y, width, height = note["bbox"]
        side = scale * max(width, height)
        corner = np.array([x + width / 2 - side / 2, y + height / 2 - side / 2])
        keypoints = np.array(note["keypoints"], float).reshape(-1, 3)
        joints = {
            name: (keypoints[row, :2] - corner) * size / side
            for name, (_, row) in SHARED_ROWS.items()
            if keypoints[row, 2] == 2
        }
        crop = cut(read_image(coco / files[note["image_id"]]), (x + width / 2, y + height / 2), side, size)
        people.append(Person(crop, joints, max(width, height) * size / side))
    return people
