"""Rendered pairs of frames as training takes them: without end, each used a few times, the same at every run."""

import signal
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import count, islice

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from dyad.core.errors import BadUsage
from dyad.synthetic.samples import Sample, Samples
from dyad.training.augment import Pair, augmented
from dyad.training.recipes import HELD_OUT, FlowRecipe, World

Batch = Mapping[str, Tensor]
_CHOICE, _DRAW = 7, 8


class Mix:
    """Scenes of several worlds, each world as often as its share says; scene n is a function of the seed and of n."""

    def __init__(self, worlds: Sequence[World], seed: int, *, pairs: int) -> None:
        self.seed = seed
        self.shares = np.array([world.share for world in worlds], float)
        self.shares /= self.shares.sum()
        self.kinds = [Samples(seed, world.scenes, pairs=pairs, fps=world.fps) for world in worlds]

    def of_scene(self, number: int, first: int = 0) -> Iterator[Sample]:
        """The samples of scene `number`, from its pair `first` on."""
        rng = np.random.default_rng((self.seed, number, _CHOICE))
        return self.kinds[int(rng.choice(len(self.kinds), p=self.shares))].of_scene(number, first)


class AugmentedPairs(IterableDataset[Pair]):
    """Pairs `start`, `start + 1`, … of a recipe, cut and changed; each is a function of recipe and number alone.

    Pair i comes from stream i mod `streams`. A stream holds a window of rendered pairs, draws from it, and puts a new
    one in the place of the oldest after every `repeats` draws: rendering is dearer than training. With several
    workers, whose number divides that of the streams, each keeps its own streams, and a loader that takes from them in
    turn gives the same pairs in the same order as one without workers.
    """

    def __init__(self, recipe: FlowRecipe, *, start: int = 0) -> None:
        super().__init__()
        self.recipe = recipe
        self.start = start
        self.mix = Mix(recipe.worlds, recipe.seed, pairs=recipe.pairs)

    def __iter__(self) -> Iterator[Pair]:
        worker, streams = get_worker_info(), self.recipe.streams
        own, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        opened: dict[int, Iterator[Pair]] = {}
        for number in count(self.start + own, workers):
            turn, stream = divmod(number, streams)
            if stream not in opened:
                opened[stream] = self._drawn(stream, turn)
            yield next(opened[stream])

    def _drawn(self, stream: int, turn: int) -> Iterator[Pair]:
        recipe = self.recipe
        rendered = self._rendered(stream, turn // recipe.repeats)
        window = deque(islice(rendered, recipe.window), recipe.window)
        for each in count(turn):
            if each > turn and each % recipe.repeats == 0:
                window.append(next(rendered))
            rng = np.random.default_rng((recipe.seed, stream, each, _DRAW))
            pair = window[int(rng.integers(len(window)))]
            yield augmented(pair, recipe.crop, recipe.augmentation, rng)

    def _rendered(self, stream: int, first: int) -> Iterator[Pair]:
        scene, pair = divmod(first, self.recipe.pairs)
        for number in count(scene):
            for sample in self.mix.of_scene(number * self.recipe.streams + stream, pair):
                yield Pair(sample["images"], sample["flow"], sample["known"], on_people(sample["identity"]))
            pair = 0


class HeldOutScenes(Dataset[list[Sample]]):
    """Scenes that no training sees; item n is the samples of the n-th, with all that is true of them."""

    def __init__(self, worlds: Sequence[World], *, scenes: int, pairs: int = 2) -> None:
        self.mix = Mix(worlds, HELD_OUT, pairs=pairs)
        self.scenes = scenes

    def __len__(self) -> int:
        return self.scenes

    def __getitem__(self, index: int) -> list[Sample]:
        if not 0 <= index < self.scenes:
            raise IndexError(index)
        return list(self.mix.of_scene(index))


def on_people(identity: Tensor) -> Tensor:
    """Where somebody is: things have identities of 100 and above, the rest 0."""
    return (identity > 0) & (identity < 100)


def workers_for(streams: int, cores: int) -> int:
    """The most workers that share `streams` evenly, one core left for the training itself; 0 where there is but one."""
    return max((n for n in range(1, cores) if streams % n == 0), default=0)


def check_workers(recipe: FlowRecipe, workers: int) -> None:
    """BadUsage where so many cannot share the streams evenly."""
    if workers < 0 or (workers and recipe.streams % workers):
        raise BadUsage(f"the number of workers divides that of streams, {recipe.streams}, or is 0; got {workers}")


def batches(recipe: FlowRecipe, start: int, *, workers: int) -> Iterator[Batch]:
    """The batches of steps `start`, `start + 1`, …: images (N, 2, 3, H, W), flow (N, 2, H, W), known and people."""
    pairs = AugmentedPairs(recipe, start=start * recipe.batch)
    _compile(pairs.mix, workers)
    ahead = 2 + -(-recipe.batch // max(workers, 1))
    loader = DataLoader(
        pairs,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=ahead if workers else None,
        worker_init_fn=deaf if workers else None,
    )
    stream = iter(loader)
    while True:
        group = list(islice(stream, recipe.batch))
        yield {name: torch.stack([getattr(pair, name) for pair in group]) for name in Pair._fields}


def held_out(recipe: FlowRecipe, *, workers: int) -> list[Sample]:
    """The pairs to judge by; the same for every training on the same worlds."""
    scenes = HeldOutScenes(recipe.worlds, scenes=-(-recipe.held_out // 2))
    _compile(scenes.mix, workers)
    loader = DataLoader(scenes, batch_size=None, num_workers=workers, worker_init_fn=deaf if workers else None)
    return [sample for samples in loader for sample in samples][: recipe.held_out]


def _compile(mix: Mix, workers: int) -> None:
    """What is compiled before workers are forked need not be compiled by each of them."""
    if workers:
        next(mix.of_scene(0))


def deaf(worker: int) -> None:
    """A signal may reach every process of a group; only the training itself should decide what it means.

    Workers end when the training tells them to, or is gone.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
