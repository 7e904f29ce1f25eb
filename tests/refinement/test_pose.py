"""Refining whole tracks: the truth stays, noise goes, and neither the solver nor the size of things matters."""

import math
from dataclasses import replace

import pytest
import torch

from dyad.core.errors import BadInput
from dyad.core.flow import Flow, Lazy
from dyad.core.skeleton import BODY17
from dyad.core.tracks import Tracks
from dyad.refinement.gauss_newton import GaussNewton
from dyad.refinement.linear import Layout, rows
from dyad.refinement.pose import DEFAULT_LAMBDAS, PoseRefiner
from dyad.refinement.problem import Lambdas, Problem, State
from dyad.refinement.solvers import Adam
from dyad.stages.oracle_tracks import OracleLifter, PoseNoise
from dyad.synthetic.demo import demo_clip
from tests.refinement.scenes import Scene, error, image_error, noisy, scene

EXACT = GaussNewton(gain=1e-10, steps=200)


def prepared(refiner: PoseRefiner, tracks: Tracks, flows: list[Flow]) -> tuple[Problem, State]:
    problem, state, _ = refiner.problem(tracks, flows)
    return problem, state


def slopes(problem: Problem, state: State) -> torch.Tensor:
    points = state.points.clone().requires_grad_()
    return torch.autograd.grad(problem.energy(State(points, state.cameras)), points)[0]


def waving(flow: Flow, size: float = 2.0) -> Flow:
    """The flow with a smooth wave on it, so that it matters where it is read."""
    down, right = torch.meshgrid(*(torch.arange(n) for n in flow.uv.shape[-2:]), indexing="ij")
    wave = torch.stack((torch.sin(down / 40), torch.cos(right / 30)))
    return Flow(flow.uv + size * wave)


def test_the_truth_stays() -> None:
    exact = scene()
    for refiner in (PoseRefiner(), PoseRefiner(mode="2d"), PoseRefiner(reading="end")):
        problem, state = prepared(refiner, exact.truth, exact.flows)
        # Joints are float32: a micrometre is the least that they can say.
        assert problem.energy(state) < 1e-5
        assert slopes(problem, state).abs().max() < 2e-2
        refined = refiner(exact.truth, exact.flows)
        assert error(refined, exact.truth) < 2e-5
        assert image_error(refined, exact.truth) < 2e-3


def test_noise_goes_and_the_flow_helps() -> None:
    exact = scene(frames=20)
    given = noisy(exact.truth)
    refined = PoseRefiner()(given, exact.flows)
    without = PoseRefiner(lambdas=replace(DEFAULT_LAMBDAS, opt=0.0))(given, exact.flows)
    assert error(refined, exact.truth) < 0.5 * error(given, exact.truth)
    assert error(refined, exact.truth) < 0.95 * error(without, exact.truth)
    seen = torch.linalg.vector_norm(refined.reproject() - exact.truth.reproject(), dim=-1).mean()
    assert seen < 0.8 * torch.linalg.vector_norm(without.reproject() - exact.truth.reproject(), dim=-1).mean()
    assert torch.equal(refined.xy, given.xy)
    assert torch.equal(refined.person, given.person)


def test_the_papers_recipe_lowers_the_error_of_poses_about_their_root() -> None:
    exact = scene(frames=10, people=1)
    given = noisy(exact.truth)
    paper = PoseRefiner.paper()
    assert isinstance(paper.solver, Adam)
    assert (paper.solver.steps, paper.solver.rate, paper.lambdas) == (1500, 1e-3, Lambdas.published())
    refined = replace(paper, solver=Adam(steps=150, rate=3e-3))(given, exact.flows)
    root = BODY17.index("pelvis")

    def relative(tracks: Tracks) -> Tracks:
        return tracks.with_(xyz=tracks.xyz - tracks.xyz[:, root, None])

    assert error(relative(refined), relative(exact.truth)) < 0.8 * error(relative(given), relative(exact.truth))


