"""The log as curves: for TensorBoard where it is installed, and nothing where it is not."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch

from dyad.training import curves
from dyad.training.loop import LOG, Loop

from . import together


def loop(folder: Path) -> Loop:
    every = {"log_every": 3, "save_every": 5, "validate_every": 6}
    here = {"folder": folder, "identity": {}, "device": torch.device("cpu"), "validate": together.judge}
    given = {"loss": together.loss, "batches": together.batches, "optimisation": together.HOW}
    return Loop(together.network(), **given, **here, **every)


def test_tensorboard_has_what_the_log_has(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the package tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    loop(tmp_path)()
    lines = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    events = EventAccumulator(str(tmp_path)).Reload()
    losses = {line["step"]: line["loss"] for line in lines if "loss" in line}
    assert {event.step: event.value for event in events.Scalars("loss")} == pytest.approx(losses)
    judged = {line["step"]: line["metrics"]["off"] for line in lines if "metrics" in line}
    assert {event.step: event.value for event in events.Scalars("metrics/off")} == pytest.approx(judged)
    assert len(judged) == 2


def test_without_it_there_is_the_log_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(curves, "find_spec", lambda name: None if name == "tensorboard" else there(name))
    loop(tmp_path)()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["log.jsonl", "state.safetensors"]
