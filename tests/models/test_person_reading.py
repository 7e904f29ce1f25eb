import torch

from dyad.models.person_reading import merge, read_people
from tests.models.person_truth import perfect, standing

SIZE = (320, 256)
XY = standing([(80.0, 120.0), (200.0, 140.0)], [160.0, 60.0])
METRES = torch.tensor((0.95, 1.05))
RELATIVE = 0.01 * torch.arange(34.0).reshape(2, 17)


def test_who_is_in_the_maps_is_read() -> None:
    people = read_people(perfect(XY, METRES, RELATIVE, SIZE), snap=0)
    order = torch.argsort(people.reach, descending=True)
    read = people.chosen(order)
    assert torch.allclose(read.xy, XY, atol=1e-3)
    assert torch.allclose(read.metres, METRES, atol=1e-5)
    assert torch.allclose(read.relative[:, 1:], RELATIVE[:, 1:], atol=1e-5)
    assert (read.relative[:, 0] == 0).all()
    assert (read.score.sort(descending=True).values == people.score).all()


def test_joints_move_to_where_the_heat_is() -> None:
    maps = perfect(XY, METRES, RELATIVE, SIZE)
    off = maps._replace(offsets=maps.offsets + 0.05)
    plain, snapped = (
        read_people(off, snap=snap).chosen(torch.argsort(read_people(off).reach, descending=True))
        for snap in (0.0, 0.12)
    )
    error = [torch.linalg.vector_norm(read.xy - XY, dim=-1).mean(-1) for read in (plain, snapped)]
    assert (error[1] < 0.7 * error[0]).all()


def test_nobody_and_the_threshold() -> None:
    maps = perfect(XY[:0], METRES, RELATIVE, SIZE)
    assert len(read_people(maps).score) == 0
    assert read_people(maps).xy.shape == (0, 17, 2)
    assert len(read_people(perfect(XY, METRES, RELATIVE, SIZE), threshold=0.99).score) == 1
    assert len(read_people(perfect(XY, METRES, RELATIVE, SIZE), most=1).score) == 1


def test_one_person_seen_twice_is_one() -> None:
    people = read_people(perfect(XY, METRES, RELATIVE, SIZE))
    twice = people.chosen(torch.tensor((0, 1, 0, 1)))
    twice = twice._replace(xy=twice.xy + torch.tensor((0.0, 0.0, 2.0, 2.0))[:, None, None])
    assert len(merge(twice)) == 2
    assert set(merge(twice).tolist()) == {0, 1}
