from pathlib import Path

import numpy as np
import pytest

from dyad.core.errors import BadInput, BadUsage
from dyad.core.skeleton import BODY17
from dyad.synthetic.gatherings import Troupe, hidden
from tests.training.troupes import troupe, waving


def seen_from(x: float, z: float) -> np.ndarray:
    """(17, 3) m in the camera frame."""
    pose = waving(1, x=x, z=z)[0]
    return pose * (1, -1, 1) + (0, 1, 0)


def test_everyone_stands_before_the_camera_with_bones_of_their_own() -> None:
    stock = troupe()
    for seed in range(20):
        found = stock.gather(np.random.default_rng(seed), people=(2, 4), frames=12)
        assert 2 <= found.xyz.shape[1] <= 4
        assert found.xyz.shape == (12, len(found.together), 17, 3)
        assert found.xyz[..., 2].min() >= 0.99
        assert found.fps in (30.0, 15.0)
        thigh = found.xyz[:, :, BODY17.index("left_knee")] - found.xyz[:, :, BODY17.index("left_hip")]
        assert np.allclose(np.linalg.norm(thigh, axis=-1), 0.4, atol=0.03)
        # Down is down: heads are above hips in the image.
        up = found.xyz[:, :, BODY17.index("head_top"), 1] < found.xyz[:, :, BODY17.index("pelvis"), 1]
        assert up.all()


def test_the_same_seed_gathers_the_same() -> None:
    one, two, other = (troupe().gather(np.random.default_rng(seed), frames=6) for seed in (3, 3, 4))
    assert np.array_equal(one.xyz, two.xyz)
    assert one.xyz.shape != other.xyz.shape or not np.array_equal(one.xyz, other.xyz)


def test_pairs_keep_their_distance_to_one_another() -> None:
    stock = Troupe(troupe().companies[2:])
    found = stock.gather(np.random.default_rng(0), people=(2, 2), frames=6)
    apart = np.linalg.norm(found.xyz[:, 0, 0] - found.xyz[:, 1, 0], axis=-1)
    assert np.allclose(apart, 0.6, atol=0.05)
    assert found.together.tolist() == [1, 1]


def test_whoever_stands_behind_is_hidden_and_whoever_stands_before_is_not() -> None:
    row = hidden(np.stack((seen_from(0, 3), seen_from(0, 5)))[None])[0]
    assert row[1].mean() > 0.5
    arms = [BODY17.index(name) for name in ("left_wrist", "right_wrist", "left_knee")]
    assert not row[0, arms].any()
    assert not hidden(np.stack((seen_from(-1, 3), seen_from(1.5, 5)))[None])[0][:, arms].any()


def test_the_own_trunk_hides_a_hand_behind_the_back() -> None:
    pose = seen_from(0, 3)
    wrist = BODY17.index("left_wrist")
    pose[wrist] = pose[BODY17.index("spine")] + (0, 0, 0.3)
    assert hidden(pose[None, None])[0, 0, wrist]
    pose[wrist, 2] -= 0.6
    assert not hidden(pose[None, None])[0, 0, wrist]


def test_stocks_come_back_from_files(tmp_path: Path) -> None:
    stock, path = troupe(), tmp_path / "stock.npz"
    stock.save(path)
    again = Troupe.load(path)
    assert again.fps == stock.fps
    assert all(np.array_equal(a, b) for a, b in zip(stock.companies, again.companies, strict=True))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BadInput):
        Troupe.load(path)
    with pytest.raises(BadUsage):
        Troupe([]).gather(np.random.default_rng(0))


def test_rehearsed_people_are_people() -> None:
    stock = Troupe.rehearse(np.random.default_rng(0), pairs=1, singles=1, seconds=0.5)
    assert [company.shape for company in stock.companies] == [(15, 2, 17, 3), (15, 1, 17, 3)]
    for company in stock.companies:
        tall = company[..., 1].max(-1)
        assert ((tall > 0.7) & (tall < 2.3)).all()
