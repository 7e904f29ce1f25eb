"""Flow brought in line with moving people: by tuning a network, and by weighing flow and limbs against each other."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from dyad.core.errors import BadInput, BadUsage
from dyad.core.flow import Flow, pixels
from dyad.core.skeleton import BODY17
from dyad.core.video import Video
from dyad.models.raft import raft_small
from dyad.refinement.flow import PaperTuning, Tuned
from dyad.refinement.flow_fusion import LimbFusion
from dyad.refinement.moves import Moves
from dyad.refinement.target import LimbSketch, Target
from dyad.stages.flow import CheckedFlow, FileFlow, NetworkFlow
from tests.refinement.standing import person

SIZE = (128, 112)
STEP = torch.tensor((6.0, 2.0))
FRAMES = 5


def texture(xy: Tensor, seed: int) -> Tensor:
    """Grey levels (…, 3), 0..1, at points (…, 2) px: smooth, without end, and different everywhere."""
    chance = torch.Generator().manual_seed(seed)
    waves = torch.randn(2, 24, generator=chance) * 0.45
    phase = 6.3 * torch.rand(24, generator=chance)
    colour = torch.randn(24, 3, generator=chance)
    return (0.5 + 0.06 * torch.sin(xy @ waves + phase) @ colour).clamp(0, 1)


def figure(at: int) -> Tensor:
    """Joints (17, 2) of who walks through the picture."""
    return person((45.0, 55.0), 90.0) + at * STEP


def body(at: int) -> Tensor:
    """Pixels (H, W) bool of that person."""
    still = moves_of([figure(at), figure(at)])
    return LimbSketch(thickness=2.0)(still, SIZE).weight[0] > 0.3


def video(frames: int = FRAMES) -> Video:
    """The person before a wall that stands still, as bytes."""
    images = []
    for at in range(frames):
        wall, clothes = texture(pixels(SIZE), 1), texture(pixels(SIZE) - at * STEP, 2)
        image = torch.where(body(at)[..., None], clothes, wall)
        images.append((255 * image).round().to(torch.uint8).numpy())
    return Video(np.stack(images), fps=10.0)


def true_flows(frames: int = FRAMES) -> list[Flow]:
    return [Flow(torch.where(body(at), STEP[:, None, None], 0.0)) for at in range(frames - 1)]


def still_flows(frames: int = FRAMES) -> list[Flow]:
    """Of a network that lost the person."""
    return [Flow(torch.zeros(2, *SIZE[::-1])) for _ in range(frames - 1)]


def moves_of(poses: list[Tensor]) -> Moves:
    """Of one person, by the joints (17, 2) in every frame."""
    xy = torch.stack(poses)[:, None]
    return Moves(first=xy[:-1], second=xy[1:], skeleton=BODY17)


def walk(noise: float = 0.0, seed: int = 0) -> Moves:
    chance = torch.Generator().manual_seed(seed)
    return moves_of([figure(at) + noise * torch.randn(17, 2, generator=chance) for at in range(FRAMES)])


def fused(moves: Moves, flows: list[Flow], fusion: LimbFusion | None = None) -> list[Flow]:
    return list((fusion or LimbFusion())(FileFlow({}, "none"), video(), moves, flows).flows)


def errors(found: list[Flow]) -> Tensor:
    """Mean distance px to the truth on the person of each pair."""
    return torch.stack(
        [
            torch.linalg.vector_norm(a.uv - b.uv, dim=0)[body(at)].mean()
            for at, (a, b) in enumerate(zip(found, true_flows(), strict=True))
        ]
    )


def test_flow_that_lost_a_person_is_repaired_by_the_pose() -> None:
    before, after = errors(still_flows()), errors(fused(walk(), still_flows()))
    assert float(after.max()) < 0.5 * float(before.min())
    on = LimbSketch()(walk(), SIZE).weight > 0.99
    found = torch.stack([f.uv for f in fused(walk(), still_flows())]).movedim(1, -1)[on]
    near = torch.linalg.vector_norm(found - STEP, dim=-1)
    assert float((near < 0.5).float().mean()) > 0.9


def test_where_pose_and_flow_agree_nothing_changes() -> None:
    flows = [Flow(STEP[:, None, None].expand(2, *SIZE[::-1]).clone())] * (FRAMES - 1)
    for one in fused(walk(), flows, LimbFusion(steps=0)):
        torch.testing.assert_close(one.uv, flows[0].uv)


@pytest.mark.parametrize(("noise", "allowed"), [(0.0, 0.05), (1.0, 0.08), (2.0, 0.15)])
def test_true_flow_outlives_a_noisy_pose(noise: float, allowed: float) -> None:
    """Where flow and pose differ by the pose's own error, the images side with the flow."""
    sketch_alone = [LimbSketch()(walk(noise), SIZE)]
    drawn = [Flow(sketch_alone[0].over(Flow(torch.stack([f.uv for f in true_flows()]))).uv[k]) for k in range(4)]
    after = errors(fused(walk(noise), true_flows()))
    assert float(after.max()) < allowed
    assert noise == 0 or float(after.mean()) < 0.25 * float(errors(drawn).mean())


