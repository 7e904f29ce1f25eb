"""How well and how fast a network tells the flow between frames whose flow is known: any folder with truth."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dyad.bench.flow_pairs import FlowPair, find_pairs
from dyad.bench.plain import plain
from dyad.core.decoding import read_image
from dyad.core.errors import BadInput, BadUsage, MissingWeights
from dyad.core.flow import Flow
from dyad.core.flow_files import read_flow
from dyad.evaluation.flow import FlowSums
from dyad.models.checkpoints import Checkpoint, find_weights
from dyad.models.namings import adopt
from dyad.models.original import read_original
from dyad.models.padding import Padding
from dyad.models.raft import RAFT
from dyad.models.weights import WeightsError
from dyad.models.zoo import ZOO, make, recognise
from dyad.stages import FLOW
from dyad.stages.flow import ITERATIONS

_HOMES = ("dyad.models.raft:", "dyad.models.gma:")


def bench_flow(
    folder: str | Path,
    *,
    network: RAFT,
    iterations: int = ITERATIONS,
    device: torch.device | str = "cpu",
    progress: Callable[[str, int, int | None], None] = lambda *_: None,
) -> dict[str, Any]:
    """Run a network on every pair of a folder: `{"pairs": [{"name", "epe", "fl_all", "ms", …}], "mean": {…}}`.

    `epe` px is the mean over pixels of known flow, `fl_all` the percentage of them that are off by more than 3 px and
    5 %, `ms` the time the network took, images at hand. `mean` has the three as means over pairs. Raises BadInput
    where there is no pair, or one whose files disagree or are damaged.
    """
    pairs = find_pairs(folder)
    network = network.to(device).eval()
    rows: list[dict[str, Any]] = []
    for done, pair in enumerate(pairs):
        progress("pairs", done, len(pairs))
        first, second, truth = _read(pair)
        padding = Padding((first.shape[-1], first.shape[-2]), mode=pair.padding)
        first, second = (padding.pad(image.to(device)) for image in (first, second))
        if not rows:
            # The first call of all prepares what later ones find ready.
            _timed(network, first, second, 1)
        flow, seconds = _timed(network, first, second, iterations)
        scores = FlowSums.of_pixels(truth, Flow(padding.crop(flow)[0].cpu())).scores()
        rows.append(
            {
                "name": pair.name,
                "epe": scores.epe,
                "fl_all": scores.fl_all,
                "ms": 1000 * seconds,
                "width": truth.size[0],
                "height": truth.size[1],
                "pixels": scores.pixels,
            }
        )
    progress("pairs", len(pairs), len(pairs))
    mean = {key: sum(row[key] for row in rows) / len(rows) for key in ("epe", "fl_all", "ms")}
    return plain({"pairs": rows, "mean": mean, "iterations": iterations})


def load_flow_network(model: str | None, weights: str | Path | None = None) -> RAFT:
    """A flow network with weights: those imported under the name `model`, or those of a file.

    `weights` is a checkpoint of Dyad's or an original one (.pth); with both, `model` says which network the file is of,
    and with neither it is the network that comes with Dyad.
    Raises MissingWeights where there are none or they do not fit, BadUsage where they are of no flow network.
    """
    return load_with_iterations(model, weights)[0]


def load_with_iterations(model: str | None, weights: str | Path | None = None) -> tuple[RAFT, int]:
    """The same, and how often it updates its flow unless asked otherwise: what `make_flow` takes for these weights."""
    names = [name for name, entry in ZOO.items() if entry.home.startswith(_HOMES)]
    try:
        if weights is not None:
            network, about = _from_file(Path(weights), model, names)
        else:
            checkpoint = Checkpoint.load(find_weights(model or FLOW))
            network, about = checkpoint.build(), checkpoint.about
    except WeightsError as error:
        raise MissingWeights(str(error)) from error
    if not isinstance(network, RAFT):
        raise BadUsage(f"{model or weights} is no flow network; there are {', '.join(names)}")
    return network, about.get("iterations", ITERATIONS)


def _from_file(path: Path, model: str | None, names: list[str]) -> tuple[Any, Mapping[str, Any]]:
    """The network, and what else is known of its weights."""
    if path.suffix == ".safetensors":
        try:
            checkpoint = Checkpoint.load(path)
            return checkpoint.build(), checkpoint.about
        except WeightsError:
            # Others use this format, too: if it is not theirs either, that is what is said.
            if not path.is_file():
                raise
    if model is not None and model not in names:
        raise BadUsage(f"there is no flow network {model!r}; there are {', '.join(names)}")
    state = read_original(path)[0]
    name, naming = recognise(state, among=names.__contains__ if model is None else model.__eq__)
    network = make(name)
    adopt(network, state, naming)
    return network, {}


def _read(pair: FlowPair) -> tuple[Tensor, Tensor, Flow]:
    """Two images (1, 3, H, W), 0..1, and the flow between them."""
    first, second = (
        torch.from_numpy(read_image(path)).permute(2, 0, 1)[None].float() / 255 for path in (pair.first, pair.second)
    )
    truth = read_flow(pair.truth)
    for what, size in ((pair.second, second.shape[-1:-3:-1]), (pair.truth, truth.size)):
        if tuple(size) != tuple(first.shape[-1:-3:-1]):
            raise BadInput(
                f"{what} is {size[0]}x{size[1]} px, but {pair.first.name} is {first.shape[-1]}x{first.shape[-2]}"
            )
    return first, second, truth


@torch.no_grad()
def _timed(network: RAFT, first: Tensor, second: Tensor, iterations: int) -> tuple[Tensor, float]:
    """The flow, and the seconds it took."""
    _wait_for(first.device)
    start = time.perf_counter()
    flow = network(first, second, iterations=iterations).flow
    _wait_for(first.device)
    return flow, time.perf_counter() - start


def _wait_for(device: torch.device) -> None:
    if device.type in ("cuda", "mps"):
        getattr(torch, device.type).synchronize()
