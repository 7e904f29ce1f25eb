"""Real people: both systems' poses are refined in the clip's pixels and judged in the annotated image's."""

import json

import numpy as np
import pytest
import torch

from dyad.bench.refine_mupots import METRICS, bench_refine_mupots, in_clip
from dyad.bench.refine_text import text
from dyad.bench.stored import find_stored
from dyad.core.errors import BadInput
from dyad.core.flow import Flow
from dyad.core.flow_files import write_flow
from dyad.core.skeleton import BODY17, MUPOTS17
from dyad.core.video import Video
from dyad.datasets.mupots import read_mupots
from dyad.estimates.sheet import Advice
from tests.bench.refining import Outcome
from tests.bench.test_mupots import Cheat, sequence
from tests.bench.test_refine_cases import Still
from tests.conftest import Dyad


class Right:
    """A refiner that shifts everybody by what the cheat's poses are off."""

    def __init__(self) -> None:
        self.seen = []
        self.advised = []

    def __call__(self, video, tracks, estimator, *, advice=None) -> Outcome:
        self.seen.append((video.size, tracks))
        self.advised.append(advice)
        flows = [Flow(torch.zeros(2, *video.size[::-1])) for _ in range(len(video) - 1)]
        return Outcome(tracks.with_(xyz=tracks.xyz - torch.tensor((0, 0, 0.16))), flows, flows, {})


@pytest.fixture
def folder(tmp_path):
    """Two sequences; the published poses of the first are the truth 16 cm too far away."""
    for name in ("TS01", "TS12"):
        sequence(tmp_path, name, frames=4)
    path = tmp_path / "TS01.npz"
    arrays = dict(np.load(path))
    xyz, xy = arrays["gt_xyz_mm"] / 1000, arrays["gt_xy"]
    body = MUPOTS17.convert(torch.from_numpy(xy), BODY17).numpy()
    root = xyz[:, :, [MUPOTS17.index("pelvis")]]
    np.savez(path, **arrays, integrated_rel_m=xyz - root, est_xy=body, est_confidence=np.full(body.shape[:3], 0.07))
    return tmp_path


def test_both_systems_are_refined_and_judged(folder) -> None:
    refine = Right()
    own = Advice(note="lifted from the very 2D joints")
    report = bench_refine_mupots(folder, refine, Still(), run=Cheat(shift=(0, 0, 0.16)), own=own)
    # The published poses of the first clip, then each clip's own.
    assert refine.advised == [None, own, own]
    assert list(report["estimates"]) == ["published", "dyad run"]
    found = report["estimates"]["dyad run"]
    assert list(found["clips"]) == ["TS01", "TS12", "mean"]
    assert list(report["estimates"]["published"]["clips"]) == ["TS01", "mean"]
    mean = found["clips"]["mean"]
    assert (mean["before"]["pck_abs"], mean["after"]["pck_abs"]) == (0, 100)
    assert mean["before"]["pck"] == 100
    assert mean["before"]["jitter_m_s3"] == pytest.approx(mean["before"]["jitter_true_m_s3"], abs=0.02)
    changed = found["changes"]["pck_abs"]
    assert (changed["improved"], changed["worsened"], changed["clips"]) == (1, 0, 2)
    assert found["changes"]["jitter_m_s3"]["worsened"] <= 1
    assert all(size == (374, 210) for size, _ in refine.seen)
    assert set(METRICS) == set(mean["before"])
    said = text(report)
    assert said.index("published") < said.index("dyad run")
    block = said.partition("dyad run, mean of 2 clips\n")[2]
    row = next(line for line in block.splitlines() if line.startswith("mpjpe_mm"))
    low, high = (found["changes"]["mpjpe_mm"]["relative"][end] for end in ("low", "high"))
    assert f"{100 * low:+.1f} % … {100 * high:+.1f} %" in row
    (only,) = bench_refine_mupots(folder, refine, Still(), run=None)["estimates"]
    assert only == "published"


def test_the_first_frames_alone(folder) -> None:
    refine, asked = Right(), []

    def cheat(path, *, camera, frames):
        asked.append(frames)
        return Cheat(shift=(0, 0, 0.16))(path, camera=camera)

    report = bench_refine_mupots(folder, refine, Still(), run=cheat, frames=3)
    assert asked == [slice(0, 3)] * 2
    assert [tracks.frames.tolist() for _, tracks in refine.seen] == [[0, 1, 2]] * 3
    # Were the truth's last frame still asked for, nobody would be found in it.
    assert report["estimates"]["dyad run"]["clips"]["mean"]["after"]["pck_abs"] == 100


def test_published_poses_are_brought_into_the_clip(folder) -> None:
    stored = find_stored(folder)[0]
    made = read_mupots(stored.path)
    video = Video(made.clip)
    video = Video(made.clip, camera=made.clip_camera(video.size))
    tracks = in_clip(stored.tracks("integrated_rel_m"), made, video)
    assert tracks.camera.size == (374, 210)
    known = tracks.xy.isfinite().all(-1)
    seen = tracks.reproject()
    assert torch.linalg.vector_norm(tracks.xy - seen, dim=-1)[known].max() < 0.5
    assert tracks.confidence[known].min() == pytest.approx(1)


def test_a_folder_without_poses_is_refused(tmp_path) -> None:
    sequence(tmp_path, "TS01")
    with pytest.raises(BadInput, match="no MuPoTS clip to refine"):
        bench_refine_mupots(tmp_path, Right(), Still(), run=None)


def test_the_verb_refines_what_is_stored_with_flow_from_a_file(folder, tmp_path, dyad: Dyad) -> None:
    flow = tmp_path / "still.npz"
    write_flow(flow, Flow(torch.zeros(3, 2, 210, 374)))
    for name in ("TS12.npz", "TS12_374px.mp4"):
        (folder / name).unlink()
    told = ("bench", "refine", "--mupots", folder, "--stored-only", "--flow", flow)
    ended = dyad(*told, "--json")
    assert ended.status == 0
    rows = json.loads(ended.out.splitlines()[-1])["estimates"]["published"]["clips"]["TS01"]
    assert rows["before"]["pck"] == 100
    assert rows["after"]["pck"] > 90


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--mupots", "x", "--table", "1"], "benches of their own"),
        (["--predictions", "x"], "add --data"),
        (["--data", "x", "--tuning"], "takes the place"),
        (["--stored-only"], "about --mupots"),
        (["--plot", "x.svg"], "figure6"),
        (["--table", "figure6", "--plot", "x.png"], "SVG"),
        (["--clips", "0"], "--clips takes"),
        (["--frames", "2"], "--frames takes"),
        (["--table", "2", "--flow", "raft-small"], "--flow A,B"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, said, dyad: Dyad) -> None:
    ended = dyad("bench", "refine", *options)
    assert ended.status == 2
    assert said in ended.complaint
