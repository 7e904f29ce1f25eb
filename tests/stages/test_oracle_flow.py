"""The flow oracle tells the true flow between the frames it is asked about, and errs by seed and frame alone."""

import numpy as np
import pytest
import torch

from dyad.core.clip import Clip
from dyad.core.errors import BadInput, BadUsage
from dyad.core.flow import Flow
from dyad.core.pairs import pairs, part
from dyad.core.protocols import FlowEstimator
from dyad.core.video import Chunk, Video
from dyad.evaluation.flow import FlowSums, flow_sums
from dyad.stages.oracle_flow import FlowNoise, OracleFlow

W, H = 160, 120
QUIET = FlowNoise(error=0.0, motion=0.0, outliers=0.0)


def frames(*indices: int, size=(W, H)) -> Chunk:
    n = len(indices)
    return Chunk(
        np.array(indices), np.array(indices) / 30, np.zeros((n, size[1], size[0], 3), np.uint8), np.zeros(n, bool)
    )


def flows(count: int) -> list[Flow]:
    return [Flow(torch.stack((torch.full((H, W), float(t)), torch.full((H, W), -2.0 * t)))) for t in range(count)]


def test_without_noise_it_scores_perfectly_in_any_chunks():
    video = Video(np.random.default_rng(0).integers(0, 255, (7, H, W, 3)).astype(np.uint8), frames=slice(1, 7))
    clip = Clip(video, None, flow=flows(5))
    oracle: FlowEstimator = OracleFlow.of(clip)
    for n in (1, 2, 100):
        found = [flow for first, second in pairs(video, n, across_cuts=True) for flow in oracle(first, second)]
        scores = flow_sums(clip, found).scores()
        assert (scores.epe, scores.fl_all, scores.covered, scores.under_1px) == (0, 0, 1, 1)
    assert oracle.copy() is oracle


def test_it_knows_frames_by_their_index_and_the_way_back():
    oracle = OracleFlow(flows(3), frames=(10, 12, 14, 16), backward=[Flow(-f.uv) for f in flows(3)])
    assert float(oracle(frames(12), frames(14)).uv[0, 0, 0, 0]) == 1
    assert float(oracle(frames(16), frames(14)).uv[0, 0, 0, 0]) == -2
    assert oracle(frames(10, 14), frames(12, 16)).uv[:, 0, 0, 0].tolist() == [0, 2]
    for a, b in ((10, 14), (11, 12), (16, 18)):
        with pytest.raises(BadInput, match=f"from frame {a} to frame {b}"):
            oracle(frames(a), frames(b))
    with pytest.raises(BadInput, match="no true flow leads"):
        OracleFlow(flows(3))(frames(1), frames(0))
    with pytest.raises(BadInput, match="images are of"):
        oracle(frames(10, size=(W + 1, H)), frames(12, size=(W + 1, H)))
    with pytest.raises(BadInput, match="has no true flow"):
        OracleFlow.of(Clip(Video(np.zeros((2, 8, 8, 3), np.uint8)), None))


def errors(noise: FlowNoise, *, seed: int = 0, count: int = 8, truth: list[Flow] | None = None) -> torch.Tensor:
    truth = flows(count) if truth is None else truth
    every = range(len(truth))
    found = OracleFlow(truth, noise=noise, seed=seed)(frames(*every), frames(*(t + 1 for t in every)))
    return found.uv - Flow.stack(truth).uv


def test_errors_have_the_size_the_width_and_the_duration_asked_for():
    error = errors(FlowNoise(error=0.5, motion=0.0, reach=4.0, lasting=3), count=12)
    assert float(error.std()) == pytest.approx(0.5, rel=0.05)
    assert abs(float(error.mean())) < 0.05

    def alike(a: torch.Tensor, b: torch.Tensor) -> float:
        return float((a * b).mean() / error.square().mean())

    # White noise blurred by a Gaussian is alike over a distance d by exp(-d² / 4 reach²).
    assert alike(error[..., 8:], error[..., :-8]) == pytest.approx(np.exp(-1), abs=0.08)
    assert alike(error[..., 32:], error[..., :-32]) == pytest.approx(0, abs=0.1)
    assert alike(error[1:], error[:-1]) == pytest.approx(2 / 3, abs=0.08)
    assert alike(error[3:], error[:-3]) == pytest.approx(0, abs=0.08)
    assert alike(error[:, 0], error[:, 1]) == pytest.approx(0, abs=0.08)


