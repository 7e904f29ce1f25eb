"""The loop: learns, stops when told, goes on as if it had not."""

import json
import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from dyad.core.errors import BadInput, BadUsage
from dyad.training import loop as loop_module
from dyad.training.loop import LOG, STATE, Batch, Diverged, Loop, Outcome
from dyad.training.recipes import Optimisation, Precision

CPU = torch.device("cpu")
TRUTH = torch.tensor([[1.0, -2.0, 0.5]])
HOW = Optimisation(steps=20, rate=0.1, warm_up=0.1, averaging=0.9)


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 1))


def batches(start: int) -> Iterator[Batch]:
    step = start
    while True:
        x = torch.randn(16, 3, generator=torch.Generator().manual_seed(step))
        yield {"x": x, "y": x @ TRUTH.T}
        step += 1


def loss(net: nn.Module, batch: Batch) -> dict[str, Tensor]:
    error = net(batch["x"]) - batch["y"]
    return {"loss": error.square().mean(), "off": error.abs().mean()}


def judge(net: nn.Module) -> dict[str, float]:
    net.eval()
    batch = next(batches(10**6))
    with torch.no_grad():
        return {"off": float(loss(net, batch)["off"])}


def loop(folder: Path, *, how: Optimisation = HOW, **changes) -> Loop:
    given = {"loss": loss, "batches": batches, "validate": judge, "identity": {"recipe": {"rate": how.rate}}}
    every = {"log_every": 3, "save_every": 7, "validate_every": 6}
    return Loop(network(), optimisation=how, folder=folder, device=CPU, seed=1, **(given | every | changes))


def stopping_after(steps: int, number: int = signal.SIGTERM):
    """Batches during one of which the process is told to stop."""

    def source(start: int) -> Iterator[Batch]:
        for i, batch in enumerate(batches(start)):
            if i == steps - 1:
                os.kill(os.getpid(), number)
            yield batch

    return source


def curve(folder: Path) -> list[dict]:
    lines = [json.loads(line) for line in (folder / LOG).read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Path, Outcome]:
    folder = tmp_path_factory.mktemp("whole")
    return folder, loop(folder)()


def test_it_learns_and_writes_down_how(whole: tuple[Path, Outcome]) -> None:
    folder, outcome = whole
    assert (outcome.step, outcome.stopped) == (20, None)
    lines = curve(folder)
    losses = {line["step"]: line["loss"] for line in lines if "loss" in line}
    assert list(losses) == [3, 6, 9, 12, 15, 18, 20]
    assert losses[20] < 0.5 * losses[3]
    assert [line["step"] for line in lines if "metrics" in line] == [6, 12, 18, 20]
    assert outcome.metrics == lines[-1]["metrics"]
    assert not outcome.network.training


