"""Dyad's parts on stored material: they start from what is stored, skip what is not, and are told no truth."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dyad.bench.mupots import bench_mupots
from dyad.bench.mupots_parts import own_parts
from dyad.bench.stored import Stored
from dyad.core.skeleton import BODY17, MUPOTS17

CPU = torch.device("cpu")


def arrays(*, frames: int = 30, moved: float = 0.0) -> dict[str, np.ndarray]:
    """Two upright people who stand still 4 m away, as TSxx.npz has them; the truth alone is `moved` by so many mm."""
    at = {
        "pelvis": (0, 0), "hip": (0.1, 0), "knee": (0.1, 0.44), "ankle": (0.1, 0.87), "spine": (0, -0.25),
        "neck": (0, -0.5), "head": (0, -0.6), "head_top": (0, -0.75), "shoulder": (0.18, -0.45),
        "elbow": (0.25, -0.15), "wrist": (0.28, 0.1),
    }  # fmt: skip
    one = []
    for name in MUPOTS17.names:
        side = -1 if name.startswith("right") else 1
        x, y = at[name.removeprefix("left_").removeprefix("right_")]
        one.append((side * x, y + 0.2, 4.0))
    xyz = (np.array(one) + np.array(((-0.6, 0, 0), (0.6, 0, 0.5)))[:, None])[None].repeat(frames, 0)
    matrix = np.array(((1100.0, 0, 960), (0, 1100, 540), (0, 0, 1)))
    xy = (xyz / xyz[..., 2:] @ matrix.T)[..., :2]
    order = [MUPOTS17.index("head" if name == "nose" else name) for name in BODY17.names]
    rel = xyz - xyz[:, :, MUPOTS17.index("pelvis"), None]
    return {
        "gt_xy": xy, "gt_xyz_mm": 1000 * xyz + moved, "gt_valid": np.ones((frames, 2), bool),
        "gt_occluded": np.zeros((frames, 2, 17), bool), "K": matrix, "image_size": np.array((1920, 1080)),
        "est_xy": xy[:, :, order], "est_confidence": np.full((frames, 2, 17), 0.07),
        "topdown_rel_m": rel, "bottomup_rel_m": rel,
    }  # fmt: skip


@pytest.fixture(scope="module")
def parts():
    return own_parts(CPU)


def test_each_part_starts_from_what_is_stored(tmp_path: Path, parts) -> None:
    np.savez(tmp_path / "TS99.npz", **arrays())
    scores = bench_mupots(tmp_path, run=None, parts=parts)["strict"]
    assert {"dyad-lift", "dyad-lift-detector-like", "dyad-integrate", "weighted-mean", "topdown"} <= set(scores)
    assert scores["weighted-mean"]["TS99"]["pck_abs"] > 95
    assert scores["dyad-integrate"]["mean"]["pck"] > 90
    assert scores["dyad-lift"]["TS99"]["coverage"] == 1
    assert scores["dyad-lift"]["TS99"]["pck"] > 80


def test_parts_skip_what_is_not_stored(tmp_path: Path, parts) -> None:
    few = {name: v for name, v in arrays().items() if name not in ("est_xy", "est_confidence", "bottomup_rel_m")}
    np.savez(tmp_path / "TS99.npz", **few)
    stored = Stored(tmp_path / "TS99.npz")
    assert parts["dyad-lift"](stored) is None
    assert parts["dyad-integrate"](stored) is None
    assert parts["dyad-lift-detector-like"](stored) is not None


def test_nothing_of_the_truth_is_told(tmp_path: Path, parts) -> None:
    found = []
    for name, moved in (("TS98", 0.0), ("TS99", 300.0)):
        np.savez(tmp_path / f"{name}.npz", **arrays(moved=moved))
        stored = Stored(tmp_path / f"{name}.npz")
        found.append([parts[part](stored).xyz for part in ("dyad-lift", "dyad-integrate", "weighted-mean")])
    for first, second in zip(*found, strict=True):
        torch.testing.assert_close(first, second)
