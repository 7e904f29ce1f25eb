import numpy as np
import pytest
import torch

from dyad.core.skeleton import BODY17
from dyad.training.cuttings import Cutting, cut, cutting, middles_of, reach_of
from dyad.training.stills import Still
from tests.models.person_truth import standing

PLAIN = Cutting(size=(128, 96), flip=0, soft=0, colour=0, quarters=0, prior=0)


def still(focal: float = 300.0) -> Still:
    """Two people; where the first one's joints are, the image is white."""
    xy = standing([(60.0, 60.0), (120.0, 70.0)], [80.0, 40.0])
    image = torch.full((3, 144, 192), 40, dtype=torch.uint8)
    for x, y in xy[0].round().long().tolist():
        image[:, y - 2 : y + 3, x - 2 : x + 3] = 255
    depth = torch.tensor((4.0, 8.0))[:, None].expand(2, 17)
    xyz = torch.cat(((xy - 80) / focal * depth[..., None], depth[..., None]), -1)
    return Still(image, xy, xyz, torch.ones(2, 17), torch.full((2,), focal), torch.tensor((95.5, 71.5)))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("flip", [0, 1])
def test_joints_stay_on_their_pixels(seed: int, flip: int) -> None:
    how = Cutting(**{**vars(PLAIN), "flip": flip})
    shown = cut(still(), how, np.random.default_rng(seed))
    assert shown.image.shape == (3, 96, 128)
    for person in torch.nonzero(torch.isfinite(shown.metres))[:, 0].tolist():
        # The taller one is the one that is marked.
        if reach_of(shown.xy[person][None]) < 0.9 * reach_of(shown.xy).max():
            continue
        inside = shown.confidence[person] > 0
        x, y = shown.xy[person][inside].round().long().clamp(min=0).unbind(-1)
        x, y = x.clamp(max=127), y.clamp(max=95)
        assert shown.image[0, y, x].float().median() > 150
    # In the mirror a right hand is a left one: whoever faces the camera still has his left on the image's right.
    left, right = BODY17.index("left_shoulder"), BODY17.index("right_shoulder")
    assert (shown.xy[0, left, 0] > shown.xy[0, right, 0]).all()


def test_metres_do_not_depend_on_scale_or_focal_length() -> None:
    for seed in range(4):
        shown = cut(still(), PLAIN, np.random.default_rng(seed))
        for focal in (300.0, 900.0):
            far = still(focal)
            far = Still(**{**vars(far), "xyz": far.xyz * torch.tensor((1.0, 1.0, focal / 300.0))})
            other = cut(far, PLAIN, np.random.default_rng(seed))
            assert torch.allclose(shown.metres, other.metres, equal_nan=True)
        true = reach_of(still().xy) * torch.tensor((4.0, 8.0)) / 300
        known = shown.metres[torch.isfinite(shown.metres)]
        assert all((true - value).abs().min() < 1e-3 * value for value in known)


def test_the_same_numbers_give_the_same() -> None:
    how = Cutting(size=(128, 96), quarters=0.5)
    for seed in range(4):
        one, two = (cutting([still()], how, np.random.default_rng(seed)) for _ in range(2))
        assert all(torch.equal(a.nan_to_num(-1), b.nan_to_num(-1)) for a, b in zip(one, two, strict=True))


def test_four_in_one_lie_in_their_quarters() -> None:
    how = Cutting(size=(128, 96), quarters=1.0, flip=0)
    shown = cutting([still()], how, np.random.default_rng(3))
    assert shown.image.shape == (3, 96, 128)
    assert shown.metres.shape == (how.most,)
    there = torch.isfinite(shown.metres)
    assert (there.int().diff() <= 0).all()
    inside = shown.confidence[there] > 0
    xy = shown.xy[there][inside]
    assert ((xy > -1) & (xy < torch.tensor((128.0, 96.0)))).all()


def test_the_middle_is_that_of_the_trunk_while_it_is_in_sight() -> None:
    xy = standing([(60.0, 60.0)], [80.0])
    assert torch.allclose(middles_of(xy, torch.ones(1, 17, dtype=torch.bool)), torch.tensor(((60.0, 48.0),)))
    legs = torch.zeros(1, 17, dtype=torch.bool)
    legs[:, BODY17.indices("left_ankle", "right_ankle")] = True
    assert torch.allclose(middles_of(xy, legs), torch.tensor(((60.0, 60 + 0.48 * 80),)))
