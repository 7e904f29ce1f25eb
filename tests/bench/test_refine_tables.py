"""The paper's tables: rows in its order, each with what belongs to it, and a word on whether the order holds."""

import json
import math
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
import torch

from dyad.bench.refine import Measure
from dyad.bench.refine_cases import Pass
from dyad.bench.refine_cycles import Cycles, figure_6, start_of
from dyad.bench.refine_plot import figure
from dyad.bench.refine_tables import EVERYWHERE, ROWS_3, table_1, table_2, table_3
from dyad.bench.refine_text import text
from dyad.core.errors import BadInput
from dyad.core.flow import Flow
from dyad.estimates.sheet import Advice
from dyad.refinement.flow_shelf import FlowShelf
from dyad.refinement.pose import PoseRefiner
from tests.bench.refining import Shifted, Towards, case, off

TRUTH = case().clip.truth


def two_levels(worlds: int = 2):
    return [
        case(f"w{k}", level=level, seed=10 * k + at, metres=metres)
        for k in range(worlds)
        for at, (level, metres) in enumerate((("good", 0.03), ("bad", 0.09)))
    ]


def test_table_1_has_the_estimators_and_what_refinement_makes_of_them() -> None:
    report = table_1(two_levels(), Measure(Towards(TRUTH)), flow="net", epe=EVERYWHERE)
    assert [row["method"] for row in report["rows"]] == [
        "poses: good", "poses: bad", "net", "refined: good / net", "refined: bad / net"
    ]  # fmt: skip
    good, bad, net, ours_good, ours_bad = report["rows"]
    assert (good["epe"], net["mpjpe"]) == (None, None)
    assert net["cases"] == 2
    assert net["epe"]["value"] == pytest.approx(5, abs=1e-4)
    assert ours_bad["epe"]["value"] == pytest.approx(2.5, abs=1e-4)
    for before, after in ((good, ours_good), (bad, ours_bad)):
        assert after["mpjpe"]["value"] == pytest.approx(before["mpjpe"]["value"] / 2, rel=1e-3)
        assert before["mpjpe"]["low"] <= before["mpjpe"]["value"] <= before["mpjpe"]["high"]
    assert report["columns"]["epe"] == "EPE, px"
    assert "refined: bad / net" in text(report)


@dataclass
class Half:
    """Goes half of the way, also from the mean of both flows, which is off by the mean of both."""

    flows: list[Flow]
    advised: list[Advice | None] = field(default_factory=list)

    def __call__(self, video, tracks, estimator, *, advice=None):
        self.advised.append(advice)
        by = getattr(estimator, "by", (1.0 - 0.6) / 2)
        return Towards(TRUTH)(video, tracks, Shifted(self.flows, by))


def test_table_2_means_are_better_than_what_they_are_of() -> None:
    per_image, many_images = Advice(weak_camera=True), Advice(motion=False)
    made = [one.with_(advice=(per_image, many_images)[at % 2]) for at, one in enumerate(two_levels())]
    refine = Half(made[0].flow.flows)
    flows = {"left": Shifted(made[0].flow.flows, 1.0), "right": Shifted(made[0].flow.flows, -0.6)}

    def mean(tracks):
        return tracks[0].with_(xyz=torch.stack([each.xyz for each in tracks]).mean(0))

    report = table_2(made, flows, Measure(refine), ensemble=mean, epe=EVERYWHERE)
    values = {row["method"]: row for row in report["rows"]}
    assert list(values) == [
        "poses: good", "poses: bad", "poses: mean(good, bad)", "left", "right", "mean(left, right)",
        "refined: good / left", "refined: good / right", "refined: bad / left", "refined: bad / right",
        "refined: mean(good, bad) / mean(left, right)",
    ]  # fmt: skip
    assert [values[name]["epe"]["value"] for name in ("left", "right", "mean(left, right)")] == pytest.approx([5, 3, 1])
    assert values["left"]["cases"] == 2
    poses = {name: row["mpjpe"]["value"] for name, row in values.items() if row["mpjpe"]}
    assert poses["poses: mean(good, bad)"] < poses["poses: bad"]
    assert poses["refined: bad / left"] == pytest.approx(poses["poses: bad"] / 2, rel=1e-3)
    assert values["refined: bad / right"]["epe"]["value"] == pytest.approx(1.5)
    # Each as it needs it, twice, and the mean in the camera that is given, with the term on motion.
    assert refine.advised[:4] == [per_image, per_image, many_images, many_images]
    mean = refine.advised[4]
    assert (mean.mode, mean.weak_camera, mean.motion) == ("3d", False, True)
    assert report["left_out"] == []


def test_table_2_leaves_out_clips_that_one_alone_has_poses_of() -> None:
    made = two_levels()
    flows = {"left": made[0].flow, "right": made[0].flow}
    report = table_2(made[:3], flows, Measure(Half(made[0].flow.flows)), ensemble=lambda tracks: tracks[0])
    assert (report["left_out"], report["rows"][0]["cases"]) == (["w1"], 1)
    assert "w1: poses of one alone" in text(report)
    with pytest.raises(BadInput, match="no clip has poses of two estimators: 1 have"):
        table_2(made[2:3], flows, Measure(Half(made[0].flow.flows)), ensemble=lambda tracks: tracks[0])


