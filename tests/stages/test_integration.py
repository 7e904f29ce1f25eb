from pathlib import Path

import pytest
import torch

from dyad.core.camera import Camera
from dyad.core.errors import BadInput, BadUsage, MissingWeights
from dyad.core.skeleton import BODY17, COCO17, MUPOTS17
from dyad.models.checkpoints import Checkpoint
from dyad.models.fusion import FusionNetwork
from dyad.models.integration import IntegrationNetwork
from dyad.stages.integration import Hard, Integration, Learned, Linear, make_integration, together
from tests.stages.crowd import passing, standing, tracks_of

ROOT = BODY17.index("pelvis")


@pytest.fixture
def small() -> FusionNetwork:
    torch.manual_seed(0)
    return FusionNetwork(width=16, dilations=(1, 2)).eval()


def rules(small: FusionNetwork) -> list[object]:
    return [Hard(), Linear(), Learned(small)]


def test_the_same_twice_stays_what_it_is() -> None:
    tracks = tracks_of(passing(), [3, 8])
    for rule in (Hard(), Linear()):
        assert torch.allclose(Integration(rule)(tracks, tracks).xyz, tracks.xyz, atol=1e-5)


def test_hard_takes_the_pose_of_one_and_the_depth_of_the_other() -> None:
    poses = passing()
    bent = poses * 1.2
    bent[..., BODY17.index("left_wrist"), 1] -= 0.4
    found = Integration(Hard())(tracks_of(poses, [3, 8]), tracks_of(bent, [0, 1]))
    given = tracks_of(poses, [3, 8])
    assert torch.allclose(found.xyz - found.xyz[:, ROOT, None], given.xyz - given.xyz[:, ROOT, None], atol=1e-5)
    assert torch.allclose(found.xyz[:, ROOT], 1.2 * given.xyz[:, ROOT], atol=1e-5)


def test_linear_weighs_by_confidence_pose_and_root_apart() -> None:
    poses = torch.stack([standing(0.0, 4.0)[None]] * 3)
    other = poses + torch.tensor((0.0, 0.0, 0.4))
    wrist = BODY17.index("left_wrist")
    other[..., wrist, 1] -= 0.2
    sure = torch.full((17,), 0.9)
    unsure = torch.full((17,), 0.9)
    unsure[wrist] = 0.3
    found = Integration(Linear(), None)(tracks_of(poses, [0], sure=sure), tracks_of(other, [0], sure=unsure))
    moved = found.xyz - tracks_of(poses, [0]).xyz
    assert torch.allclose(moved[:, ROOT, 2], torch.tensor(0.2), atol=1e-3)
    assert torch.allclose(moved[:, wrist, 1], torch.tensor(-0.2 * 0.25), atol=2e-3)


def test_whoever_is_in_one_alone_stays(small: FusionNetwork) -> None:
    poses = passing()
    gap, alone = poses.clone(), torch.cat((poses, standing(2.5, 7.0).expand(len(poses), 1, 17, 3)), 1)
    gap[4:9, 0] = torch.nan
    for rule in rules(small):
        found = Integration(rule)(tracks_of(gap, [3, 8]), tracks_of(alone, [0, 1, 2]))  # ty: ignore[invalid-argument-type]
        assert found.people == [3, 8, 9]
        assert len(found) == 3 * len(poses)
        assert torch.isfinite(found.xyz).all()
        mine = found.xyz[found.person == 9, ROOT]
        assert torch.allclose(mine, torch.tensor((2.5, 0.1, 7.0)).float(), atol=0.5)


def test_three_estimates_count_alike(small: FusionNetwork) -> None:
    tracks = tracks_of(passing(), [3, 8])
    for rule in (Linear(), Learned(small, roles=("any",))):
        found = Integration(rule)(tracks, tracks, tracks)
        assert found.people == [3, 8]
        assert torch.allclose(found.xyz, tracks.xyz, atol=0.15)