def test_moving_the_sketch_mends_a_pose_that_is_off() -> None:
    off = moves_of([figure(at) + at * torch.tensor((1.2, -0.8)) for at in range(FRAMES)])
    plain, moved = (errors(fused(off, still_flows(), LimbFusion(steps=k, spread=2.0))).mean() for k in (0, 3))
    assert float(moved) < 0.9 * float(plain)


def test_where_the_images_say_nothing_what_was_right_nearby_is_believed() -> None:
    """One even colour covers the hips in both images; the rest of the person is in favour of the pose."""
    images = video(2)[0:2].copy()
    images[:, 50:62, 30:70] = 128
    target = LimbSketch()(walk()[:1], SIZE)
    one = Target(target.flow[0], target.weight[0])
    even = torch.zeros(SIZE[::-1], dtype=torch.bool)
    even[54:58, 36:60] = True
    shares = []
    for rounds in (0, 3):
        fusion = LimbFusion(rounds=rounds, steps=0, reach=1.0, around=60.0)
        found = fusion.fused(still_flows()[0], one, *(torch.from_numpy(image) for image in images))
        shares.append(float(found.uv[0][even & (one.weight > 0.99)].mean() / STEP[0]))
    assert shares[0] == pytest.approx(LimbFusion().prior, abs=0.02)
    assert shares[1] > 0.4


def test_nobody_there_hard_cuts_and_pixels_far_away_keep_their_flow() -> None:
    missing = torch.full((17, 2), torch.nan)
    moves = moves_of([figure(0), figure(1), missing, missing, missing])
    flows = still_flows()
    found = fused(moves, flows)
    assert not torch.equal(found[0].uv, flows[0].uv)
    assert all(found[k] is flows[k] for k in (1, 2, 3))
    untouched = ~LimbSketch(thickness=1.6)(moves, SIZE).drawn[0]
    assert torch.equal(found[0].uv[:, untouched], flows[0].uv[:, untouched])
    # The picture changes altogether: whatever the moves say, nothing leads across.
    images = video()[0:FRAMES].copy()
    images[3:] = np.random.default_rng(0).integers(0, 255, images[3:].shape).astype(np.uint8)
    cut = Video(np.concatenate((np.repeat(images[:1], 8, 0), images[3:4].repeat(8, 0))), fps=10.0)
    cuts = np.concatenate([chunk.cut for chunk in cut.chunks(8)])
    several = moves_of([figure(0) + k for k in range(len(cut))])
    given = [Flow(torch.zeros(2, *SIZE[::-1])) for _ in range(len(several))]
    after = list(LimbFusion()(FileFlow({}, "none"), cut, several, given).flows)
    assert cuts.sum() == 1
    at = int(np.flatnonzero(cuts)[0]) - 1
    assert after[at] is given[at]
    assert after[at - 1] is not given[at - 1]


def test_unknown_flow_is_drawn_over_and_occlusion_kept() -> None:
    holes = [Flow(torch.full((2, *SIZE[::-1]), torch.nan), occluded=torch.ones(SIZE[::-1], dtype=torch.bool))] * 4
    found = fused(walk(), holes, LimbFusion(steps=0))[0]
    drawn = LimbSketch(thickness=LimbFusion().sketch.thickness)(walk(), SIZE).drawn[0]  # ty: ignore
    assert torch.equal(found.known, drawn)
    torch.testing.assert_close(found.uv[:, drawn].T, STEP.expand(int(drawn.sum()), 2))
    assert found.occluded is not None
    assert bool(found.occluded.all())


