import pytest
import torch

from dyad.core.skeleton import BODY17, COCO17, MUPOTS17, OPENPOSE18, POSETRACK17, Skeleton
from dyad.estimates.skeletons import HALPE26, OPENPOSE25, SPIN24, WHOLEBODY23

CLICKED = (OPENPOSE18, OPENPOSE25, WHOLEBODY23, HALPE26, POSETRACK17)
WITH_PELVIS = (OPENPOSE25, HALPE26)


def person(skeleton: Skeleton) -> torch.Tensor:
    """COCO's joints of someone as another skeleton that people click has them; other joints lie at the origin."""
    points = torch.randn(len(COCO17), 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return COCO17.convert(points, skeleton).nan_to_num()


@pytest.mark.parametrize("skeleton", CLICKED, ids=lambda s: s.name)
@pytest.mark.parametrize("captured", [BODY17, MUPOTS17], ids=lambda s: s.name)
def test_hips_are_those_of_coco_whichever_tool_found_them(skeleton: Skeleton, captured: Skeleton) -> None:
    found, wanted = skeleton.convert(person(skeleton), captured), COCO17.convert(person(COCO17), captured)
    there = captured.indices("pelvis", "left_hip", "right_hip", "neck", "left_knee")
    assert torch.allclose(found[there], wanted[there])
    back = captured.convert(found, skeleton)
    hips = skeleton.indices("left_hip", "right_hip")
    assert torch.allclose(back[hips], person(skeleton)[hips])


@pytest.mark.parametrize("skeleton", WITH_PELVIS, ids=lambda s: s.name)
def test_a_pelvis_between_clicked_hips_stays_their_middle(skeleton: Skeleton) -> None:
    captured = torch.randn(len(BODY17), 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    pelvis, left, right = BODY17.convert(captured, skeleton)[skeleton.indices("pelvis", "left_hip", "right_hip")]
    assert torch.allclose(pelvis, 0.5 * (left + right))
    assert not torch.allclose(pelvis, captured[BODY17.index("pelvis")])
    clicked = COCO17.convert(person(COCO17), skeleton)[skeleton.index("pelvis")]
    assert torch.allclose(clicked, person(COCO17)[COCO17.indices("left_hip", "right_hip")].mean(0))


def test_joints_of_an_unknown_source_are_copied() -> None:
    assert SPIN24.source == "unknown"
    points = torch.randn(len(SPIN24), 3, generator=torch.Generator().manual_seed(3))
    for target in (BODY17, COCO17):
        there = ("left_hip", "right_hip", "left_knee")
        assert torch.equal(SPIN24.convert(points, target)[target.indices(*there)], points[SPIN24.indices(*there)])
