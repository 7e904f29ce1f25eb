import torch

from dyad.models.person_reading import read_people
from dyad.training.person_loss import PersonLoss, focal, wanted
from tests.models.person_truth import perfect, standing

SIZE = (320, 256)
XY = standing([(80.0, 120.0), (220.0, 140.0)], [160.0, 60.0])
DEPTH = torch.tensor((4.0, 9.0))


def batch() -> dict[str, torch.Tensor]:
    xyz = torch.cat((XY / 100, DEPTH[:, None, None].expand(2, 17, 1)), -1)
    padded = {"xy": XY, "xyz": xyz, "confidence": torch.ones(2, 17), "metres": torch.tensor((0.9, 1.1))}
    people = {
        name: torch.cat((value, torch.full((1, *value.shape[1:]), torch.nan)))[None] for name, value in padded.items()
    }
    return {
        **people,
        **{name: value[None] for name, value in wanted(XY, torch.ones(2, 17), DEPTH, SIZE)._asdict().items()},
    }


def test_the_truth_costs_least() -> None:
    true = perfect(XY, torch.tensor((0.9, 1.1)), torch.zeros(2, 17), SIZE)
    best = PersonLoss()(true, batch())
    for name, wrong in (
        ("middle", true._replace(middle=-true.middle)),
        ("reach", true._replace(reach=true.reach + 0.5)),
        ("offsets", true._replace(offsets=true.offsets + 0.2)),
        ("metres", true._replace(depth=true.depth + 0.5)),
        ("relative", true._replace(relative=true.relative + 0.3)),
        ("heat", true._replace(heatmaps=-true.heatmaps)),
    ):
        assert PersonLoss()(wrong, batch())[name] > best[name] + 0.05, name


def test_nobody_is_fine() -> None:
    goal = wanted(XY[:0], torch.ones(0, 17), DEPTH[:0], SIZE)
    empty = {name: torch.full_like(value, torch.nan) for name, value in batch().items() if name not in goal._fields}
    empty |= {name: value[None] for name, value in goal._asdict().items()}
    maps = perfect(XY[:0], DEPTH[:0], torch.zeros(0, 17), SIZE)
    told = PersonLoss()(maps, empty)
    assert all(torch.isfinite(value) for value in told.values())
    assert told["loss"] < 0.1


def test_what_is_wanted_can_be_read_again() -> None:
    goal = wanted(XY, torch.ones(2, 17), DEPTH, SIZE)
    maps = perfect(XY, DEPTH, torch.zeros(2, 17), SIZE)
    read = read_people(maps._replace(middle=torch.logit(goal.centre, eps=1e-3)[None, None]), snap=0)
    assert len(read.score) == 2
    assert goal.counts.all()


def test_who_is_too_large_or_too_hidden_is_no_error_either_way() -> None:
    large = standing([(160.0, 130.0)], [240.0])
    goal = wanted(large, torch.ones(1, 17), DEPTH[:1], SIZE)
    assert goal.centre.max() == 0
    assert goal.counts[14, 20] == 0
    assert goal.counts[2, 2] == 1
    hidden = wanted(XY, torch.full((2, 17), 0.25), DEPTH, SIZE)
    assert hidden.centre.max() == 0


def test_the_nearer_one_owns_a_shared_cell() -> None:
    same = XY[:1].expand(2, 17, 2)
    for depth in (torch.tensor((4.0, 9.0)), torch.tensor((9.0, 4.0))):
        goal = wanted(same, torch.ones(2, 17), depth, SIZE)
        assert (goal.owner[goal.weight > 0] == int(depth.argmin())).all()


def test_focal_is_least_at_the_truth() -> None:
    truth = torch.zeros(1, 8, 8)
    truth[0, 3, 3] = 1
    sure, unsure = torch.where(truth > 0, 6.0, -6.0), torch.zeros(1, 8, 8)
    assert focal(sure, truth, torch.ones_like(truth)) < 0.01 < focal(unsure, truth, torch.ones_like(truth))
    assert focal(unsure, truth, torch.zeros_like(truth)) == 0