def test_errors_grow_with_the_motion():
    error = errors(FlowNoise(error=0.0, motion=0.1, reach=3.0))
    length = np.sqrt(5) * np.arange(8)
    assert error.std((1, 2, 3)).tolist() == pytest.approx(0.1 * length, rel=0.15)


def test_grain_and_outliers():
    grain = errors(FlowNoise(error=0.0, motion=0.0, grain=0.2))
    assert float(grain.std()) == pytest.approx(0.2, rel=0.02)
    assert float((grain[..., 1:] * grain[..., :-1]).mean()) == pytest.approx(0, abs=1e-3)
    wild = errors(FlowNoise(error=0.0, motion=0.0, outliers=0.1, wild=7.0, reach=3.0, lasting=1), count=20)
    away = wild.abs().amax(1) > 0
    assert float(away.float().mean()) == pytest.approx(0.1, abs=0.02)
    assert float(wild.movedim(1, -1)[away].std()) == pytest.approx(7, rel=0.1)


def test_smear_blurs_the_edges_of_what_moves_and_nothing_else():
    uv = torch.zeros(2, H, W)
    uv[0, :, W // 2 :] = 8.0
    valid = torch.ones(H, W, dtype=torch.bool)
    valid[:, W - 10 :] = False
    truth = [Flow(uv, valid)]
    error = errors(FlowNoise(smear=3.0, error=0.0, motion=0.0), truth=truth)[0, 0]
    assert torch.isnan(error[:, W - 10 :]).all()
    assert float(error[:, : W // 2 - 15].abs().max()) < 1e-4
    assert float(error[:, W // 2].mean()) == pytest.approx(-4, abs=0.7)
    assert float(error[:, W // 2 + 15 : W - 10].abs().max()) < 1e-4


def test_errors_depend_on_seed_and_frame_and_not_on_who_asks_when():
    noise = FlowNoise.network()
    one = errors(noise, seed=1, count=4)
    assert torch.equal(one, errors(noise, seed=1, count=4))
    assert not torch.equal(one, errors(noise, seed=2, count=4))
    oracle = OracleFlow(flows(4), noise=noise, seed=1, backward=[Flow(-f.uv) for f in flows(4)])
    alone = oracle(frames(2), frames(3))
    assert torch.equal(alone.uv[0] - flows(4)[2].uv, one[2])
    assert not torch.equal(oracle(frames(2), frames(1)).uv, -oracle(frames(1), frames(2)).uv)


def test_presets_are_ordered_and_unknown_pixels_stay_unknown():
    uv = torch.zeros(2, H, W)
    uv[:, 30:80, 40:90] = 6.0
    valid = torch.rand(H, W) > 0.1
    truth = Flow(uv, valid)
    epe = []
    for noise in (QUIET, FlowNoise.network(), FlowNoise.poor()):
        found = OracleFlow([truth], noise=noise)(frames(0), frames(1))[0]
        assert torch.equal(found.known, truth.known)
        epe.append(FlowSums.of_pixels(truth, found).scores().epe)
    assert epe[0] == 0
    assert 0.15 < epe[1] < 1 < epe[2] < 5
    nothing = Flow(uv, torch.zeros(H, W))
    assert not OracleFlow([nothing], noise=FlowNoise.poor())(frames(0), frames(1)).known.any()


def test_noise_that_makes_no_sense_is_refused():
    for wrong in ({"reach": 0}, {"error": -1}, {"lasting": 0}, {"outliers": 1.0}):
        with pytest.raises(BadUsage, match="noise of flow"):
            FlowNoise(**wrong)


def test_parts_of_chunks():
    chunk = frames(3, 4, 5)
    assert part(chunk, slice(1, None)).indices.tolist() == [4, 5]
    assert part(chunk, np.array([True, False, True])).indices.tolist() == [3, 5]
