import hashlib
from pathlib import Path

from dyad.models.weights import WeightsInfo
from dyad.stages import FLOW
from dyad.stages.weights_used import detector_weights, flow_weights, hashes, lifter_weights


def written(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_own_parts_read_what_comes_with_dyad(tmp_path: Path, monkeypatch) -> None:
    there = written(tmp_path / "pose.tflite", b"pose")
    facts = {"name": "blazepose", "sha256": "", "bytes": 4, "licence": "", "source": ""}
    entries = [
        WeightsInfo(**facts, file="pose.tflite", path=there, state="present"),
        WeightsInfo(**facts, file="lost.tflite", path=tmp_path / "lost.tflite", state="absent"),
    ]
    monkeypatch.setattr("dyad.stages.weights_used.list_weights", lambda: entries)
    assert detector_weights("blazepose") == {"pose.tflite": there}
    assert set(detector_weights("blazepose", thorough=True)) == {"pose.tflite", "person-heads.safetensors"}
    assert set(lifter_weights(None)) == {"lifting.safetensors"}
    assert lifter_weights("geometric") == lifter_weights(object()) == {}


def test_files_and_folders_that_were_named(tmp_path: Path) -> None:
    one, two = written(tmp_path / "a" / "net.onnx", b"1"), written(tmp_path / "b" / "net.onnx", b"2")
    assert detector_weights("onnx", (str(one), str(two))) == {"net.onnx": one, str(two): two}
    inside = written(tmp_path / "vitpose" / "model.safetensors", b"3")
    written(tmp_path / "vitpose" / "config.json", b"{}")
    assert detector_weights("transformers", (str(inside.parent), "nobody/nowhere")) == {
        "vitpose/model.safetensors": inside
    }
    assert detector_weights(object(), ()) == {}


def test_flow_by_names_files_and_what_is_no_network(tmp_path: Path) -> None:
    mine = written(tmp_path / "mine.safetensors", b"flow")
    assert set(flow_weights(f"{FLOW}, {mine}")) == {f"{FLOW}.safetensors", "mine.safetensors"}
    assert flow_weights(str(tmp_path)) == flow_weights("flow.npz") == flow_weights(object()) == {}


def test_hashes_are_of_the_content(tmp_path: Path) -> None:
    path = written(tmp_path / "mine", b"weights")
    assert hashes({"name": path}) == {"name": hashlib.sha256(b"weights").hexdigest()}
