import pytest
import torch

from dyad.core.detections import Detections
from dyad.core.errors import BadInput
from dyad.core.skeleton import BLAZEPOSE33, BODY17, COCO17, Skeleton


def several(count: int = 3, skeleton: Skeleton = COCO17) -> Detections:
    generator, joints = torch.Generator().manual_seed(0), len(skeleton)
    return Detections(
        frame=7,
        time=0.25,
        boxes=torch.rand(count, 4, generator=generator),
        scores=torch.rand(count, generator=generator),
        xy=torch.rand(count, joints, 2, generator=generator),
        confidence=torch.rand(count, joints, generator=generator),
        skeleton=skeleton,
        xyz=torch.rand(count, joints, 3, generator=generator),
        appearance=torch.rand(count, 8, generator=generator),
        cut=True,
    )


def test_nobody_is_normal() -> None:
    nobody = Detections.none(3, 0.1, COCO17, cut=True)
    assert len(nobody) == 0
    assert (nobody.frame, nobody.time, nobody.cut) == (3, 0.1, True)
    assert nobody.xy.shape == (0, 17, 2)
    body = nobody.convert(BODY17)
    assert body.xyz is not None
    assert body.xyz.shape == (0, 17, 3)
    assert len(nobody[torch.zeros(0, dtype=torch.bool)]) == 0


@pytest.mark.parametrize("chosen", [torch.tensor([True, False, True]), torch.tensor([0, 2])])
def test_choosing_people_chooses_all_that_is_theirs(chosen: torch.Tensor) -> None:
    three = several()
    two = three[chosen]
    assert len(two) == 2
    assert (two.frame, two.time, two.cut, two.skeleton) == (7, 0.25, True, COCO17)
    for name in ("boxes", "scores", "xy", "confidence", "xyz", "appearance"):
        assert torch.equal(getattr(two, name), getattr(three, name)[[0, 2]])


def test_what_an_estimator_does_not_tell_stays_unknown() -> None:
    flat = Detections(0, 0.0, torch.rand(2, 4), torch.rand(2), torch.rand(2, 17, 2), torch.rand(2, 17), COCO17)
    assert flat[torch.tensor([1])].xyz is None
    assert flat.convert(BODY17).xyz is None
    assert flat[torch.tensor([1])].appearance is None


def test_conversion_goes_by_name() -> None:
    body = several(skeleton=BLAZEPOSE33).convert(BODY17)
    assert body.skeleton == BODY17
    assert body.xyz is not None
    assert (body.xy.shape, body.xyz.shape, body.confidence.shape) == ((3, 17, 2), (3, 17, 3), (3, 17))
    source = several(skeleton=BLAZEPOSE33)
    assert torch.equal(body.xy[:, BODY17.index("left_knee")], source.xy[:, BLAZEPOSE33.index("left_knee")])
    assert torch.equal(body.boxes, source.boxes)


@pytest.mark.parametrize(
    ("name", "shape"),
    [("boxes", (3, 5)), ("scores", (2,)), ("xy", (3, 16, 2)), ("confidence", (3, 17, 1)), ("xyz", (3, 17, 2)),
     ("appearance", (2, 8))],
)  # fmt: skip
def test_a_wrong_shape_is_named(name: str, shape: tuple[int, ...]) -> None:
    fine = several()
    fields = {key: getattr(fine, key) for key in fine.__dataclass_fields__} | {name: torch.zeros(shape)}
    with pytest.raises(BadInput, match=f"frame 7.*{name}"):
        Detections(**fields)