@pytest.mark.parametrize("steps", [1, 4, 7, 19])
def test_stopped_and_taken_up_again_it_is_as_if_it_had_not_been(
    tmp_path: Path, whole: tuple[Path, Outcome], steps: int
) -> None:
    stopped = loop(tmp_path, batches=stopping_after(steps))()
    assert (stopped.step, stopped.stopped) == (steps, "SIGTERM")
    outcome = loop(tmp_path)()
    assert outcome.step == 20
    assert curve(tmp_path) == curve(whole[0])
    for ours, theirs in zip(outcome.network.parameters(), whole[1].network.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_after_a_kill_it_goes_on_from_the_last_state(tmp_path: Path, whole: tuple[Path, Outcome]) -> None:
    def broken(start: int) -> Iterator[Batch]:
        for i, batch in enumerate(batches(start)):
            if i == 10:
                raise OSError("the power is gone")
            yield batch

    with pytest.raises(OSError, match="power"):
        loop(tmp_path, batches=broken)()
    with (tmp_path / LOG).open("a") as file:
        file.write('{"step": 10, "lo')
    loop(tmp_path)()
    assert curve(tmp_path) == curve(whole[0])


def test_a_finished_one_does_nothing_more(whole: tuple[Path, Outcome]) -> None:
    def none(start: int) -> Iterator[Batch]:
        raise RuntimeError("nothing should be rendered")

    before = curve(whole[0])
    again = loop(whole[0], batches=none)()
    assert (again.step, again.metrics) == (20, whole[1].metrics)
    assert curve(whole[0]) == before


def test_it_stops_at_the_deadline(tmp_path: Path) -> None:
    outcome = loop(tmp_path)(deadline=time.monotonic() - 1)
    assert (outcome.step, outcome.stopped) == (0, "time")
    assert (tmp_path / STATE).is_file()
    assert loop(tmp_path)(deadline=time.monotonic() + 600).step == 20


def test_ctrl_c_stops_it_and_the_handlers_are_as_before(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert loop(tmp_path, batches=stopping_after(2, signal.SIGINT))().stopped == "SIGINT"
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_second_ctrl_c_does_not_wait(tmp_path: Path) -> None:
    def impatient(net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        return loss(net, batch)

    with pytest.raises(KeyboardInterrupt):
        loop(tmp_path, loss=impatient)()


def test_workers_that_end_with_the_training_are_no_failure(tmp_path: Path) -> None:
    def gone(start: int) -> Iterator[Batch]:
        yield next(batches(start))
        os.kill(os.getpid(), signal.SIGTERM)
        raise RuntimeError("a worker exited unexpectedly")

    assert (loop(tmp_path, batches=gone)().step, (tmp_path / STATE).is_file()) == (1, True)

    def failed(start: int) -> Iterator[Batch]:
        raise RuntimeError("a worker failed")
        yield {}

    with pytest.raises(RuntimeError, match="failed"):
        loop(tmp_path, batches=failed)()


def test_it_runs_beside_the_main_thread(tmp_path: Path) -> None:
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(loop(tmp_path)()))
    thread.start()
    thread.join()
    assert outcomes[0].step == 20


def test_another_training_in_the_folder_is_refused(tmp_path: Path) -> None:
    loop(tmp_path, batches=stopping_after(2))()
    with pytest.raises(BadUsage, match=r"recipe\.rate is 0\.1 there and 0\.2 here"):
        loop(tmp_path, identity={"recipe": {"rate": 0.2}})()


def test_a_damaged_state_is_refused(tmp_path: Path) -> None:
    (tmp_path / STATE).write_bytes(b"\x10" * 100)
    with pytest.raises(BadInput, match="remove it"):
        loop(tmp_path)()


def test_a_loss_that_is_no_number_ends_it(tmp_path: Path) -> None:
    def lost(net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        return {"loss": loss(net, batch)["loss"] * math.nan}

    with pytest.raises(Diverged, match="lower rate"):
        loop(tmp_path, loss=lost)()


def test_the_callers_random_numbers_stay(tmp_path: Path) -> None:
    ready = loop(tmp_path)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    ready()
    assert torch.equal(torch.rand(3), expected)


def test_gradients_are_clipped(tmp_path: Path) -> None:
    seen: list[float] = []

    def steep(net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        seen.append(math.sqrt(sum(float(p.grad.square().sum()) for p in net.parameters() if p.grad is not None)))
        return {"loss": 1e4 * loss(net, batch)["loss"]}

    loop(tmp_path, loss=steep)()
    assert max(seen) == pytest.approx(1.0, rel=1e-3)


def test_frozen_parts_stay_and_the_mean_lags_behind(tmp_path: Path) -> None:
    ready = loop(tmp_path)
    ready.network[0].requires_grad_(False)  # ty: ignore[not-subscriptable]
    net, before = ready.network, {n: v.clone() for n, v in ready.network.state_dict().items()}
    kept = Loop(
        net, loss=loss, batches=batches, optimisation=HOW, folder=tmp_path, identity={}, device=CPU, validate=None
    )
    outcome = kept()
    after = net.state_dict()
    assert torch.equal(after["0.weight"], before["0.weight"])
    assert not torch.equal(after["3.weight"], before["3.weight"])
    assert not torch.equal(outcome.network.state_dict()["3.weight"], after["3.weight"])


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_trains_too_and_goes_on_exactly(tmp_path: Path, precision: Precision) -> None:
    how = Optimisation(steps=40, rate=0.1, warm_up=0.1, precision=precision)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    loop(whole, how=how)()
    losses = [line["loss"] for line in curve(whole) if "loss" in line]
    assert losses[-1] < 0.5 * losses[0]
    # Early on the scale of float16's gradients is still being found: steps are left out, and must be on both sides.
    for steps in (2, 3):
        loop(parts, how=how, batches=stopping_after(steps))()
    loop(parts, how=how)()
    assert curve(parts) == curve(whole)


@pytest.mark.parametrize("kind", ["cuda", "cpu"])
def test_cudnn_stays_switched_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    cudnn = torch.backends.cudnn
    monkeypatch.setattr(loop_module, "_own_random_numbers", lambda _: nullcontext())
    training = loop(tmp_path)
    training.device = torch.device(kind)
    seen = []

    def train(_: object) -> None:
        seen.append((cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32))
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "_train", train)
    before = cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32
    with pytest.raises(KeyboardInterrupt):
        training()
    assert seen == [(True, kind == "cuda", *before[2:])]
    assert (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32) == before


def test_where_gradients_cannot_be_scaled_float16_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise NotImplementedError("The operator 'aten::_amp_foreach_non_finite_check_and_unscale_' is not implemented")

    monkeypatch.setattr(torch, "_amp_foreach_non_finite_check_and_unscale_", missing)
    with pytest.raises(BadUsage, match="cannot train in float16 on cpu; choose bfloat16"):
        loop(tmp_path, how=Optimisation(steps=1, precision="float16"))
    loop(tmp_path, how=Optimisation(steps=1, precision="bfloat16"))
