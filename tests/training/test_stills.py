from dataclasses import replace
from itertools import islice

import pytest
import torch

from dyad.core.errors import BadUsage
from dyad.training.recipes import World
from dyad.training.stills import Stills, crowds

WORLDS = tuple(replace(world, scenes=replace(world.scenes, furniture=0)) for world in crowds((64, 48), most=5))


def test_a_still_is_a_function_of_seed_and_number() -> None:
    one, again = (list(islice(Stills(WORLDS, 3, each=2), 3)) for _ in range(2))
    for a, b in zip(one, again, strict=True):
        assert torch.equal(a.image, b.image)
        assert torch.equal(a.xy, b.xy)
    other = next(iter(Stills(WORLDS, 4, each=2)))
    assert not torch.equal(one[0].image, other.image)


def test_what_is_known_of_people_fits_the_camera() -> None:
    for still in islice(Stills(WORLDS, 5, each=1), 3):
        assert still.image.shape == (3, 48, 64)
        ahead = still.xyz[..., 2] > 0.1
        seen = still.xyz[..., :2] / still.xyz[..., 2:] * still.focal + still.centre
        assert torch.allclose(seen[ahead], still.xy[ahead], atol=0.05)
        assert len(still.xy) == len(still.xyz) == len(still.confidence) >= 1


def test_wrong_wishes() -> None:
    for worlds, seed, each in ((WORLDS, -1, 1), (WORLDS, 0, 0), ((), 0, 1)):
        with pytest.raises(BadUsage):
            Stills(worlds, seed, each=each)


def test_there_are_crowds() -> None:
    crowd = next(world for world in crowds((64, 48), most=9) if world.name == "crowds")
    assert isinstance(crowd, World)
    assert crowd.scenes.people == (5, 9)
