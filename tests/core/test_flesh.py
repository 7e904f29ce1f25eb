import torch

from dyad.core.flesh import fleshed
from dyad.core.skeleton import BODY17, COCO17


def test_every_bone_of_a_body_has_flesh_and_both_sides_the_same() -> None:
    bones, thick = fleshed(BODY17)
    assert bones == list(BODY17.bones)
    by_end = {BODY17.names[end]: float(value) for (_, end), value in zip(bones, thick, strict=True)}
    assert by_end["left_wrist"] == by_end["right_wrist"] < by_end["left_knee"] < by_end["spine"] < 0.2


def test_bones_between_points_of_the_face_have_none() -> None:
    names = {COCO17.names[end] for _, end in fleshed(COCO17)[0]}
    assert "left_eye" not in names
    assert "left_elbow" in names
    assert torch.all(fleshed(COCO17)[1] > 0)
