"""The drawn prior."""

import torch

from dyad.models.person_maps import draw_person_maps


def test_one_at_the_joint_and_the_highest_where_people_meet() -> None:
    xy = torch.tensor([[[10.0, 20.0], [5.0, 5.0]], [[30.0, 20.0], [torch.nan, 5.0]]])
    maps = draw_person_maps(xy, (50, 40), sigma=4.0)
    assert maps.shape == (2, 40, 50)
    assert maps[0, 20, 10] == maps[0, 20, 30] == 1
    assert torch.allclose(maps[0, 24, 10], torch.tensor(-0.5).exp())
    assert torch.allclose(maps[0, 20, 20], torch.tensor(-100 / 32).exp())  # not the sum of the two
    alone = draw_person_maps(xy[:1], (50, 40))
    assert torch.equal(maps[1], alone[1])
    assert not maps[(maps > 0) & (maps < 0.01)].any()


def test_nobody_is_nothing() -> None:
    assert not draw_person_maps(torch.zeros(0, 17, 2), (8, 8)).any()