def test_what_a_weak_camera_takes_up_moves_the_people() -> None:
    """The tracks' own camera sees the joints where the refined one did, in 2D that says where they stand."""
    exact = scene(frames=6)
    weak = replace(PoseRefiner.paper(), solver=GaussNewton())
    for shift, off in (((0.055, 0.0, 0.0), 4.125), ((0.3, -0.1, 0.5), 15.0)):
        given = exact.truth.with_(xyz=exact.truth.xyz + torch.tensor(shift))
        before, after = (
            torch.linalg.vector_norm(tracks.reproject() - exact.truth.xy, dim=-1).mean()
            for tracks in (given, weak(given, exact.flows))
        )
        assert before > 0.99 * off
        assert after < 1e-3
    # A camera that is given moves nobody's root alone.
    stands = replace(weak, weak_camera=False, lambdas=replace(Lambdas.published(), opt=0.0, two_d=0.0, motion=0.0))
    assert error(stands(given, exact.flows), given) < 1e-6


def test_a_frame_without_a_weak_camera_spoils_no_other() -> None:
    exact = scene(frames=6, people=1)
    xyz, xy = exact.truth.xyz.clone(), exact.truth.xy.clone()
    xyz[2, :, 2] -= 4.0
    xy[2] = torch.nan
    given = exact.truth.with_(xyz=xyz, xy=xy)
    found = replace(PoseRefiner.paper(), solver=Adam(steps=3))(given, exact.flows)
    assert found.xyz.isfinite().all()


def test_two_dimensions_need_no_third() -> None:
    exact = scene(frames=20)
    given = noisy(exact.truth, px=2.0).with_(xyz=torch.full_like(exact.truth.xyz, torch.nan))
    refined = PoseRefiner(mode="2d")(given, exact.flows)
    assert image_error(refined, exact.truth) < 0.7 * image_error(given, exact.truth)
    assert refined.xyz.isnan().all()
    slow = PoseRefiner.paper(mode="2d")
    moved = replace(slow, solver=Adam(steps=200))(given, exact.flows)
    assert image_error(moved, exact.truth) < 0.99 * image_error(given, exact.truth)


@pytest.mark.parametrize("change", ["sign", "axes", "later", "mirrored"])
def test_a_wrong_flow_does_harm(change: str) -> None:
    exact = scene(frames=20)
    given = noisy(exact.truth, metres=0.02)
    wrong = {
        "sign": [Flow(-f.uv) for f in exact.flows],
        "axes": [Flow(f.uv.flip(0)) for f in exact.flows],
        "later": [Flow(3 * f.uv) for f in exact.flows],
        "mirrored": [f.flip() for f in exact.flows],
    }[change]
    strong = PoseRefiner(lambdas=replace(DEFAULT_LAMBDAS, opt=30.0))
    assert error(strong(given, wrong), exact.truth) > 1.1 * error(strong(given, exact.flows), exact.truth)


@pytest.mark.parametrize(
    "refiner",
    [
        PoseRefiner(),
        PoseRefiner(reading="end"),
        PoseRefiner(mode="2d"),
        replace(PoseRefiner.paper(), solver=GaussNewton()),
        PoseRefiner(moving="position", weak_camera=True),
    ],
    ids=["default", "end", "2d", "paper", "weak"],
)
def test_rows_are_the_residuals_made_linear(refiner: PoseRefiner) -> None:
    """Their slopes give the same gradient as differentiating the energy does."""
    exact = scene(frames=5)
    flows = [waving(flow) for flow in exact.flows]
    problem, state = prepared(refiner, noisy(exact.truth, metres=0.01), flows)
    layout = Layout.of(state)
    vector = layout.flat(state).requires_grad_()
    wanted = torch.autograd.grad(problem.energy(layout.state(vector, state)), vector)[0]
    gradient = torch.zeros_like(vector)
    for part in rows(problem, state).values():
        pull = torch.from_numpy(part.weight * part.value.clip(-1, 1))
        gradient += torch.from_numpy(part.matrix(len(vector)).T @ pull.numpy())
    # A wave read over a pixel's width has nearly the slope that it has between two pixels.
    assert torch.allclose(gradient, wanted, atol=2e-3 * float(wanted.abs().max()))


def test_both_solvers_find_the_same_minimum() -> None:
    exact = scene(frames=8, people=1)
    flows = [waving(flow, 0.5) for flow in exact.flows]
    problem, state = prepared(PoseRefiner(), noisy(exact.truth), flows)
    quick = GaussNewton()(problem, state)
    slow = Adam(steps=600, rate=2e-3)(problem, state)
    slow = Adam(steps=200, rate=1e-4)(problem, slow.state)
    assert quick.energies[-1] == pytest.approx(min(slow.energies), rel=1e-3)
    assert quick.steps <= 30
    assert all(b <= a for a, b in zip(quick.energies, quick.energies[1:], strict=False))


