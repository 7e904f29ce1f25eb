"""Rendered pairs: the same with any number of workers and from any start, and none that is held out."""

from itertools import islice

import pytest
import torch

from dyad.core.errors import BadUsage
from dyad.training.augment import Pair
from dyad.training.recipes import HELD_OUT, FlowRecipe
from dyad.training.worlds import AugmentedPairs, Mix, batches, held_out, on_people, workers_for
from tests.training.tiny import TINY


def same(one: Pair, other: Pair) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.fixture(scope="module")
def ten() -> list[Pair]:
    return list(islice(AugmentedPairs(TINY), 10))


def test_pairs_are_what_a_network_needs(ten: list[Pair]) -> None:
    width, height = TINY.crop
    for pair in ten:
        assert pair.images.shape == (2, 3, height, width)
        assert pair.images.dtype == torch.uint8
        assert pair.flow.shape == (2, height, width)
        assert pair.known.float().mean() > 0.9
    assert any(pair.people.any() for pair in ten)
    assert not any(same(a, b) for i, a in enumerate(ten) for b in ten[:i])


@pytest.mark.parametrize("start", [1, 4, 7])
def test_from_any_start_they_are_the_same(ten: list[Pair], start: int) -> None:
    for pair, expected in zip(AugmentedPairs(TINY, start=start), ten[start:], strict=False):
        assert same(pair, expected)


def test_with_workers_they_are_the_same_in_the_same_order(ten: list[Pair]) -> None:
    source = batches(TINY, 1, workers=2)
    for step in (1, 2):
        batch = next(source)
        for i in range(TINY.batch):
            assert same(Pair(**{name: value[i] for name, value in batch.items()}), ten[step * TINY.batch + i])


def test_another_seed_gives_others(ten: list[Pair]) -> None:
    assert not same(next(iter(AugmentedPairs(TINY.with_(seed=1)))), ten[0])


def test_each_pair_serves_as_often_as_is_said() -> None:
    # One picture a scene, so that a count of pictures is a count of renderings.
    recipe = TINY.with_(streams=1, pairs=1, window=2, repeats=3)
    pairs = AugmentedPairs(recipe)
    asked: list[int] = []
    of_scene = pairs.mix.of_scene

    def counted(number: int, first: int = 0):
        asked.append(number)
        return of_scene(number, first)

    pairs.mix.of_scene = counted  # ty: ignore[invalid-assignment]
    list(islice(pairs, 9))
    assert asked == [0, 1, 2, 3]


def test_what_is_held_out_is_never_trained_on() -> None:
    kept = held_out(TINY, workers=0)
    assert len(kept) == TINY.held_out
    assert Mix(TINY.worlds, TINY.seed, pairs=2).seed < HELD_OUT
    with pytest.raises(BadUsage, match="held out"):
        TINY.with_(seed=HELD_OUT)
    # The same for a training with another seed, and with other workers.
    again = held_out(TINY.with_(seed=5), workers=1)
    assert all(torch.equal(a["images"], b["images"]) for a, b in zip(kept, again, strict=True))


def test_worlds_come_as_often_as_their_shares_say() -> None:
    recipe = FlowRecipe(TINY.optimisation)
    mix = Mix(recipe.worlds, 0, pairs=1)
    asked: list[int] = []
    for k, samples in enumerate(mix.kinds):
        samples.of_scene = lambda number, first=0, k=k: asked.append(k) or iter(())  # ty: ignore[invalid-assignment]
    for number in range(2000):
        mix.of_scene(number)
    for k, world in enumerate(recipe.worlds):
        assert asked.count(k) / 2000 == pytest.approx(world.share, abs=0.04)


def test_people_are_not_things() -> None:
    assert on_people(torch.tensor([0, 1, 32, 100, 101])).tolist() == [False, True, True, False, False]


@pytest.mark.parametrize(("streams", "cores", "workers"), [(14, 16, 14), (14, 8, 7), (2, 2, 1), (2, 1, 0), (6, 5, 3)])
def test_workers_share_streams_evenly_and_leave_a_core(streams: int, cores: int, workers: int) -> None:
    assert workers_for(streams, cores) == workers
