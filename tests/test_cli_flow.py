"""`dyad flow` as a script meets it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dyad.core.flow import Flow
from dyad.core.flow_files import read_flow, write_flow
from dyad.core.video import Video
from dyad.export.flow_video import write_flow_image
from dyad.export.video import clip_writer
from dyad.models.checkpoints import Checkpoint
from dyad.models.raft import raft_small
from dyad.stages.flow import FileFlow
from tests.conftest import Dyad

SIZE = (72, 64)


def truth(t: int) -> Tensor:
    return torch.stack((torch.full((64, 72), t + 1.0), torch.full((64, 72), -0.5)))


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """Five frames of 72x64 px and, in `flo`, their flow."""
    folder = tmp_path_factory.mktemp("clip")
    rng = np.random.default_rng(0)
    image = np.kron(rng.integers(60, 200, (8, 9, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    with clip_writer(folder / "clip.mp4", quality=5) as writer:
        for t in range(5):
            writer.write(np.roll(image, t, 1), t / 25)
    for t in range(4):
        write_flow(folder / "flo" / f"{t}.flo", Flow(truth(t)))
    for name, shift in (("a", 0), ("b", 3)):
        # No flow, but an image like any other: the colours of one.
        uv = torch.from_numpy(np.roll(image, shift, 1)[..., :2].astype(np.float32)).movedim(-1, 0)
        write_flow_image(folder / f"{name}.png", Flow(uv), full=300.0, legend=False)
    return folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYAD_CACHE", str(tmp_path / "cache"))


def test_a_video_gives_a_file_a_frame_and_a_film(clip: Path, tmp_path: Path, dyad: Dyad) -> None:
    out = tmp_path / "out"
    ended = dyad("flow", clip / "clip.mp4", "-o", out, "--model", clip / "flo", "--frames", "1:5", "--json")
    assert (ended.status, ended.err) == (0, "")
    facts = json.loads(ended.out.splitlines()[-1])
    assert (facts["pairs"], facts["scale_px"]) == (3, 5.0)
    assert facts["largest_px"] == pytest.approx(np.hypot(4, 0.5))
    assert sorted(path.name for path in out.iterdir()) == ["000001.flo", "000002.flo", "000003.flo", "flow.mp4"]
    assert torch.equal(read_flow(out / "000002.flo").uv, truth(2))
    assert len(Video(out / "flow.mp4")) == 3
    # What was written can be read as an estimator.
    assert sorted(FileFlow.of(out).files) == [1, 2, 3]


def test_one_archive_without_a_film(clip: Path, tmp_path: Path, dyad: Dyad) -> None:
    ended = dyad(
        "flow", clip / "clip.mp4", "-o", tmp_path / "out", "--model", clip / "flo", "--to", "npz", "--no-colours"
    )
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("4 flows in ")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["flow.npz"]
    assert torch.equal(read_flow(tmp_path / "out" / "flow.npz").uv, torch.stack([truth(t) for t in range(4)]))


def test_two_images(clip: Path, tmp_path: Path, dyad: Dyad) -> None:
    ended = dyad("flow", clip / "a.png", clip / "b.png", "-o", tmp_path / "out", "--model", clip / "flo", "--to", "png")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("1 flow in ")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["000000.png", "flow.png"]
    assert torch.equal(read_flow(tmp_path / "out" / "000000.png").uv, truth(0))
    assert Video(tmp_path / "out" / "flow.png").size == SIZE


def test_a_network_by_name_and_backwards(clip: Path, tmp_path: Path, dyad: Dyad) -> None:
    weights = tmp_path / "some.safetensors"
    Checkpoint.of(raft_small(), "raft-small").save(weights)
    words = ("flow", clip / "a.png", clip / "b.png", "-o", tmp_path / "out", "--model", weights, "--iterations", 2)
    assert dyad(*words, "--occlusion", "--to", "npz", "--device", "cpu").status == 0
    read = read_flow(tmp_path / "out" / "flow.npz")
    assert read.uv.shape == (1, 2, 64, 72)
    assert read.occluded is not None


def test_what_is_wrong_is_said_in_one_line(clip: Path, tmp_path: Path, dyad: Dyad) -> None:
    out = ("-o", tmp_path / "out")
    missing = dyad("flow", clip / "clip.mp4", *out, "--model", "raft-small")
    assert missing.status == 4
    assert "dyad weights import" in missing.complaint
    assert "dyad weights pull" in missing.complaint
    files = ("--model", clip / "flo")
    for words, status, says in (
        ((clip / "none.mp4", *files), 3, "none.mp4"),
        ((clip / "a.png", *files), 3, "no two in one shot"),
        ((clip / "clip.mp4", *files, "--scale", "-1"), 2, "--scale"),
        ((clip / "clip.mp4", *files, "--occlusion"), 2, "--to npz"),
        ((clip / "clip.mp4", *files, "--every", "2"), 3, "no flow from frame 0 to frame 2"),
    ):
        ended = dyad("flow", *words, *out)
        assert (ended.status, says in ended.complaint) == (status, True)
    assert not (tmp_path / "out").exists()
