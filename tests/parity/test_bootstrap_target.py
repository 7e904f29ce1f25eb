"""The target flow of the paper's released code, to the pixel, with its faults at the borders."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dyad.core.flow import Flow
from dyad.core.skeleton import LSP14
from dyad.refinement.moves import Moves
from dyad.refinement.released import DETECTIONS
from dyad.refinement.target_paper import ReleasedSketch


@pytest.fixture(scope="module")
def fixture(parity: Path) -> dict[str, Tensor]:
    with np.load(parity / "bootstrap_target.npz") as archive:
        return {name: torch.from_numpy(archive[name]) for name in archive.files}


def check(target: Tensor, expected: Tensor) -> None:
    """Equal to 2e-5 px: a pixel decided otherwise would be off by pixels."""
    assert target.shape == expected.shape
    assert float((target - expected).abs().max()) <= 2e-5


def over(fixture: dict[str, Tensor], moves: Moves, sketch: ReleasedSketch) -> Tensor:
    estimate = fixture["flow"].movedim(-1, 1)
    target = sketch(moves, (estimate.shape[-1], estimate.shape[-2]))
    assert 0.05 < float(target.drawn.float().mean()) < 0.95
    return target.over(Flow(estimate)).uv.movedim(1, -1)


def test_of_3d_poses(fixture: dict[str, Tensor]) -> None:
    joints = fixture["joints2d"][:, None]
    moves = Moves(first=joints[:-1], second=joints[1:], skeleton=LSP14)
    check(over(fixture, moves, ReleasedSketch()), fixture["target"])


def detections(fixture: dict[str, Tensor], xy: Tensor) -> Moves:
    score = fixture["detection_confidence_f64"]
    return Moves(
        first=xy[:-1, None],
        second=xy[1:, None],
        skeleton=DETECTIONS,
        confidence=torch.minimum(score[:-1], score[1:])[:, None],
    )


def test_of_2d_detections(fixture: dict[str, Tensor]) -> None:
    sketch = ReleasedSketch.of_detections()
    moves = detections(fixture, fixture["detections_f64"][..., :2])
    check(over(fixture, moves, sketch), fixture["detection_target"])
    moves = detections(fixture, fixture["detections_second_f64"])
    check(over(fixture, moves, sketch)[:, ::2, ::2], fixture["detection_target_second"])
