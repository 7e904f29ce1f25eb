"""Parameters, time and memory of each network at stated sizes, forward alone and forward with backward."""

import importlib.util
import json
import logging
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dyad.bench.machine import machine
from dyad.bench.model_sizes import size_of
from dyad.core.errors import BadUsage
from dyad.models.zoo import ZOO, make

logger = logging.getLogger(__name__)

# A process of its own for each network and direction: what one took says nothing about the next.
_ONE = """
import json, sys
from dyad.bench.models import measured
print(json.dumps(measured(**json.loads(sys.argv[1]))))
"""


def bench_models(
    names: Sequence[str] = (),
    *,
    repeats: int = 5,
    device: str = "cpu",
    threads: int | None = None,
    progress: Callable[[str, int, int | None], None] = lambda stage, done, total: None,
) -> dict[str, Any]:
    """Measure networks of the zoo, all without `names`, each in fresh processes with random weights.

    Returns `{"machine": …, "networks": {name: {"parameters": …, "shapes": …, "forward": …, "backward": …}}}`, where
    each direction has `ms` (median of `repeats` after one to warm up; backward includes its forward) and `peak_mb`:
    memory beyond that of the process before the network is made, null where the system does not tell. A direction that
    fails has `error` instead. Raises BadUsage for unknown names.
    """
    if repeats < 1:
        raise BadUsage(f"networks are timed at least once, got repeats={repeats}")
    unknown = [name for name in names if name not in ZOO]
    if unknown:
        raise BadUsage(f"there are no networks {', '.join(unknown)}; there are {', '.join(ZOO)}")
    wanted = list(names) or list(ZOO)
    sizes = {name: size_of(name) for name in wanted}
    networks: dict[str, Any] = {}
    for done, name in enumerate(wanted):
        progress("networks", done, len(wanted))
        with torch.device("meta"):
            parameters = sum(p.numel() for p in make(name).parameters())
        shapes = [list(shape) for shape in (*sizes[name].shapes, *sizes[name].named.values())]
        given = {"name": name, "repeats": repeats, "device": device, "threads": threads or torch.get_num_threads()}
        directions = {d: _in_a_process({**given, "backward": d == "backward"}) for d in ("forward", "backward")}
        networks[name] = {"parameters": parameters, "shapes": shapes, **directions}
    progress("networks", len(wanted), len(wanted))
    return {"machine": machine(torch.device(device)), "repeats": repeats, "networks": networks}


def _in_a_process(given: dict[str, Any]) -> dict[str, Any]:
    command = [sys.executable, "-c", _ONE, json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        error = (done.stderr.strip().splitlines() or [f"the process ended with {done.returncode}"])[-1]
        logger.warning("%s could not be measured: %s", given["name"], error)
        return {"error": error[:200]}
    return json.loads(done.stdout.splitlines()[-1])


def measured(*, name: str, backward: bool, repeats: int, device: str, threads: int) -> dict[str, Any]:
    """Time and memory of one network in this process, in eval mode; memory needs a process that is fresh."""
    torch.set_num_threads(threads)
    place = torch.device(device)
    size = size_of(name)
    before = _peak_bytes(place)
    torch.manual_seed(0)
    network = make(name).to(place).eval()
    inputs, named = size.inputs(place)
    seconds = []
    for _ in range(repeats + 1):
        network.zero_grad()
        _wait(place)
        start = time.perf_counter()
        with torch.set_grad_enabled(backward):
            out = network(*inputs, **named)
        if backward:
            torch.stack([t.float().mean() for t in _tensors(out) if t.requires_grad]).sum().backward()
        _wait(place)
        seconds.append(time.perf_counter() - start)
        del out
    after = _peak_bytes(place)
    mb = None if before is None or after is None else round((after - before) / 1e6, 1)
    return {"ms": round(1000 * statistics.median(seconds[1:]), 2), "peak_mb": mb}


def table(scores: dict[str, Any]) -> str:
    """The result of `bench_models` for people to read."""
    head = ("network", "inputs", "parameters", "forward ms", "MB", "+ backward ms", "MB")
    rows = [head]
    for name, found in scores["networks"].items():
        cells = [found[d].get(k) for d in ("forward", "backward") for k in ("ms", "peak_mb")]
        shapes = " ".join("x".join(map(str, shape)) for shape in found["shapes"])
        rows.append((name, shapes, f"{found['parameters']:,}", *("-" if c is None else f"{c:,}" for c in cells)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    line = "  ".join(f"{{:{'<' if column < 2 else '>'}{width}}}" for column, width in enumerate(widths))
    return "\n".join(line.format(*row).rstrip() for row in rows)


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _tensors(part)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _peak_bytes(device: torch.device) -> int | None:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if device.type != "cpu":
        return None
    status = Path("/proc/self/status")
    if status.is_file():
        # Linux's ru_maxrss begins with that of the process which started this one.
        found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text(encoding="ascii", errors="replace"))
        return int(found[1]) * 1024 if found else None
    if importlib.util.find_spec("resource") is None:
        return None
    import resource

    # In bytes on macOS, in KiB elsewhere.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
