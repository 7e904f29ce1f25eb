import pytest
import torch

from dyad.core.errors import MissingWeights
from dyad.core.skeleton import BODY17
from dyad.models.discriminators import interaction_discriminator
from dyad.stages.plausibility import Plausibility, penetration, summary
from tests.stages.crowd import passing, standing, tracks_of


def test_bodies_apart_touch_and_overlap() -> None:
    one = standing(0, 4)
    assert penetration(one, standing(1.5, 4)) == 0
    # Spines are 0.13 m thick each: trunks 0.2 m apart share 0.06 m.
    assert penetration(one, standing(0.0, 4.2)).item() == pytest.approx(0.06, abs=0.02)
    assert penetration(one, one).item() == pytest.approx(0.26, abs=0.01)


def test_it_is_the_same_for_both_and_anywhere() -> None:
    one, two = standing(0, 4), standing(0.1, 4.15)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)).Q
    here = penetration(one, two)
    assert here > 0
    assert torch.isclose(penetration(two, one), here)
    assert torch.isclose(penetration(one @ turn.T + 3, two @ turn.T + 3), here)


def test_missing_limbs_do_not_count() -> None:
    one, two = standing(0, 4), standing(0.85, 4)
    one[BODY17.index("left_wrist"), 0] = 0.85
    assert penetration(one, two) > 0
    one[BODY17.index("left_wrist")] = torch.nan
    assert penetration(one, two) == 0
    assert torch.isnan(penetration(one * torch.nan, two))


def test_pairs_of_tracks_in_common_frames() -> None:
    poses = passing()
    poses[:3, 0] = torch.nan
    far = standing(30.0, 40.0).expand(len(poses), 1, 17, 3)
    found = Plausibility(interaction_discriminator(width=8, layers=2))(tracks_of(torch.cat((poses, far), 1), [3, 8, 9]))
    assert [(pair.first, pair.second) for pair in found] == [(3, 8)]
    pair = found[0]
    assert pair.frame.tolist() == [f for f in range(3, 20) if abs(2 * (-0.8 + 1.6 * f / 19)) < 3**0.5]
    assert ((pair.score > 0) & (pair.score < 1)).all()
    assert (pair.penetration == 0).all()
    facts = summary(found)
    assert facts["frames"] == len(pair.frame)
    assert facts["through"] == 0
    assert summary([]) == {"frames": 0, "score": None, "penetration_m": None, "deepest_m": None, "through": None}


def test_without_a_discriminator_only_depth_is_measured() -> None:
    found = Plausibility()(tracks_of(torch.stack([torch.stack((standing(0, 4), standing(0.0, 4.1)))]), [0, 1]))
    assert torch.isnan(found[0].score).all()
    assert found[0].penetration > 0.1
    assert summary(found)["score"] is None


def test_unknown_weights() -> None:
    with pytest.raises(MissingWeights):
        Plausibility.load("nothing-of-this-name")
