from pathlib import Path

import pytest
import torch

from dyad.bench.people_detectors import heads_alone, people_detectors
from dyad.core.errors import BadUsage, MissingWeights
from dyad.models.blazepose import BlazePoseDetector
from dyad.models.blazepose_heads import BlazePoseFinder, SideBySide, plain_network
from dyad.models.checkpoints import Checkpoint
from dyad.stages.bottomup import BottomUp
from dyad.stages.detection import BlazePose

CPU = torch.device("cpu")


def network(detector: object) -> torch.nn.Module:
    assert isinstance(detector, BlazePose)
    return detector.propose.network


def test_with_heads_and_without(blazepose_folder: Path) -> None:
    found = people_detectors(CPU)
    assert list(found) == ["BlazePose", "with heads", "thorough"]
    kinds = [BlazePoseDetector, BlazePoseFinder, BlazePoseFinder]
    assert [type(network(one)) for one in found.values()] == kinds


def test_heads_with_features_of_their_own(blazepose_folder: Path, tmp_path: Path) -> None:
    plain = plain_network(width=16)
    Checkpoint("person-network", plain.state_dict(), {"width": 16}, {}).save(tmp_path / "plain.safetensors")
    found = people_detectors(CPU, str(tmp_path / "plain.safetensors"))
    assert list(found) == ["BlazePose", "with heads", "thorough", "heads alone"]
    assert isinstance(network(found["with heads"]), SideBySide)
    assert isinstance(found["heads alone"], BottomUp)


def test_other_weights_are_refused(blazepose_folder: Path) -> None:
    with pytest.raises(BadUsage, match="person-heads"):
        heads_alone("raft-small-people", CPU)
    with pytest.raises(BadUsage, match="person-heads"):
        people_detectors(CPU, "raft-small-people")
    with pytest.raises(MissingWeights):
        heads_alone("nowhere", CPU)