def test_an_image_twice_as_large_gives_the_same_people() -> None:
    small, large = (scene(size=size) for size in ((320, 240), (640, 480)))
    given = noisy(small.truth, px=0.0)
    one = PoseRefiner(solver=EXACT)(given, small.flows)
    two = PoseRefiner(solver=EXACT)(large.truth.with_(xyz=given.xyz), large.flows)
    assert error(one, small.truth) < 0.7 * error(given, small.truth)
    assert error(one, two) < 2e-4


def test_more_frames_a_second_give_the_same_people() -> None:
    found = {}
    for fps in (10, 20):
        exact = scene(frames=4 * fps + 1, fps=fps, people=1)
        off = torch.sin(3 * exact.truth.time)[:, None, None] * torch.linspace(-0.05, 0.05, 17)[:, None]
        given = exact.truth.with_(xyz=exact.truth.xyz + off.float())
        refined = PoseRefiner(solver=EXACT)(given, exact.flows)
        found[fps] = (refined.xyz - exact.truth.xyz)[:: fps // 10]
        assert error(refined, exact.truth) < 0.8 * error(given, exact.truth)
    apart = torch.linalg.vector_norm(found[10] - found[20], dim=-1).mean()
    assert apart < 0.1 * torch.linalg.vector_norm(found[10], dim=-1).mean()


def test_people_do_not_change_each_other() -> None:
    exact = scene()
    given = noisy(exact.truth)
    refiner = PoseRefiner(solver=EXACT)
    both = refiner(given, exact.flows)
    for person in (0, 1):
        alone = given[given.person == person]
        assert error(refiner(alone, exact.flows), both[both.person == person]) < 2e-4


def test_gaps_absent_joints_and_cuts() -> None:
    exact = scene()
    given = noisy(exact.truth)
    xyz, xy = given.xyz.clone(), given.xy.clone()
    wrist = BODY17.index("left_wrist")
    xyz[3:6, wrist] = xy[4:7, wrist] = torch.nan
    given = given.with_(xyz=xyz, xy=xy, cuts=(7,))
    given = given[(given.person == 0) | (given.frame < 3) | (given.frame > 5)]
    asked = []

    def flow(where: int) -> Flow:
        asked.append(where)
        return exact.flows[where]

    refined = PoseRefiner()(given, Lazy(len(exact.flows), flow))
    assert torch.equal(refined.xyz.isfinite(), given.xyz.isfinite())
    truth = exact.truth[(exact.truth.person == 0) | (exact.truth.frame < 3) | (exact.truth.frame > 5)]
    assert error(refined, truth) < 0.8 * error(given, truth)
    # Nothing is read across the cut, and nothing twice.
    assert asked == [where for where in range(11) if where != 6]


def test_no_flow_is_read_across_a_cut_at_a_frame_that_was_left_out() -> None:
    exact = scene(frames=5, people=1)
    tracks = exact.truth.with_(frame=2 * exact.truth.frame, frames=2 * exact.truth.frames, cuts=(5,))
    problem, _ = prepared(PoseRefiner(), tracks, exact.flows)
    assert problem.setting.joined[:, 0].tolist() == [True, True, False, True]


def test_what_is_before_a_cut_does_not_move_what_is_after() -> None:
    exact = scene(people=1)
    given = noisy(exact.truth).with_(cuts=(6,))
    other = given.with_(xyz=torch.where((given.frame < 6)[:, None, None], given.xyz + 0.3, given.xyz))
    refiner = PoseRefiner(solver=EXACT)
    after = given.frame >= 6
    apart = error(refiner(given, exact.flows)[after], refiner(other, exact.flows)[after])
    # Of the 0.3 m; a person's frames share one damping, so the ways to the minimum differ.
    assert apart < 2e-3


def test_flow_on_an_edge_pulls_less() -> None:
    exact = scene(frames=8)
    wrist = BODY17.index("left_wrist")
    torn = []
    for k, flow in enumerate(exact.flows):
        # Around the wrist flow rises from column to column, as on the edge of something that races past.
        x, y = exact.truth.xy[exact.truth.rows(0)[k], wrist].tolist()
        columns, lines = torch.arange(flow.size[0]), torch.arange(flow.size[1])[:, None]
        there = ((columns - x).abs() < 9) & ((lines - y).abs() < 9)
        torn.append(Flow(torch.where(there, flow.uv + 6 + (3 * (columns - x)).clamp(-12, 12), flow.uv)))
    off = [error(PoseRefiner(steady=steady)(exact.truth, torn), exact.truth) for steady in (None, 3.0)]
    assert off[1] < 0.4 * off[0]


def test_what_lies_between_2d_and_3d_for_good_does_not_pull_lifted_poses() -> None:
    exact = scene(frames=8)
    hips = BODY17.indices("left_hip", "right_hip")
    xy = exact.truth.xy.clone()
    xy[:, hips, 1] += 4
    shifted = exact.truth.with_(xy=xy)
    pulled, free = (error(PoseRefiner(lifted=lifted)(shifted, exact.flows), exact.truth) for lifted in (False, True))
    assert pulled > 1e-3
    assert free < 1e-5
    # What comes and goes is an error, and pulls as before.
    given = noisy(exact.truth)
    assert error(PoseRefiner(lifted=True)(given, exact.flows), exact.truth) < 0.8 * error(given, exact.truth)


def test_long_videos_are_solved_in_spans() -> None:
    exact = scene(frames=60, fps=20, people=1)
    given = noisy(exact.truth)
    whole = PoseRefiner(solver=EXACT)(given, exact.flows)
    parts = PoseRefiner(solver=EXACT, span=20, overlap=15)(given, exact.flows)
    assert error(whole, parts) < 0.02 * error(given, exact.truth)


def test_nobody_one_frame_and_nan_are_no_trouble() -> None:
    exact = scene(frames=3)
    nobody = exact.truth[torch.zeros(len(exact.truth), dtype=torch.bool)]
    assert len(PoseRefiner()(nobody, exact.flows)) == 0
    single = scene(frames=2).truth[torch.tensor([0, 2])].with_(frames=torch.tensor([0]), times=torch.tensor([0.0]))
    assert PoseRefiner()(single, []).xyz.isfinite().all()
    unknown = [Flow(torch.full_like(f.uv, math.nan)) for f in exact.flows]
    assert error(PoseRefiner()(exact.truth, unknown), exact.truth) < 1e-4
    lost = exact.truth.with_(xyz=torch.full_like(exact.truth.xyz, math.nan))
    assert PoseRefiner()(lost, exact.flows).xyz.isnan().all()
    assert PoseRefiner.paper(still=10)(lost, exact.flows).xyz.isnan().all()


def test_flows_that_do_not_belong_are_refused() -> None:
    exact: Scene = scene(frames=4)
    with pytest.raises(BadInput, match="4 frames have 3 flows between them, got 2"):
        PoseRefiner()(exact.truth, exact.flows[:2])
    with pytest.raises(BadInput, match=r"images of \(320, 240\) px, got a flow of \(160, 120\) px"):
        PoseRefiner()(exact.truth, [flow.resize(160, 120) for flow in exact.flows])


def test_a_rendered_person_with_an_estimators_noise() -> None:
    """True flow, errors that last for 0.3 s, detections with errors of a per cent: what is left of MPJPE."""
    clip = demo_clip(size=(240, 136), seconds=0.8, fps=25, people=1)
    assert clip.truth is not None
    assert clip.flow is not None
    truth, root = clip.truth, BODY17.index("pelvis")
    lifted = OracleLifter(truth, PoseNoise(), seed=3)(truth)
    given = noisy(lifted, metres=0.01, px=0.7)

    def relative(tracks: Tracks) -> Tracks:
        return tracks.with_(xyz=tracks.xyz - tracks.xyz[:, root, None])

    refined = PoseRefiner()(given, clip.flow)
    assert error(relative(refined), relative(truth)) < 0.85 * error(relative(given), relative(truth))
    assert error(refined, truth) < error(given, truth)
    # What is right moves by little, though no real motion is as steady as the prior has it.
    assert error(PoseRefiner()(truth, clip.flow), truth) < 0.006
