"""Optical flow as a stage: by networks such as RAFT and GMA, from files that others wrote, and checked backwards."""

import re
from collections.abc import Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dyad.core.archives import read_npz
from dyad.core.errors import BadInput, BadUsage, MissingWeights
from dyad.core.flow import Flow
from dyad.core.flow_files import is_flow_file, read_flow
from dyad.core.memory import Portions
from dyad.core.pairs import part
from dyad.core.protocols import FlowEstimator
from dyad.core.video import Chunk
from dyad.models.checkpoints import Checkpoint, find_weights
from dyad.models.padding import Padding
from dyad.models.published import PUBLISHED
from dyad.models.raft import RAFT
from dyad.models.warm_start import warm_start
from dyad.models.weights import WeightsError
from dyad.stages import FLOW_MODELS

ITERATIONS = 20
_BATCH_PIXELS = 4 << 20
_BATCH_PIXELS_CPU = 1 << 20
"""Pixels of a batch, where the caller does not say how many pairs: a CPU gains nothing by more."""
_BATCH_PRODUCTS = 1 << 28
"""And products of pixels at an eighth of the size with each other, which all-pairs correlation keeps: 1 GB."""


class NetworkFlow:
    """The flow of a network, pair by pair or many at once.

    Args:
        network: called with two batches of images (N, 3, H, W), 0..1, whose sides are multiples of 8 px; used as it
            is, not copied, and put on the device and into eval mode.
        iterations: how often the network updates its flow.
        padding: where rows are added to make sides multiples of 8 px: `sintel` above and below, `kitti` below only.
        batch: most pairs at once; as many as a gigabyte or so bears if None.
        warm: whether a pair starts from where the flow of the last one leads, if its first image is that one's second;
            pairs then go one by one. Those that lead back in time start from nothing, and nothing starts from them.
            RAFT's authors do so on Sintel. On rendered people it gained up to 6 % with 4 iterations where motion is
            steady, and with 20 it lost as much where limbs turn back.
        half: whether to compute in 16 bits what bears it; where the device gains by it (CUDA) if None.
        device: where it runs. The flow comes back on the CPU unless gradients are recorded.
    """

    def __init__(
        self,
        network: RAFT,
        *,
        iterations: int = ITERATIONS,
        padding: Literal["sintel", "kitti"] = "sintel",
        batch: int | None = None,
        warm: bool = False,
        half: bool | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        if iterations < 1 or (batch is not None and batch < 1):
            raise BadUsage(f"flow needs at least one iteration and one pair a batch, got {iterations} and {batch}")
        if padding not in ("sintel", "kitti"):
            raise BadUsage(f"the padding of flow networks is sintel or kitti, got {padding!r}")
        self.device = torch.device(device)
        self.network = network.to(self.device).eval()
        self.iterations = iterations
        self.padding: Literal["sintel", "kitti"] = padding
        self.batch = batch
        self.warm = warm
        self.half = self.device.type == "cuda" if half is None else half
        self.tunable = False
        self._portions = Portions()
        self._last: tuple[NDArray[np.uint8], Tensor] | None = None

    def __call__(self, first: Chunk, second: Chunk) -> Flow:
        """Flow (n, 2, H, W) px. Gradients are recorded in a `copy` only, where torch records any.

        Raises BadInput for images of two sizes, or of one that the network refuses.
        """
        if first.images.shape != second.images.shape:
            raise BadInput(f"flow leads between images of one size, got {first.images.shape} and {second.images.shape}")
        count, (height, width) = len(first), first.images.shape[1:3]
        size = self._batch_size(width, height)
        gradients = self.tunable and torch.is_grad_enabled()

        def work(some: slice) -> Tensor:
            onwards = bool((second.indices[some] > first.indices[some]).all())
            flow = self._flow(first.images[some], second.images[some], warm=self.warm and onwards)
            return flow if gradients else flow.cpu()

        with torch.set_grad_enabled(gradients):
            parts = self._portions(count, size, work)
        return Flow(torch.cat(parts) if parts else torch.empty(0, 2, height, width))

    def copy(self) -> Self:
        """Another estimator with weights of its own that can be tuned: gradients reach them, always in 32 bits."""
        other = type(self)(
            deepcopy(self.network),
            iterations=self.iterations,
            padding=self.padding,
            batch=self.batch,
            warm=self.warm,
            half=self.half,
            device=self.device,
        )
        other.tunable = True
        return other

    def _batch_size(self, width: int, height: int) -> int:
        if self.warm:
            return 1
        pixels = width * height
        most = _BATCH_PIXELS_CPU if self.device.type == "cpu" else _BATCH_PIXELS
        return self.batch or max(1, min(most // pixels, int(_BATCH_PRODUCTS / (pixels / 64) ** 2 * 3 / 4)))

    def _flow(self, first: NDArray[np.uint8], second: NDArray[np.uint8], *, warm: bool) -> Tensor:
        padding = Padding((first.shape[2], first.shape[1]), self.padding)
        one, two = (padding.pad(self._tensor(images)) for images in (first, second))
        start = self._start(first[0]) if warm else None
        # Sums over many products stay in 32 bits: the network sees to that itself.
        # In 16 bits small gradients would vanish.
        half = self.half and not torch.is_grad_enabled()
        narrow = torch.autocast(self.device.type, dtype=_narrow(self.device)) if half else nullcontext()
        try:
            with narrow:
                estimate = self.network(one, two, iterations=self.iterations, start=start)
        except ValueError as error:
            # Images too small for it, or too large for an attention by position.
            raise BadInput(
                f"the flow network refuses images of {padding.size[0]}x{padding.size[1]} px: {error}"
            ) from error
        if warm:
            self._last = second[-1].copy(), estimate.low.detach().float()
        return padding.crop(estimate.flow.float())

    def _tensor(self, images: NDArray[np.uint8]) -> Tensor:
        """Images (N, 3, H, W), 0..1, on the device."""
        return torch.from_numpy(np.ascontiguousarray(images)).to(self.device).movedim(-1, 1).float() / 255

    def _start(self, first: NDArray[np.uint8]) -> Tensor | None:
        # By the image and not by its number: numbers begin anew in another video.
        if self._last is None or not np.array_equal(self._last[0], first):
            return None
        return warm_start(self._last[1])


def _narrow(device: torch.device) -> torch.dtype:
    return torch.bfloat16 if device.type == "cpu" else torch.float16


@dataclass(frozen=True)
class FileFlow:
    """Flow that others computed, by the index of the frame where it begins.

    Attributes:
        files: the file of every frame, or the position in `several` where all are in one .npz.
        several: flows (N, 2, H, W), or None.
        name: of what was read, for messages.
    """

    files: dict[int, Path | int]
    name: str
    several: Flow | None = None

    @classmethod
    def of(cls, path: str | Path, *, first: int = 0) -> Self:
        """From a folder of .flo, .png (KITTI), .pfm or .npz, one a frame, or from one .npz of many (maybe `flow.npz`
        in the folder).

        A file is of the frame whose number its name ends with: `flow_0012.flo` of frame 12, as is KITTI's
        `000012_10.png`. An .npz may say so itself by an array `frames` (N,).

        Args:
            first: the number in the names that stands for frame 0: 1 for Sintel's `frame_0001.flo`.

        Raises BadInput where there is no flow or two files are of one frame.
        """
        path = Path(path)
        if (path / "flow.npz").is_file():
            path = path / "flow.npz"
        if path.is_file() and path.suffix.lower() == ".npz":
            flows = read_flow(path)
            if flows.uv.dim() != 4:
                raise BadInput(f"{path} should hold flows (N, H, W, 2), got {tuple(flows.uv.movedim(-3, -1).shape)}")
            frames = _frames_in(path, len(flows))
            return cls({int(frame) - first: k for k, frame in enumerate(frames)}, str(path), flows)
        if not path.is_dir():
            raise BadInput(f"there is no folder of flow, and no .npz, at {path}")
        files: dict[int, Path | int] = {}
        for file in sorted(path.iterdir()):
            number = _number(file)
            if number is None:
                continue
            if number - first in files:
                raise BadInput(f"{path} holds two flows of frame {number}: {files[number - first]} and {file.name}")
            files[number - first] = file
        if not files:
            raise BadInput(f"{path} holds no .flo, .png, .pfm or .npz whose name ends with a frame's number")
        return cls(files, str(path))

    def __call__(self, first: Chunk, second: Chunk) -> Flow:
        """Raises BadInput for frames without a file, pairs that do not follow each other, and flow of another size."""
        flows = []
        for a, b in zip(first.indices.tolist(), second.indices.tolist(), strict=True):
            # A frame between them that has a file is where this one's flow leads.
            if a not in self.files or b <= a or any(frame in self.files for frame in range(a + 1, b)):
                raise BadInput(f"{self.name} has no flow from frame {a} to frame {b}")
            found = self._read(self.files[a])
            size = first.images.shape[2], first.images.shape[1]
            if found.size != size:
                raise BadInput(f"the flow of frame {a} in {self.name} is of {found.size} px, the images of {size} px")
            flows.append(found)
        return Flow.stack(flows)

    def copy(self) -> Self:
        return self

    def _read(self, where: Path | int) -> Flow:
        if isinstance(where, Path):
            return read_flow(where)
        if self.several is None:
            raise BadInput(f"{self.name} holds no flows")
        return self.several[where]


def _frames_in(path: Path, count: int) -> Sequence[int]:
    frames = read_npz(path, ("frames",)).get("frames")
    if frames is None:
        return range(count)
    if frames.shape != (count,) or frames.dtype.kind not in "iu" or len(np.unique(frames)) != count:
        raise BadInput(f"{path}: `frames` should be {count} different whole numbers, got {frames.dtype} {frames.shape}")
    return frames.tolist()


def _number(file: Path) -> int | None:
    """The frame in a file's name, or None for files that are no flow."""
    if not is_flow_file(file) or file.name.startswith("."):
        return None
    kitti = re.fullmatch(r"(\d+)_1[01]", file.stem)
    found = kitti or re.search(r"(\d+)$", file.stem)
    return int(found[1]) if found else None


@dataclass(frozen=True)
class CheckedFlow:
    """An estimator's flow with `occluded`: where the flow back does not lead to where one came from.

    It asks twice, there and back, and so takes twice the time; where the estimator says itself, it is believed.
    """

    estimator: FlowEstimator

    def __call__(self, first: Chunk, second: Chunk) -> Flow:
        forth = self.estimator(first, second)
        if forth.occluded is not None:
            return forth
        back = self.estimator(second, first)
        with torch.no_grad():
            return replace(forth, occluded=forth.occlusion(back))

    def copy(self) -> Self:
        return replace(self, estimator=self.estimator.copy())


@dataclass(frozen=True)
class MeanFlow:
    """The mean of several estimators' flows (the paper's table 2); unknown where one of them is."""

    estimators: tuple[FlowEstimator, ...]

    def __post_init__(self) -> None:
        if not self.estimators:
            raise BadUsage("a mean of flows needs at least one estimator, got none")

    def __call__(self, first: Chunk, second: Chunk) -> Flow:
        flows = [estimator(first, second).filled(torch.nan) for estimator in self.estimators]
        # Where gradients are recorded, a network leaves its flow on its device; files are read to the CPU.
        where = next((flow.device for flow in flows if flow.device.type != "cpu"), torch.device("cpu"))
        uv = torch.stack([flow.to(where) for flow in flows]).mean(0)
        return Flow(uv)

    def copy(self) -> Self:
        return replace(self, estimators=tuple(estimator.copy() for estimator in self.estimators))


def make_flow(name: str, device: torch.device | str = "cpu", **policy: Any) -> FlowEstimator:
    """The estimator of that name: a folder or an .npz of flow, or weights of RAFT or GMA (see `NetworkFlow`).

    Several with commas between them are averaged. Raises MissingWeights where the weights are not at hand, with what
    to do about it, and BadUsage for weights of a network that gives no flow.
    """
    if "," in name:
        return MeanFlow(tuple(make_flow(each.strip(), device, **policy) for each in name.split(",")))
    path = Path(name)
    if path.is_dir() or (path.suffix == ".npz" and path.is_file()):
        return FileFlow.of(path)
    try:
        checkpoint = Checkpoint.load(find_weights(name))
        network = checkpoint.build()
    except WeightsError as error:
        hint = f"dyad weights pull {name}" if name in PUBLISHED else "dyad weights import FILE, such as raft-small.pth"
        names, others = ", ".join(FLOW_MODELS), ", ".join(PUBLISHED)
        raise MissingWeights(
            f"the flow network {name!r} cannot be had: {str(error).partition('; ')[0]}; bring it in with `{hint}` "
            f"(networks: {names}), or take one of those that `dyad weights pull` fetches: {others}"
        ) from error
    if not isinstance(network, RAFT):
        raise BadUsage(
            f"{name!r} are weights of {type(network).__name__}, which gives no flow; take those of a RAFT or GMA"
        )
    # Weights that were trained with few iterations get worse by more than they were judged with.
    policy.setdefault("iterations", checkpoint.about.get("iterations", ITERATIONS))
    return NetworkFlow(network, device=device, **policy)


def between_images(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> tuple[Chunk, Chunk]:
    """Two images (H, W, 3) as the one pair of a video. BadInput for images of two sizes."""
    if first.shape != second.shape:
        raise BadInput(
            f"flow leads between images of one size, got {first.shape[1]}x{first.shape[0]} and "
            f"{second.shape[1]}x{second.shape[0]} px"
        )
    both = Chunk(np.arange(2), np.arange(2.0), np.stack((first, second)), np.zeros(2, bool))
    return part(both, slice(0, 1)), part(both, slice(1, 2))
