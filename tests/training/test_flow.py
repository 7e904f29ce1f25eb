"""Training flow: the loss, the judge, a tiny training from end to end, and what it needs."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from dyad.core.errors import BadUsage
from dyad.models.checkpoints import Checkpoint
from dyad.models.raft import raft_small
from dyad.synthetic.samples import Sample
from dyad.training import flow as training
from dyad.training.flow import (
    NETWORK,
    WEIGHTS,
    Judge,
    SequenceLoss,
    flow_recipe,
    main,
    people_of,
    score,
    train_flow,
)
from dyad.training.loop import LOG, STATE
from dyad.training.program import command_of, halved
from dyad.training.recipes import FLOW
from dyad.training.state import State
from dyad.training.worlds import held_out
from tests.training.tiny import TINY

SOURCE = Path(__file__).resolve().parents[2] / "src"


class Found(NamedTuple):
    flow: Tensor
    every: tuple[Tensor, ...]


class Says(nn.Module):
    """Flow that is off by so many px along x, iteration by iteration."""

    def __init__(self, *off: float) -> None:
        super().__init__()
        self.off = off

    def forward(self, first: Tensor, second: Tensor, *, iterations: int, every: bool = False) -> Found:
        flows = tuple(torch.zeros(len(first), 2, *first.shape[-2:]) for _ in self.off)
        for flow, off in zip(flows, self.off, strict=True):
            flow[:, 0] += off
        return Found(flows[-1], flows)


def batch(**changes: Tensor) -> dict[str, Tensor]:
    given = {
        "images": torch.zeros(2, 2, 3, 8, 8, dtype=torch.uint8),
        "flow": torch.zeros(2, 2, 8, 8),
        "known": torch.ones(2, 8, 8, dtype=torch.bool),
        "people": torch.zeros(2, 8, 8, dtype=torch.bool),
    }
    return given | changes


@pytest.fixture(scope="module")
def kept() -> list[Sample]:
    return held_out(TINY, workers=0)


def test_later_iterations_weigh_more() -> None:
    told = SequenceLoss(TINY)(Says(3.0, 1.0), batch())
    # The mean of |x| and |y|, 0.8 times for the earlier one.
    assert float(told["loss"]) == pytest.approx(0.8 * 1.5 + 0.5)
    assert float(told["epe"]) == pytest.approx(1.0)


def test_unknown_and_very_long_motion_does_not_count() -> None:
    known, truth = torch.ones(2, 8, 8, dtype=torch.bool), torch.zeros(2, 2, 8, 8)
    known[:, :, :4] = False
    truth[:, :, :, :4] = 77
    truth[:, :, 0] = 1000
    told = SequenceLoss(TINY)(Says(1.0), batch(known=known, flow=truth))
    assert float(told["loss"]) == pytest.approx(0.5)


def test_people_weigh_as_is_said() -> None:
    people, truth = torch.zeros(2, 8, 8, dtype=torch.bool), torch.zeros(2, 2, 8, 8)
    people[:, :2] = True
    truth[:, 0, 2:] = 1
    # Off by 1 on people only, a quarter of the pixels, each counted three times.
    told = SequenceLoss(TINY.with_(people=3.0))(Says(1.0), batch(people=people, flow=truth))
    assert float(told["loss"]) == pytest.approx(0.5 * 3 * 0.25 / (3 * 0.25 + 0.75))
    assert (float(told["epe"]), float(told["still"])) == pytest.approx((0.25, 0.75))


def test_nothing_known_costs_nothing() -> None:
    told = SequenceLoss(TINY)(Says(1.0), batch(known=torch.zeros(2, 8, 8, dtype=torch.bool)))
    assert float(told["loss"]) == 0.0


def test_the_true_flow_has_no_error_and_leads_joints_home(kept: list[Sample]) -> None:
    truth = score(kept, [sample["flow"] for sample in kept])
    assert truth["epe"] == truth["epe_people"] == 0
    assert truth["joints"] > 5
    # Joints lie inside bodies, the flow is that of the skin.
    still = Judge(TINY, device=torch.device("cpu")).still
    assert truth["epe_joints"] < still["epe_joints"]
    assert still["epe"] > 0


def test_people_of_a_sample_are_those_present(kept: list[Sample]) -> None:
    for sample in kept:
        tracks = people_of(sample)
        assert len(tracks) == int(sample["present"].sum())
        assert tracks.frames.tolist() == [0, 1]
        for row, (frame, person) in enumerate(zip(tracks.frame, tracks.person, strict=True)):
            assert torch.equal(tracks.xy[row], sample["xy"][frame, person])


def test_a_training_from_end_to_end_stopped_in_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    policy = {"device": "cpu", "workers": 0, "log_every": 1, "save_every": 1, "validate_every": 2}
    done = train_flow(whole, TINY, **policy)
    assert (done.step, done.stopped, done.metrics["step"]) == (4, None, 4)

    first = train_flow(parts, TINY, **policy, minutes=0)
    assert (first.step, first.stopped, first.metrics) == (0, "time", {})
    learn, steps = training.Loop._learn, []

    def learn_twice(self: training.Loop, batch: dict) -> None:
        learn(self, batch)
        steps.append(1)
        if len(steps) == 2:
            os.kill(os.getpid(), 15)

    monkeypatch.setattr(training.Loop, "_learn", learn_twice)
    assert train_flow(parts, TINY, **policy).step == 2
    monkeypatch.undo()
    train_flow(parts, TINY, **policy)

    lines = [[json.loads(line) for line in (f / LOG).read_text().splitlines()] for f in (whole, parts)]
    assert [{**line, "seconds": 0} for line in lines[0]] == [{**line, "seconds": 0} for line in lines[1]]

    with safe_open(whole / WEIGHTS, "pt") as one, safe_open(parts / WEIGHTS, "pt") as other:
        assert all(torch.equal(one.get_tensor(name), other.get_tensor(name)) for name in one.keys())  # noqa: SIM118
        header = json.loads(one.metadata()["dyad"])
        network = raft_small()
        network.load_state_dict({name: one.get_tensor(name) for name in one.keys()})  # noqa: SIM118
    assert header["network"] == "raft-small"
    assert header["about"]["recipe"] == TINY.to_json()
    assert header["about"]["metrics"] == dict(done.metrics)
    assert header["about"]["hardware"]["cores"] >= 1
    assert [point["step"] for point in header["about"]["curve"]] == [2, 4]
    assert (whole / WEIGHTS).stat().st_size < 4e6
    # What the card says is what the file is worth.
    again = Judge(TINY, device=torch.device("cpu"))(network)
    assert again == {name: value for name, value in done.metrics.items() if name != "step"}


def test_a_signal_to_the_whole_group_stops_it_with_its_state(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "from dyad.training.flow import train_flow\n"
        "from tests.training.tiny import TINY\n"
        f"done = train_flow(Path({str(tmp_path)!r}), TINY.with_(steps=5000), device='cpu', workers=1, log_every=1)\n"
        "raise SystemExit(0 if done.stopped == 'SIGTERM' else 1)\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{SOURCE}{os.pathsep}{SOURCE.parent}"}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, env=environment, start_new_session=True, stderr=subprocess.PIPE, text=True) as run:
        until = time.monotonic() + 120
        while not (tmp_path / LOG).is_file() and run.poll() is None and time.monotonic() < until:
            time.sleep(0.1)
        os.killpg(run.pid, signal.SIGTERM)
        said = run.communicate(timeout=60)[1]
    assert run.returncode == 0, said
    assert State.load(tmp_path / STATE).step >= 1
    assert (tmp_path / WEIGHTS).is_file()


def test_a_preset_with_changes(tmp_path: Path) -> None:
    recipe = flow_recipe("gpu", steps=5, seed=None, backgrounds=tmp_path)
    assert recipe.optimisation.steps == 5
    assert recipe.seed == FLOW["gpu"].seed
    assert {world.scenes.backgrounds for world in recipe.worlds} == {tmp_path}
    with pytest.raises(BadUsage, match="presets are cpu, laptop, laptop-further, gpu"):
        flow_recipe("tpu")


def test_the_card_holds_a_command_that_asks_for_the_same() -> None:
    words = command_of("flow", "gpu", steps=7, rate=None, backgrounds=Path("some pictures"))
    assert words == "dyad train flow --preset gpu --steps 7 --backgrounds 'some pictures'"


def test_the_plain_command_ends_with_a_status(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert main(["-o", str(tmp_path), "--seed", str(2**31)]) == 2
    assert "held out" in caplog.text
    assert main(["-o", str(tmp_path), "--device", "nowhere"]) == 2
    assert main(["-o", str(tmp_path), "--minutes", "0", "--workers", "0", "--device", "cpu"]) == 0
    assert (tmp_path / WEIGHTS).is_file()


@pytest.mark.parametrize("name", ["flow", "lifting", "integration", "discriminator", "bottomup", "unlabelled_lifting"])
def test_programs_need_neither_video_nor_terminal_packages(name: str) -> None:
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in {'av', 'rich', 'cyclopts'}:\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        f"import dyad.training.{name}\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_it_begins_with_the_weights_that_it_is_given(tmp_path: Path) -> None:
    torch.manual_seed(7)
    network = raft_small()
    Checkpoint(NETWORK, halved(network)).save(tmp_path / "before.safetensors")
    still = TINY.with_(steps=1, rate=1e-12, weight_decay=0.0)
    train_flow(tmp_path / "on", still, device="cpu", start=tmp_path / "before.safetensors", workers=0)
    after = Checkpoint.load(tmp_path / "on" / WEIGHTS).tensors
    for name, value in halved(network).items():
        assert torch.equal(after[name], value), name


def test_it_does_not_begin_with_the_weights_of_another_network(tmp_path: Path) -> None:
    Checkpoint("raft-basic", halved(raft_small())).save(tmp_path / "other.safetensors")
    with pytest.raises(BadUsage, match=r"raft-small to begin with.*raft-basic"):
        train_flow(tmp_path / "on", TINY, device="cpu", start=tmp_path / "other.safetensors", workers=0)
