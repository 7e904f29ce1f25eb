"""Training samples without end, made while they are asked for: no file is read but the body, none is written."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count, islice

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from dyad.core.errors import BadUsage
from dyad.core.skeleton import BODY17, Skeleton
from dyad.synthetic.annotation import annotated_frame, everyone
from dyad.synthetic.random_scenes import Recipe
from dyad.synthetic.scenes import Scene

Sample = dict[str, Tensor]


@dataclass(frozen=True)
class Draw:
    """Which pairs of frames of which scene: `start` to `start + pairs` of a scene at `fps` frames a second."""

    scene: Scene
    start: int


class Samples(IterableDataset[Sample]):
    """Pairs of neighbouring frames with all that is true of them; the same seed and index give the same bytes.

    Sample i is pair `i % pairs` of scene `i // pairs`. With several workers, each makes other scenes; with
    `share=(k, n)` this is the k-th of n data sets that have none in common, as one for each GPU. Workers may be forked.

    A sample holds, for an image of H by W px, J joints and P the most people of the recipe, each frame before the next:

    * `images` (2, 3, H, W) uint8; `fps` frames a second; `index` int64, of the sample.
    * of the first frame: `flow` (2, H, W) px to the second, 0 where not `known` (H, W); `occluded` (H, W), pixels that
      the second does not show; `identity` (H, W) int16, p + 1 where person p is seen, 100 and more for things, else 0;
      `part` (H, W) uint8 of `body.PARTS`; `depth` (H, W) m, inf where nothing is.
    * `present` (2, P), who has a joint or pixel in the image; `xy` (2, P, J, 2) px; `xyz` (2, P, J, 3) m in the camera
      frame of its own image; `confidence` (2, P, J), 1 seen, 0.25 hidden, 0 outside; `box` (2, P, 4) px. Values of
      those not present are 0.
    * the camera: `focal` (2,), `centre` (2,) px; `rotation` (2, 3, 3) world to camera axes; `position` (2, 3) m.

    Args:
        seed: of everything. recipe: what scenes are like; its `fps` is replaced by one drawn from `fps`, evenly in the
        logarithm, and its `seconds` is how long a stretch of motion the pairs are taken from.
        pairs: neighbouring pairs taken from each scene, which share its set-up. skeleton: of the joints.
        limit: samples in all, endless if None; a scene that would pass it is cut short.
    """

    def __init__(
        self,
        seed: int,
        recipe: Recipe | None = None,
        *,
        pairs: int = 8,
        skeleton: Skeleton = BODY17,
        fps: tuple[float, float] = (12.0, 40.0),
        limit: int | None = None,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        super().__init__()
        if seed < 0 or pairs < 1 or not 0 < fps[0] <= fps[1] or not 0 <= share[0] < share[1]:
            raise BadUsage(
                f"samples need a seed of 0 or above, a pair a scene, rates that ascend and a share k of n with k < n, "
                f"got {seed}, {pairs}, {fps} and {share}"
            )
        self.seed = seed
        self.recipe = Recipe() if recipe is None else recipe
        self.pairs = pairs
        self.skeleton = skeleton
        self.fps = fps
        self.limit = limit
        self.share = share

    def __iter__(self) -> Iterator[Sample]:
        worker = get_worker_info()
        own, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        part, parts = self.share
        for number in count(part * workers + own, parts * workers):
            left = self.pairs if self.limit is None else self.limit - number * self.pairs
            if left <= 0:
                return
            yield from islice(self.of_scene(number), left)

    def sample(self, index: int) -> Sample:
        """One sample by its index."""
        number, pair = divmod(index, self.pairs)
        return next(islice(self.of_scene(number, first=pair), 1))

    def draw(self, number: int) -> Draw:
        """A scene by its number, and where its pairs begin."""
        rng = np.random.default_rng((self.seed, number, 1))
        fps = float(np.exp(rng.uniform(*np.log(self.fps))))
        seconds = max(self.recipe.seconds, (self.pairs + 2) / fps)
        scene = replace(self.recipe, fps=fps, seconds=seconds)((self.seed, number))
        return Draw(scene, int(rng.integers(scene.frames - self.pairs)))

    def of_scene(self, number: int, first: int = 0) -> Iterator[Sample]:
        """The samples of a scene by its number, from its pair `first` on."""
        draw = self.draw(number)
        scene = draw.scene
        world = everyone(scene, self.skeleton)
        last: Sample | None = None
        pixels: Sample = {}
        for pair in range(first, self.pairs + 1):
            frame = draw.start + pair
            drawn = scene.render(frame)
            people = annotated_frame(scene, drawn, world[:, frame], frame, self.skeleton)
            now = {
                "images": _channels_first(scene.photographed(drawn, frame)),
                **{name: self._padded(value) for name, value in people.items()},
                "rotation": torch.from_numpy(scene.path.rotation[frame]).float(),
                "position": torch.from_numpy(scene.path.position[frame]).float(),
            }
            if last is not None:
                both = {name: torch.stack((last[name], now[name])) for name in now}
                yield {**both, **pixels, "index": torch.tensor(number * self.pairs + pair - 1)}
            last = now
            flow = np.zeros((*scene.size[::-1], 2), np.float32) if drawn.flow is None else drawn.flow
            known = np.isfinite(flow[..., 0]) & np.isfinite(flow[..., 1])
            pixels = {
                "flow": _channels_first(np.where(known[..., None], flow, np.float32(0))),
                "known": torch.from_numpy(known),
                "occluded": torch.from_numpy(np.zeros_like(known) if drawn.occluded is None else drawn.occluded),
                "identity": torch.from_numpy(drawn.identity),
                "part": torch.from_numpy(drawn.part),
                "depth": torch.from_numpy(drawn.depth),
                "focal": scene.path.camera.focal.float(),
                "centre": scene.path.camera.centre.float(),
                "fps": torch.tensor(scene.fps),
            }

    def _padded(self, values: np.ndarray) -> Tensor:
        """Values (N, …) of N people as those of the most that there may be."""
        out = np.zeros((self.recipe.people[1], *values.shape[1:]), np.bool_ if values.dtype == bool else np.float32)
        out[: len(values)] = values
        return torch.from_numpy(out)


def _channels_first(image: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(image, -1, 0)))
