"""What the tests of the two-branch networks share: material whose weights are listed elsewhere, and their sizes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dyad.models.gcn import GCN_NAMINGS, JointBoneGCN
from dyad.models.namings import adopt
from dyad.models.tcn import TCN_NAMINGS, JointTCN, RootTCN

from .recipe import Fixture, state_of, weights_of


def material(parity: Path, name: str) -> Fixture:
    """A fixture without one state dict of its own."""
    meta = json.loads((parity / f"{name}.json").read_text(encoding="utf-8"))
    with np.load(parity / f"{name}.npz") as archive:
        return Fixture(meta, {entry: archive[entry] for entry in archive.files}, {})


def weights_of_part(parity: Path, meta: dict[str, Any], part: str) -> dict[str, Tensor]:
    """The weights of one of several networks that a fixture lists."""
    return weights_of(parity, {**meta, "state_dict": meta["state_dict"][part]})


def kernels(frames: int) -> tuple[int, ...]:
    """Threes whose product is the window."""
    threes: list[int] = []
    while frames > 1:
        assert frames % 3 == 0
        frames //= 3
        threes.append(3)
    return tuple(threes)


def gcn(parity: Path) -> tuple[Fixture, JointBoneGCN]:
    fixture = state_of(parity, "threed_gcn")
    network = JointBoneGCN(width=fixture.meta["constructor"]["outdim"])
    adopt(network, fixture.state, GCN_NAMINGS[0])
    return fixture, network.eval()


def joint_tcn(parity: Path, form: str = "dilated") -> tuple[Fixture, JointTCN]:
    fixture = state_of(parity, "threed_tcn")
    made = fixture.meta["constructor"]
    channels = fixture.state["c1.conv.weight"].shape[0]
    network = JointTCN(joints=made["num_kpts"], kernels=kernels(made["temp_length"]), channels=channels, form=form)
    adopt(network, fixture.state, TCN_NAMINGS[0])
    return fixture, network.eval()


def root_tcn(parity: Path, form: str = "dilated") -> tuple[Fixture, RootTCN]:
    fixture = state_of(parity, "threed_root_tcn")
    made = fixture.meta["constructor"]
    network = RootTCN(
        dimensions=made["input_dimension"],
        joints=made["num_kpts"],
        kernels=kernels(made["temp_length"]),
        channels=fixture.state["c1.conv.weight"].shape[0],
        form=form,
    )
    adopt(network, fixture.state, TCN_NAMINGS[0])
    return fixture, network.eval()


def thinned(value: Tensor, like: np.ndarray) -> Tensor:
    """Every n-th entry along each axis, where n follows from how many the fixture keeps."""
    for axis, kept in enumerate(like.shape):
        step = -(-value.shape[axis] // kept)
        value = value[(slice(None),) * axis + (slice(None, None, step),)]
    return value


def first_channels(value: Tensor, like: np.ndarray) -> Tensor:
    """As many channels as the fixture keeps, and every n-th pixel likewise."""
    return thinned(value[:, : like.shape[1]], like)


class Watch:
    """Keeps the last output of one module."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.output: Any = None
        module.register_forward_hook(self._note)

    def _note(self, module: torch.nn.Module, inputs: Any, output: Any) -> None:
        self.output = output
