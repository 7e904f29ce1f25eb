"""Pose refinement of the bootstrapping paper as its published code does it: parts, single terms, and Adam's steps."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from dyad.core.skeleton import LSP14
from dyad.refinement import released
from dyad.refinement.problem import Lambdas, State
from dyad.refinement.released import ReleasedProblem
from dyad.refinement.solvers import Adam
from dyad.refinement.views import WeakPerspective
from tests.parity.recipe import Fixture, close

NOTHING = dict.fromkeys(("opt", "three_d", "two_d", "motion", "camera", "bone"), 0.0)


@pytest.fixture(scope="module")
def fixture(parity: Path) -> Fixture:
    meta = json.loads((parity / "bootstrap_pose.json").read_text(encoding="utf-8"))
    with np.load(parity / "bootstrap_pose.npz") as archive:
        return Fixture(meta, {name: archive[name] for name in archive.files}, {})


@pytest.fixture(scope="module")
def problem(fixture: Fixture) -> ReleasedProblem:
    scale, start = fixture.tensor("crop_scale_f64")[:, None], fixture.tensor("crop_start")[:, None]
    detected, counts = released.detections14(fixture.tensor("detections_f64").float())
    return ReleasedProblem(
        view=WeakPerspective.of_crops(scale, start, side=int(fixture.arrays["crop_size"])),
        lambdas=Lambdas.printed(),
        initial=fixture.tensor("joints3d"),
        detected=detected,
        counts=counts,
        read=partial(released.read_flow, flow(fixture)),
    )


def flow(fixture: Fixture) -> torch.Tensor:
    """(T-1, 2, H, W) px"""
    return fixture.tensor("flow").movedim(-1, 1)


def state(fixture: Fixture, points: str = "joints3d", cameras: str = "camera") -> State:
    return State(fixture.tensor(points)[:, None], fixture.tensor(cameras)[:, None])


def test_projection_and_bone_lengths(fixture: Fixture, problem: ReleasedProblem) -> None:
    np.testing.assert_allclose(problem.project(state(fixture)), fixture.arrays["projection"], atol=2e-5, rtol=1e-6)
    lengths = released.bone_lengths(fixture.tensor("joints3d"))
    np.testing.assert_allclose(lengths, fixture.arrays["bone_lengths"], rtol=1e-5, atol=1e-7)


def test_the_joints_are_those_of_lsp() -> None:
    assert LSP14.names[0] == "right_ankle"
    assert LSP14.names[-1] == "head_top"


def test_detections(fixture: Fixture, problem: ReleasedProblem) -> None:
    np.testing.assert_array_equal(problem.detected, fixture.arrays["detections14_f64"])
    np.testing.assert_array_equal(problem.counts, fixture.arrays["confidence14_f64"])


def test_reading_the_flow(fixture: Fixture) -> None:
    uv = flow(fixture)
    read = released.read_flow(uv[0], fixture.tensor("sample_points"))
    np.testing.assert_allclose(read, fixture.arrays["sample_values_f64"], atol=1e-9)
    read = released.read_flow(uv, fixture.tensor("projection")[:-1])
    np.testing.assert_allclose(read, fixture.arrays["flow_at_projection_f64"], atol=1e-9)
    before, after = (fixture.tensor(f"detection_{name}") for name in ("previous", "current"))
    read = released.flow_or_motion(uv[0], before, after)
    np.testing.assert_allclose(read, fixture.arrays["flow_at_detections"], atol=1e-4)


def test_the_parts_of_each_frame(fixture: Fixture, problem: ReleasedProblem) -> None:
    parts = torch.stack(problem.parts(state(fixture)), -1)
    np.testing.assert_allclose(parts, fixture.arrays["loss_parts_before_first_step"], rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize(("at", "name"), list(enumerate(("opt", "two_d", "motion", "camera", "bone"))))
def test_single_terms(fixture: Fixture, problem: ReleasedProblem, at: int, name: str) -> None:
    alone = ReleasedProblem(**{**vars(problem), "lambdas": Lambdas(**{**NOTHING, name: 1.0})})
    energy = alone.energy(state(fixture, "term_state_joints3d", "term_state_camera")).item()
    assert energy == pytest.approx(float(fixture.arrays["terms"][at]), rel=1e-5)


@pytest.mark.parametrize("steps", [1, 10, 100])
def test_steps_of_adam(fixture: Fixture, problem: ReleasedProblem, steps: int) -> None:
    found = Adam(steps=steps)(problem, state(fixture))
    assert found.steps == steps
    spread = fixture.meta["float32_vs_float64"]["loss_before_step"]
    np.testing.assert_allclose(
        found.energies, fixture.arrays["loss_before_step"][: steps + 1], rtol=1e-5, atol=20 * spread["max_abs"]
    )
    assert found.state.cameras is not None
    if steps == 1:
        np.testing.assert_allclose(found.state.points[:, 0], fixture.arrays["joints3d_after_1"], atol=2e-6)
        np.testing.assert_allclose(found.state.cameras[:, 0], fixture.arrays["camera_after_1"], atol=2e-6)
        return
    close(found.state.points[:, 0], fixture, f"joints3d_after_{steps}")
    if steps == 100:
        close(found.state.cameras[:, 0], fixture, "camera_after_100")
        np.testing.assert_allclose(problem.project(found.state), fixture.arrays["projection_after_100"], atol=2e-3)
    else:
        np.testing.assert_allclose(found.state.cameras[:, 0], fixture.arrays["camera_after_10"], atol=5e-6)


def test_the_published_rule_stops_early(fixture: Fixture, problem: ReleasedProblem) -> None:
    """On these frames the published loop ended after 1211 of its 1500 steps."""
    found = Adam(steps=1500, still=10)(problem, state(fixture))
    assert found.steps == pytest.approx(1211, abs=3)
    assert len({round(energy, 4) for energy in found.energies[-10:]}) == 1