def test_table_3_gets_better_by_every_term_and_says_so() -> None:
    cases = [replace(one, flow=Shifted(one.flow.flows, 0.0)) for one in two_levels(1)]
    report = table_3(cases, lambda case: PoseRefiner())
    assert tuple(row["method"] for row in report["rows"]) == ROWS_3
    errors = [row["mpjpe"]["value"] for row in report["rows"]]
    assert errors[1] == pytest.approx(errors[0], abs=1e-3)
    assert errors[-1] < errors[0]
    assert report["unchanged"]
    assert [step["to"] for step in report["steps"]] == list(ROWS_3[1:])
    for step, (before, after) in zip(report["steps"], pairwise(errors), strict=True):
        assert step["difference"]["value"] == pytest.approx(after - before, abs=1e-6)
        assert step["clips"] == 2
    assert report["ordered"] == all(b <= a + 0.005 for a, b in pairwise(errors))
    said = text(report)
    assert said.index("initial poses") < said.index("3D + 2D + temp + opt")
    assert "the 3D term alone changes nothing" in said


def test_table_3_notices_terms_that_spoil() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Spoiling(PoseRefiner):
        """Every term but the first makes it worse, and the 3D term alone moves something."""

        def __call__(self, tracks, flows):
            weights = self.lambdas
            terms = sum(bool(w) for w in (weights.three_d, weights.two_d, weights.motion, weights.bone, weights.opt))
            return tracks.with_(xyz=torch.lerp(TRUTH.xyz, tracks.xyz, 1 + 0.1 * terms))

    report = table_3(two_levels(), lambda case: Spoiling())
    assert not report["unchanged"]
    assert not report["ordered"]
    assert "NOT in the paper's order" in text(report)


def test_flow_that_a_case_begins_with_is_kept_on_disk_unless_it_was_made_before() -> None:
    one = case()
    asked = one.flow.asked
    start = start_of(one)
    assert isinstance(start.flows, FlowShelf)
    assert asked == list(range(7))
    for k in range(7):
        # Eleven bits of a number.
        assert (start.flows[k].uv - off(one.clip.flow[k], 1).uv).abs().max() < 1e-2
    known = one.with_(flow=Pass(one.flow, one.video))
    assert start_of(known).flows is known.flow.flows
    assert start_of(known).tracks is known.tracks


def test_table_3_and_figure_6_ask_for_the_refiner_of_each_case_and_for_flow_once() -> None:
    asked = []

    def refiner(case):
        asked.append(case.level)
        return PoseRefiner()

    made = [one.with_(flow=Shifted(one.flow.flows, 0.0)) for one in two_levels(1)]
    table_3(made, refiner)
    assert asked == ["good", "bad"]
    assert made[0].flow.asked == list(range(7))
    made[1].flow.asked.clear()
    cycles = Cycles(Drifting(), Follower(), 2)
    figure_6(made[1:], lambda case: cycles)
    assert made[1].flow.asked == list(range(7))


@dataclass(frozen=True)
class Follower:
    """A tuner whose flow is 2 px off, and right where the poses are."""

    def __call__(self, estimator, video, moves, flows):
        exact = torch.nanmean((moves.first - _true_moves()).abs())
        away = 0.0 if exact < 1e-3 else 0.4
        made = [off(flow, away) for flow in estimator.flows]

        @dataclass
        class Tuned:
            flows: list[Flow]
            estimator: None = None

        return Tuned(made)


def _true_moves():
    xy = TRUTH.window().xy
    return xy[:-1]


class Drifting:
    """Goes half way to the truth twice, then back; to the truth at once if the flow is true."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, tracks, flows):
        true = torch.allclose(flows[0].uv, case().clip.flow[0].uv)
        share = 0.5 if true else (0.5, 0.5, -0.4)[self.calls % 3]
        self.calls += 0 if true else 1
        return tracks.with_(xyz=torch.lerp(tracks.xyz, TRUTH.xyz, share))


def test_figure_6_shows_drift_where_there_is_drift(tmp_path) -> None:
    cycles = Cycles(Drifting(), Follower(), 3)
    report = figure_6([case()], lambda case: cycles, anchors=("last",))
    json.dumps(report, allow_nan=False)
    assert report["cycles"] == [0, 1, 2, 3]
    lines = {name: report["panels"][name]["last"] for name in "abcd"}
    means = {name: [point["value"] for point in line["points"]] for name, line in lines.items()}
    start = means["a"][0]
    assert means["a"] == pytest.approx([start, start / 2, start / 4, 0.35 * start], rel=1e-2)
    assert (lines["a"]["best"], lines["a"]["drift"]) == (2, pytest.approx(0.4, abs=0.02))
    assert means["c"] == pytest.approx([start, start / 2, start / 4, start / 8], rel=1e-2)
    assert (lines["c"]["best"], lines["c"]["drift"]) == (3, 0)
    assert means["b"] == pytest.approx([5, 2, 2, 2], abs=1e-2)
    assert means["d"] == pytest.approx([5, 0, 0, 0], abs=1e-2)
    said = text(report)
    assert "(a) MPJPE, estimated pose and flow" in said
    point = lines["a"]["points"][1]
    row = next(line for line in said.splitlines() if line.startswith("  95 %"))
    assert f"{point['low']:.4g} … {point['high']:.4g}" in row
    drawn = figure(report)
    assert drawn.count("<polyline") == 4
    assert drawn.count("<circle") == 4


def test_poses_that_stay_close_to_the_first_begin_from_them() -> None:
    """By a flow that is true each cycle goes half of the way: from the first poses always to the same place."""
    cycles = Cycles(Drifting(), Follower(), 3)
    report = figure_6([case()], lambda case: cycles)
    initial, last = (report["panels"]["c"][anchor]["points"] for anchor in ("initial", "last"))
    assert initial[3]["value"] == pytest.approx(initial[1]["value"])
    assert last[3]["value"] == pytest.approx(last[1]["value"] / 4, rel=1e-2)
    assert math.isclose(initial[0]["value"], last[0]["value"])
