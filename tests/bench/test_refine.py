"""Before and after are not mixed up, changes have their sign, cost counts what it should, whatever is refined."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from dyad.bench.refine import Measure, bench_refine
from dyad.bench.refine_cost import PlainRun
from dyad.bench.refine_scores import METRICS, Scored, flow_scores, pose_scores, scores
from dyad.bench.refine_text import text
from dyad.core.errors import BadInput
from dyad.estimates.sheet import Advice
from tests.bench.refining import Clock, Towards, case, off


def _cases():
    made = [("w0", "calm"), ("w1", "calm"), ("w2", "wild")]
    levels = (("good", 0.03), ("bad", 0.09))
    return [
        case(name, kind=kind, level=level, seed=10 * k + len(level), metres=metres)
        for k, (name, kind) in enumerate(made)
        for level, metres in levels
    ]


def test_truth_has_no_error_and_a_known_error_its_size() -> None:
    clip = case().clip
    exact = scores(clip, clip.truth, clip.flow)
    assert exact == pytest.approx({"mpjpe": 0, "pck_abs": 100, "accel": 0, "error_2d": 0, "reprojection": 0,
                                   "epe": 0, "epe_joints": 0, "epe_people": np.nan}, abs=1e-3, nan_ok=True)  # fmt: skip
    deeper = clip.truth.with_(xyz=clip.truth.xyz + clip.truth.xyz.new_tensor((0, 0, 0.2)))
    found = scores(clip, deeper, [off(flow, 1) for flow in clip.flow])
    assert (found["mpjpe"], found["pck_abs"]) == (pytest.approx(0, abs=1e-3), 0)
    assert (found["epe"], found["epe_joints"]) == (pytest.approx(5, abs=1e-4), pytest.approx(5, abs=1e-3))
    with pytest.raises(BadInput, match="7 pairs of frames, got 6"):
        flow_scores(clip, clip.flow[:-1])
    with pytest.raises(BadInput, match="got 8"):
        flow_scores(clip, [*clip.flow, clip.flow[0]])
    # In the image: the 2D joints are where they were, and where the 3D appears is nearer to the middle.
    assert found["error_2d"] == pytest.approx(0, abs=1e-4)
    seen = torch.linalg.vector_norm(deeper.reproject() - clip.truth.xy, dim=-1)
    assert found["reprojection"] == pytest.approx(float(seen[:, 1:].mean()), rel=1e-4)
    aside = pose_scores(clip, clip.truth.with_(xy=clip.truth.xy + clip.truth.xy.new_tensor((0.3, 0.4))))
    assert (aside["error_2d"], aside["reprojection"]) == (pytest.approx(0.5, abs=1e-4), pytest.approx(0, abs=1e-4))
    flat = pose_scores(
        replace(clip, truth=clip.truth.with_(xyz=torch.full_like(clip.truth.xyz, torch.nan))), clip.truth
    )
    assert np.isnan(flat["mpjpe"])
    assert flat["error_2d"] == pytest.approx(0, abs=1e-4)
    assert np.isnan(pose_scores(case().clip.__class__(clip.video, None, clip.flow), clip.truth)["mpjpe"])
    assert Scored.of_protocol("h36m-14").alone


def test_half_of_every_error_is_gone() -> None:
    """Each pose goes half of the way to the truth, each flow too: all errors halve, in all cases."""
    truth = case().clip.truth
    report = bench_refine(_cases(), Measure(Towards(truth, 0.5)))
    json.dumps(report, allow_nan=False)
    for name in ("mpjpe", "accel", "epe", "epe_joints"):
        assert report["after"][name] == pytest.approx(report["before"][name] / 2, rel=1e-4)
        found = report["changes"][name]
        assert found["relative"]["value"] == pytest.approx(-0.5, abs=1e-4)
        assert found["relative"]["low"] == pytest.approx(-0.5, abs=1e-3)
        assert (found["improved"], found["worsened"], found["worst"], found["clips"]) == (1, 0, 0, 6)
    assert report["before"]["epe"] == pytest.approx(5, abs=1e-4)
    assert report["kinds"]["calm"]["mpjpe"]["clips"] == 4
    bad, good = (report["levels"][name]["mpjpe"]["before"]["value"] for name in ("bad", "good"))
    assert bad == pytest.approx(3 * good, rel=0.2)
    assert report["after"]["pck_abs"] >= report["before"]["pck_abs"]
    assert report["cost_ratio"] is None
    for row in report["clips"]:
        assert row["after"]["mpjpe"] == pytest.approx(row["before"]["mpjpe"] / 2, rel=1e-3)
    said = text(report)
    assert "-50.0 %" in said
    assert "not measured" in said


def test_refinement_in_the_image_is_measured_there() -> None:
    """2D joints go half of the way to the truth: their error halves, and that of the 3D stays."""
    refine = Towards(case().clip.truth, 0.5, flat=True)
    advice = Advice("2d")
    report = bench_refine([one.with_(advice=advice) for one in _cases()], Measure(refine))
    assert refine.advised == [advice] * 6
    found = report["changes"]["error_2d"]
    assert found["relative"]["value"] == pytest.approx(-0.5, abs=1e-4)
    assert found["relative"]["low"] == pytest.approx(-0.5, abs=1e-3)
    assert report["units"]["error_2d"] == "px"
    for name in ("mpjpe", "reprojection"):
        assert report["after"][name] == report["before"][name] > 0
    row = next(line for line in text(report).splitlines() if line.startswith("error_2d, px"))
    assert "-50.0 %" in row


def test_a_refiner_that_spoils_is_found_out() -> None:
    report = bench_refine(_cases(), Measure(Towards(case().clip.truth, -1.0)))
    for name in ("mpjpe", "accel", "epe"):
        found = report["changes"][name]
        assert found["relative"]["value"] == pytest.approx(1, abs=1e-3)
        assert (found["improved"], found["worsened"]) == (0, 1)
        assert found["worst"] == pytest.approx(1, abs=1e-3)
        assert found["worst_clip"] in [row["name"] for row in report["clips"]]
    # Of shares, less is worse.
    pck = report["changes"]["pck_abs"]
    assert pck["after"]["value"] < pck["before"]["value"]
    assert pck["improved"] == 0
    assert pck["worsened"] > 0


def test_the_cost_is_refinement_over_decoding_poses_and_one_flow_pass() -> None:
    """Seven seconds in all, two of which are the flow pass; people are found in eight, once for a world."""
    clock, asked = Clock(), []

    def plain(video) -> float:
        asked.append(video)
        return 8.0

    report = bench_refine(_cases(), Measure(Towards(case().clip.truth, 0.5, clock), plain, clock=clock))
    assert report["cost_ratio"] == pytest.approx(1 + (7 - 2) / (8 + 2))
    assert len(asked) == 3
    row = report["clips"][0]
    assert row["seconds"] == {"refinement": 5, "flow": 2, "decode and pose": 8}
    assert row["cost_ratio"] == pytest.approx(1.5)
    assert "cost ratio: 1.500" in text(report)


def test_decoding_and_finding_people_are_timed_from_a_file_after_a_first_time_that_does_not_count() -> None:
    clock, seen = Clock(), []

    def pipeline(video) -> None:
        seen.append((video.name, len(video), video.camera.focal.tolist()))
        clock.now += 3.0

    one = case()
    report = bench_refine([one], Measure(Towards(one.clip.truth), PlainRun(pipeline, clock), clock=clock))
    focal = one.clip.truth.camera.focal.tolist()
    assert [length for _, length, _ in seen] == [3, 8]
    assert seen[1][0] == "clip.mp4"
    assert seen[1][2] == pytest.approx(focal)
    assert report["clips"][0]["seconds"]["decode and pose"] == 3


def test_every_metric_has_a_unit_and_a_direction() -> None:
    assert {metric.name for metric in METRICS if not metric.lower_is_better} == {"pck_abs"}
    assert all(metric.unit for metric in METRICS)
