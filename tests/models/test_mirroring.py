import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from dyad.models.higherhrnet import Stages
from dyad.models.mirroring import PUBLISHED_SHIFT, MirroredHeatmaps, StageAggregation, shifted

JOINTS = ("nose", "left_eye", "right_eye")


def impartial(images: Tensor) -> Tensor:
    """A network that sees in a mirror what it should: rises of red are left eyes, falls are right ones."""
    red = images[:, :1]
    rise = F.pad(red, (1, 1, 0, 0), mode="replicate")
    rise = rise[..., 2:] - rise[..., :-2]
    return F.avg_pool2d(torch.cat((red, rise.relu(), (-rise).relu()), 1), 4)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(5))


def test_a_network_without_a_bias_to_a_side_gains_nothing(images) -> None:
    torch.testing.assert_close(MirroredHeatmaps(impartial, joints=JOINTS)(images), impartial(images))


def test_partners_are_exchanged_by_name(images) -> None:
    wrong = MirroredHeatmaps(impartial, joints=("nose", "neck", "pelvis"))(images)
    assert (wrong - impartial(images)).abs().max() > 0.05


def test_the_published_shift_leaves_an_eighth_of_a_pixel() -> None:
    """A network trained as the published ones, whose first pixel is on the image's first, and a blob it sees."""
    x = torch.arange(96.0)
    image = torch.exp(-((x - 41) ** 2) / 200).expand(1, 3, 32, 96)

    def sampling(images: Tensor) -> Tensor:
        return images[:, :1, ::4, ::4]

    def centre(maps: Tensor) -> float:
        mass = maps[0, 0, 0]
        return float((mass * torch.arange(len(mass))).sum() / mass.sum())

    found = {
        shift: centre(MirroredHeatmaps(sampling, joints=("nose",), shift=shift)(image))
        for shift in (0.0, 0.75, PUBLISHED_SHIFT)
    }
    assert found[0.75] == pytest.approx(41 / 4, abs=2e-3)
    assert found[PUBLISHED_SHIFT] == pytest.approx(41 / 4 + 1 / 8, abs=2e-3)
    assert found[0.0] == pytest.approx(41 / 4 - 3 / 8, abs=2e-3)


def test_maps_are_shifted_to_the_right() -> None:
    maps = torch.tensor([1.0, 2, 4, 8]).view(1, 1, 1, 4)
    assert shifted(maps, 0).flatten().tolist() == [1, 2, 4, 8]
    assert shifted(maps, 1).flatten().tolist() == [1, 1, 2, 4]
    assert shifted(maps, 2.5).flatten().tolist() == [1, 1, 1, 1.5]
    with pytest.raises(ValueError, match="0 px or more"):
        MirroredHeatmaps(impartial, joints=JOINTS, shift=-1)


def staged(images: Tensor) -> Stages:
    coarse = impartial(images)
    return Stages((coarse, F.interpolate(coarse, scale_factor=2, mode="bilinear")), 3 * coarse)


@pytest.mark.parametrize("mirror", [True, False])
def test_stages_are_averaged_and_tags_kept_apart(images, mirror) -> None:
    found = StageAggregation(staged, joints=JOINTS, mirror=mirror)(images)
    assert found.heatmaps.shape == (2, 3, 16, 24)
    assert found.tags.shape == (2, 3, 16, 24, 1 + mirror)
    twice = F.interpolate(staged(images).heatmaps[1], scale_factor=2, mode="bilinear")
    torch.testing.assert_close(found.heatmaps, twice)
    for tags in found.tags.unbind(-1):
        torch.testing.assert_close(tags, 3 * twice)
