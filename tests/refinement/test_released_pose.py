"""The published code's poses of any tracks: its own energies, person by person and run by run."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from dyad.core.flow import Flow
from dyad.core.skeleton import BODY17, LSP14
from dyad.core.tracks import Tracks
from dyad.refinement.problem import Lambdas, State
from dyad.refinement.readings import cut
from dyad.refinement.released import BONES, UNDETECTED, ReleasedProblem, read_flow
from dyad.refinement.released_pose import NearFlow, ReleasedPoses
from dyad.refinement.solvers import Adam
from tests.refinement.scenes import error, noisy, scene

SHORT = replace(ReleasedPoses.released(), solver=Adam(steps=20))


@pytest.fixture(scope="module")
def flows() -> list[Flow]:
    chance = torch.Generator().manual_seed(0)
    return [Flow(3 * torch.randn(2, 240, 320, generator=chance)) for _ in range(5)]


@pytest.fixture(scope="module")
def given() -> Tracks:
    """Two people with LSP's joints, one of whom the image's left border cuts."""
    exact = scene(frames=6).truth
    aside = torch.tensor((-1.3, 0.0, 0.0)) * (exact.person == 0)[:, None, None]
    moved = exact.with_(xyz=exact.xyz + aside)
    moved = noisy(moved.with_(xy=moved.reproject())).convert(LSP14)
    assert (moved.reproject()[..., 0] < 0).float().mean() > 0.1
    return moved


def test_flow_near_joints_is_read_as_from_whole_images(flows: list[Flow]) -> None:
    chance = torch.Generator().manual_seed(1)
    at = torch.rand(5, 40, 2, generator=chance, dtype=torch.float64) * torch.tensor((360, 280)) - 20
    at[:, :6] = at[:, :6].round()
    at[:, 6] = torch.tensor((319.0, 100.0))
    at[:, 7] = torch.tensor((319.0, 100.5))
    at[:, 8] = torch.tensor((100.5, 239.0))
    at[:, 9] = torch.tensor((319.0, 239.0))
    kept = cut(flows, at[:, None], torch.ones(5, 1, dtype=torch.bool), radius=12)
    kept = replace(kept, counted=torch.ones_like(kept.counted))
    whole = torch.stack([flow.uv for flow in flows])
    near = at + 2 * torch.rand(at.shape, generator=chance).double()
    for points in (at, near):
        assert torch.allclose(NearFlow(kept, (320, 240))(points), read_flow(whole, points), atol=1e-5)


def test_each_person_is_solved_by_the_published_energies(given: Tracks, flows: list[Flow]) -> None:
    problem, state, root = SHORT.problem(given, flows)
    refined = SHORT(given, flows).window().xyz
    for person in (0, 1):
        own = slice(None), slice(person, person + 1)
        used = torch.tensor([name not in UNDETECTED for name in LSP14.names])
        published = ReleasedProblem(
            view=problem.view.of(*own),
            lambdas=Lambdas.printed(),
            initial=state.points[:, person],
            detected=problem.detected[:, person],
            counts=used.expand(6, 14).double(),
            read=partial(read_flow, torch.stack([flow.uv for flow in flows])),
            bones=BONES,
        )
        assert state.cameras is not None
        wanted = SHORT.solver(published, State(state.points[own], state.cameras[own])).state.points[:, 0]
        found = refined[:, person]
        hip = LSP14.index("left_hip")
        assert torch.allclose(found - found[:, hip, None], (wanted - wanted[:, hip, None]).to(found), atol=1e-6)
        assert not torch.allclose(wanted, state.points[:, person], atol=1e-3)
    assert root is not None


def test_the_codes_own_setting() -> None:
    refiner = ReleasedPoses.released()
    assert refiner.lambdas == Lambdas.printed()
    assert refiner.solver == Adam(steps=1500, rate=1e-3, still=10)
    assert (refiner.mode, refiner.weak_camera, refiner.confident, refiner.steady) == ("3d", True, False, None)


def test_runs_are_videos_of_their_own(given: Tracks, flows: list[Flow]) -> None:
    """What is beyond a cut, in a gap or without a joint changes nothing on the other side."""
    wrist = LSP14.index("left_wrist")
    xyz = given.xyz.clone()
    xyz[given.frame >= 4, wrist] = torch.nan
    parts = given.with_(xyz=xyz, cuts=(2,))
    refined = SHORT(parts, flows)
    assert torch.equal(refined.xyz.isfinite(), xyz.isfinite())
    for first, stop in ((0, 2), (2, 4), (4, 6)):
        inside = (parts.frame >= first) & (parts.frame < stop)
        other = parts.with_(xyz=torch.where(inside[:, None, None], xyz, xyz + torch.tensor((0.05, 0.02, 0.0))))
        assert torch.allclose(SHORT(other, flows).xyz[inside], refined.xyz[inside], atol=1e-5, equal_nan=True)
    assert (refined.xyz - xyz).abs().nan_to_num().amax((1, 2)).min() > 1e-3


def test_other_skeletons_move_along_and_unknown_flow_pulls_nobody() -> None:
    exact = scene(frames=8, people=1)
    given = noisy(exact.truth)
    refined = replace(SHORT, solver=Adam(steps=100, rate=3e-3))(given, exact.flows)
    root = BODY17.index("pelvis")
    relative = [tracks.with_(xyz=tracks.xyz - tracks.xyz[:, root, None]) for tracks in (refined, given, exact.truth)]
    assert error(relative[0], relative[2]) < 0.9 * error(relative[1], relative[2])
    unknown = [Flow(torch.full_like(flow.uv, torch.nan)) for flow in exact.flows]
    without = replace(SHORT, lambdas=replace(Lambdas.printed(), opt=0.0))
    assert torch.equal(SHORT(given, unknown).xyz, without(given, unknown).xyz)