def test_an_untrained_network_is_near_the_mean_and_its_order_is_of_no_matter(small: FusionNetwork) -> None:
    first = tracks_of(passing(), [3, 8])
    second = first.with_(xyz=first.xyz * 1.1)
    ours = Integration(Learned(small, roles=("any",)), None)
    assert torch.allclose(ours(first, second).xyz, ours(second, first).xyz, atol=1e-4)
    plain = Integration(Linear(), None)(first, second)
    assert torch.linalg.vector_norm(ours(first, second).xyz - plain.xyz, dim=-1).median() < 0.1


def test_a_network_that_learnt_nothing_says_what_it_does_not_know() -> None:
    still = FusionNetwork(width=16, dilations=(1,)).eval()
    with torch.no_grad():
        for parameter in still.parameters():
            parameter.zero_()
    tracks = tracks_of(passing(), [3, 8])
    found = Integration(Learned(still), None)(tracks, tracks.with_(xyz=tracks.xyz * 1.2))
    assert (found.sigma > 0).all()
    assert torch.isfinite(found.xyz).all()


def test_no_frame_is_seen_across_a_cut(small: FusionNetwork) -> None:
    poses = passing()
    other = poses.clone()
    other[10:] = other[10:] * 1.4
    rule = Integration(Learned(small), None)
    with_cut = rule(*(tracks_of(p, [3, 8], cuts=(10,)) for p in (poses, other)))
    alone = rule(*(tracks_of(p[:10], [3, 8]) for p in (poses, other)))
    before = with_cut[with_cut.frame < 10]
    assert torch.allclose(before.xyz, alone.xyz, atol=1e-5)
    uncut = rule(*(tracks_of(p, [3, 8]) for p in (poses, other)))
    assert not torch.allclose(uncut[uncut.frame < 10].xyz, alone.xyz, atol=1e-5)


def test_other_skeletons_come_back_as_they_went_in(small: FusionNetwork) -> None:
    tracks = tracks_of(passing(), [3, 8]).convert(MUPOTS17)
    found = Integration(Learned(small))(tracks, tracks)
    assert found.skeleton == MUPOTS17
    assert torch.isfinite(found.xyz).all()
    assert torch.allclose(found.xyz, tracks.xyz, atol=0.2)
    face = tracks_of(passing(), [3, 8]).convert(COCO17)
    assert Integration(Linear())(tracks, face).skeleton == MUPOTS17


def test_the_papers_network_takes_two() -> None:
    tracks = tracks_of(passing(), [3, 8])
    rule = Integration(Learned(IntegrationNetwork(width=8)))
    assert torch.allclose(rule(tracks, tracks).xyz, tracks.xyz, atol=1e-4)
    with pytest.raises(BadUsage, match="two estimates"):
        rule(tracks, tracks, tracks)


def test_confidences_are_put_on_one_scale() -> None:
    poses = passing()
    pair = tracks_of(poses, [3, 8], sure=0.07), tracks_of(poses, [3, 8], sure=0.9)
    assert torch.allclose(together(pair).confidence, torch.ones(()))


def test_weights_by_name_or_path(small: FusionNetwork, tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    Checkpoint.of(small, "fusion", arguments={"width": 16, "dilations": [1, 2]}).save(path)
    tracks = tracks_of(passing(), [3, 8])
    ours = make_integration("learned", weights=str(path))(tracks, tracks)
    assert torch.allclose(ours.xyz, Integration(Learned(small))(tracks, tracks).xyz, atol=1e-6)
    with pytest.raises(MissingWeights):
        Learned.load("nothing-of-this-name")


def test_what_does_not_belong_together_is_refused(small: FusionNetwork) -> None:
    tracks = tracks_of(passing(), [3, 8])
    with pytest.raises(BadUsage, match="two estimates or more"):
        Integration(Linear())(tracks)
    with pytest.raises(BadInput, match="one size"):
        Integration(Linear())(tracks, tracks.with_(camera=Camera.guess((640, 480))))
    with pytest.raises(BadUsage, match="roles"):
        Learned(small, roles=("sideways",))
    with pytest.raises(BadUsage, match="hard, linear"):
        make_integration("soft")


def test_nobody_at_all(small: FusionNetwork) -> None:
    empty = tracks_of(torch.full((4, 1, 17, 3), torch.nan), [0])
    for rule in rules(small):
        assert len(Integration(rule)(empty, empty)) == 0  # ty: ignore[invalid-argument-type]