def test_flows_come_again_and_do_not_depend_on_how_many_are_asked_for() -> None:
    tuned = LimbFusion()(FileFlow({}, "none"), video(), walk(1.0), still_flows())
    first, again = list(tuned.flows), [next(iter(tuned.flows))]
    assert torch.equal(first[0].uv, again[0].uv)
    alone = Video(video()[2:4], fps=10.0)
    one = list(LimbFusion()(FileFlow({}, "none"), alone, walk(1.0)[2:3], still_flows()[2:3]).flows)
    torch.testing.assert_close(one[0].uv, first[2].uv, atol=1e-6, rtol=0)


def small(iterations: int = 2) -> NetworkFlow:
    torch.manual_seed(0)
    return NetworkFlow(raft_small(), iterations=iterations)


def tuned_by(tuning: PaperTuning, moves: Moves | None = None) -> tuple[NetworkFlow, Tuned]:
    estimator = small()
    return estimator, tuning(estimator, video(3), walk()[:2] if moves is None else moves, still_flows(3))


def test_tuning_leaves_the_network_and_moves_its_copy_towards_the_sketch() -> None:
    estimator = small()
    before = {name: value.clone() for name, value in estimator.network.state_dict().items()}
    tuned = PaperTuning(epochs=4, rate=1e-3, iterations=1, sketch=LimbSketch())(
        estimator, video(3), walk()[:2], still_flows(3)
    )
    assert all(torch.equal(value, before[name]) for name, value in estimator.network.state_dict().items())
    assert len(tuned.losses) == 8
    assert tuned.losses[-1] < 0.9 * tuned.losses[1]
    assert isinstance(tuned.estimator, NetworkFlow)
    assert not tuned.estimator.network.training
    flows = list(tuned.flows)
    assert [tuple(f.uv.shape) for f in flows] == [(2, *SIZE[::-1])] * 2
    assert not any(f.uv.requires_grad for f in flows)


def test_only_the_named_parts_are_tuned_and_fewer_iterations_last_only_meanwhile() -> None:
    tuning = PaperTuning(epochs=1, rate=1e-3, parts=("update.head.",), iterations=1, batch=3, sketch=LimbSketch())
    estimator, tuned = tuned_by(tuning)
    assert len(tuned.losses) == 1
    assert isinstance(tuned.estimator, NetworkFlow)
    assert tuned.estimator.iterations == estimator.iterations == 2
    pairs = zip(estimator.network.named_parameters(), tuned.estimator.network.parameters(), strict=True)
    changed = {name for (name, a), b in pairs if not torch.equal(a, b)}
    assert changed == {f"update.head.conv{k}.{what}" for k in (1, 2) for what in ("weight", "bias")}
    with pytest.raises(BadUsage, match="no weights whose names begin with nothing"):
        tuned_by(replace(tuning, parts=("nothing",)))


def test_pairs_without_people_are_neither_learnt_from_nor_touched() -> None:
    missing = torch.full((17, 2), torch.nan)
    moves = moves_of([figure(0), figure(1), missing])
    _, tuned = tuned_by(PaperTuning(epochs=1, sketch=LimbSketch()), moves)
    flows = list(tuned.flows)
    assert len(tuned.losses) == 1
    assert float(flows[1].uv.abs().max()) == 0
    assert float(flows[0].uv.abs().max()) > 0
    _, none = tuned_by(PaperTuning(epochs=1), moves_of([missing] * 3))
    assert none.losses == ()
    assert all(float(f.uv.abs().max()) == 0 for f in none.flows)


def test_epochs_of_the_modes_and_what_cannot_be_tuned() -> None:
    assert (PaperTuning().rounds, PaperTuning(mode="2d").rounds, PaperTuning(mode="2d", epochs=3).rounds) == (8, 50, 3)
    with pytest.raises(BadUsage, match="FileFlow has no network to tune"):
        PaperTuning()(FileFlow({}, "none"), video(3), walk()[:2], still_flows(3))
    with pytest.raises(BadInput, match="got 2 moves and 4 flows"):
        PaperTuning()(small(), video(3), walk()[:2], still_flows())
    with pytest.raises(BadInput, match="does not have the 4 pairs"):
        list(LimbFusion()(small(), video(3), walk(), still_flows()).flows)
    with pytest.raises(BadInput, match="does not have the 1 pairs"):
        list(LimbFusion()(small(), video(3), walk()[:1], still_flows(2)).flows)
    with pytest.raises(BadUsage, match="a pair a step or more"):
        PaperTuning(batch=0)
    checked = PaperTuning(epochs=1, sketch=LimbSketch())(CheckedFlow(small(1)), video(3), walk()[:2], still_flows(3))
    assert len(checked.losses) == 2
