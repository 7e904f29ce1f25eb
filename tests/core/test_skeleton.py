import itertools
import math
from dataclasses import replace

import pytest
import torch

from dyad.core.errors import BadInput
from dyad.core.skeleton import BLAZEPOSE33, BODY17, COCO17, LSP14, MUPOTS17, OPENPOSE18, POSETRACK17, Skeleton

ALL = (BODY17, COCO17, MUPOTS17, LSP14, BLAZEPOSE33)
PAIRS = list(itertools.product(ALL, ALL))
CLICKED = (COCO17, BLAZEPOSE33)
# What cannot be derived, all pairs: there is no nose in MuPoTS and LSP, no eyes and ears but in COCO and BlazePose.
FACE = {"nose", "left_eye", "right_eye", "left_ear", "right_ear"}


def name_pair(pair: object) -> str:
    return pair.name if isinstance(pair, Skeleton) else str(pair)


def poses(skeleton: Skeleton, count: int = 4) -> torch.Tensor:
    return torch.randn(count, len(skeleton), 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def derivable(source: Skeleton, target: Skeleton) -> set[str]:
    converted = source.convert(torch.zeros(len(source), 1), target)
    return {name for name, value in zip(target.names, converted, strict=True) if torch.isfinite(value)}


def test_the_canonical_order_is_that_of_the_conventions() -> None:
    assert BODY17.names == (
        "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "spine", "neck",
        "nose", "head_top", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist",
    )  # fmt: skip
    assert [len(s) for s in ALL] == [17, 17, 17, 14, 33]
    assert COCO17.names[:5] == ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
    assert BODY17.root == "pelvis"


@pytest.mark.parametrize("skeleton", ALL, ids=name_pair)
def test_mirroring_twice_is_nothing_and_parents_mirror_too(skeleton: Skeleton) -> None:
    mirror = skeleton.mirror
    assert [mirror[mirror[j]] for j in range(len(skeleton))] == list(range(len(skeleton)))
    for joint, other in enumerate(mirror):
        name = skeleton.names[joint]
        assert ("left" in name) == ("right" in skeleton.names[other])
        assert (joint == other) == ("left" not in name and "right" not in name)
    if skeleton is not LSP14:
        assert {(mirror[a], mirror[b]) for a, b in skeleton.bones} == set(skeleton.bones)
    values = poses(skeleton)
    assert torch.equal(skeleton.flip(skeleton.flip(values)), values)
    left, right = skeleton.indices("left_wrist", "right_wrist")
    assert torch.equal(skeleton.flip(values)[:, left], values[:, right])


@pytest.mark.parametrize("skeleton", ALL, ids=name_pair)
def test_bones_join_all_joints_in_one_tree(skeleton: Skeleton) -> None:
    assert len(skeleton.bones) == len(skeleton) - 1
    assert torch.isfinite(skeleton.hops()).all()


def test_hops_count_bones() -> None:
    hops = BODY17.hops()
    assert torch.equal(hops, hops.T)
    wrist, ankle, pelvis, head = BODY17.indices("left_wrist", "right_ankle", "pelvis", "head_top")
    assert hops[wrist, wrist] == 0
    assert hops[wrist, ankle] == 8
    assert hops[pelvis, head] == 4
    assert torch.isinf(Skeleton.of_names(("a", "b")).hops()[0, 1])


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=name_pair)
def test_shared_names_are_copied_exactly_the_rest_is_derived_or_missing(source: Skeleton, target: Skeleton) -> None:
    values, pair = poses(source).float(), (source, target)
    converted = source.convert(values, target)
    adapted = {"left_hip", "right_hip"} if (source in CLICKED) != (target in CLICKED) and LSP14 not in pair else set()
    for k, name in enumerate(target.names):
        if name in adapted:
            continue
        if name in source.names:
            assert torch.equal(converted[:, k], values[:, source.index(name)])
        else:
            assert torch.isnan(converted[:, k]).all() == (name not in derivable(source, target))
    body = {"pelvis", "neck", "spine", *(f"{s}_{j}" for s in ("left", "right") for j in ("hip", "knee", "wrist"))}
    assert body & {*target.names} <= derivable(source, target)
    if source in (MUPOTS17, LSP14):
        assert not derivable(source, target) & FACE


def test_what_can_be_derived_from_what() -> None:
    """All of the body follows from any skeleton; a face only from one that has it."""
    for source, target in PAIRS:
        if target is not BLAZEPOSE33:
            assert {*target.names} - derivable(source, target) == ({*target.names} & FACE) - {*source.names}


@pytest.mark.parametrize("source", [COCO17, BLAZEPOSE33], ids=name_pair)
def test_hips_that_are_clicked_lie_below_those_of_motion_capture(source: Skeleton) -> None:
    values = poses(source)
    converted = source.convert(values, BODY17)

    def at(name: str) -> torch.Tensor:
        return values[:, source.index(name)]

    hips = (at("left_hip") + at("right_hip")) / 2
    shoulders = (at("left_shoulder") + at("right_shoulder")) / 2
    trunk = shoulders - hips
    left, right, pelvis, neck, spine = (
        converted[:, BODY17.index(name)] for name in ("left_hip", "right_hip", "pelvis", "neck", "spine")
    )
    assert torch.allclose(pelvis, hips + 0.165 * trunk)
    assert torch.allclose(neck, shoulders + 0.14 * trunk)
    assert torch.allclose(spine, (hips + shoulders) / 2)
    assert torch.allclose(0.5 * (left + right), pelvis)
    assert torch.allclose(left - right, 1.31 * (at("left_hip") - at("right_hip")))
    back = BODY17.convert(converted, source)
    for name in ("left_hip", "right_hip", "left_shoulder"):
        assert torch.allclose(back[:, source.index(name)], at(name))


@pytest.mark.parametrize("source", [COCO17, BLAZEPOSE33], ids=name_pair)
def test_the_head_top_of_an_upright_head_lies_above_the_ears(source: Skeleton) -> None:
    """A standing person of 1.75 m in metres, y down: ears at 1.62 m, eyes 1.64, mouth 1.57, shoulders 1.43."""
    heights = {"ear": 1.62, "eye": 1.64, "mouth": 1.57, "shoulder": 1.43, "nose": 1.60}
    rows = [[0.0, -next((h for part, h in heights.items() if part in n), 0.8), 0.0] for n in source.names]
    top = source.convert(torch.tensor(rows), BODY17)[BODY17.index("head_top")]
    assert -float(top[1]) == pytest.approx(1.75, abs=0.02)


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=name_pair)
def test_conversion_follows_a_shift_and_a_mirror(source: Skeleton, target: Skeleton) -> None:
    values, shift = poses(source), torch.tensor([1000.0, -2000.0, 3.0], dtype=torch.float64)
    plain = source.convert(values, target)
    assert torch.allclose(source.convert(values + shift, target), plain + shift, atol=1e-9, equal_nan=True)
    mirrored = target.flip(plain)
    assert torch.allclose(source.convert(source.flip(values), target), mirrored, atol=1e-12, equal_nan=True)


@pytest.mark.parametrize("source", ALL, ids=name_pair)
def test_a_missing_joint_hides_only_joints_that_use_it(source: Skeleton) -> None:
    values = poses(source, 1)[0]
    plain = source.convert(values, BODY17)
    for joint in range(len(source)):
        holed, moved = values.clone(), values.clone()
        holed[joint] = math.nan
        moved[joint] += 1
        uses = (source.convert(moved, BODY17) != plain).any(-1) & plain.isfinite().all(-1)
        hidden = source.convert(holed, BODY17).isnan().all(-1) & plain.isfinite().all(-1)
        assert torch.equal(hidden, uses)


def test_a_single_missing_coordinate_hides_only_that_coordinate() -> None:
    values = poses(COCO17, 1)[0]
    values[COCO17.index("left_hip"), 2] = math.nan
    pelvis = COCO17.convert(values, BODY17)[BODY17.index("pelvis")]
    assert torch.isfinite(pelvis).tolist() == [True, True, False]


def test_confidence_is_that_of_the_weakest_part() -> None:
    confidence = torch.ones(2, len(COCO17))
    confidence[0, COCO17.index("left_hip")] = 0.25
    converted = COCO17.convert_confidence(confidence, BODY17)
    pelvis, spine, knee = BODY17.indices("pelvis", "spine", "left_knee")
    assert converted[0, [pelvis, spine, knee]].tolist() == [0.25, 0.25, 1.0]
    assert converted[1].tolist() == [1.0] * 17
    assert MUPOTS17.convert_confidence(torch.ones(17), BODY17)[BODY17.index("nose")] == 0
    assert torch.isnan(MUPOTS17.convert_confidence(torch.ones(17), BODY17, underivable=math.nan)[BODY17.index("nose")])


def test_sigma_of_a_middle_is_that_of_a_mean() -> None:
    generator = torch.Generator().manual_seed(5)
    sigma = torch.rand(len(BLAZEPOSE33), 3, generator=generator, dtype=torch.float64) + 0.1
    drawn = sigma * torch.randn(4000, len(BLAZEPOSE33), 3, generator=generator, dtype=torch.float64)
    told = BLAZEPOSE33.convert_sigma(sigma, BODY17)
    assert torch.allclose(BLAZEPOSE33.convert(drawn, BODY17).std(0), told, rtol=0.06)
    assert torch.isnan(MUPOTS17.convert_sigma(torch.ones(17, 3), BODY17)[BODY17.index("nose")]).all()


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=name_pair)
def test_nobody_converts_to_nobody(source: Skeleton, target: Skeleton) -> None:
    assert source.convert(torch.zeros(0, len(source), 2), target).shape == (0, len(target), 2)
    assert source.convert_confidence(torch.zeros(0, len(source)), target).shape == (0, len(target))


def test_json_and_back() -> None:
    for skeleton in (*ALL, OPENPOSE18, POSETRACK17, replace(COCO17, source="unknown")):
        assert Skeleton.from_json(skeleton.to_json()) == skeleton


def test_a_file_that_does_not_say_where_joints_come_from_is_known_by_their_names() -> None:
    for skeleton in ALL:
        said = skeleton.to_json()
        assert said.pop("source") == (
            "clicked" if skeleton in CLICKED else "unknown" if skeleton is LSP14 else "captured"
        )
        assert Skeleton.from_json(said) == skeleton
        assert Skeleton.of_names(skeleton.names).source == skeleton.source
    assert Skeleton.of_names(("left_eye", "pelvis")).source == "unknown"
    assert Skeleton.of_names(("left_eye", "pelvis"), source="clicked").source == "clicked"


def test_who_states_no_source_is_not_adapted() -> None:
    values = poses(COCO17)
    hips = replace(COCO17, source="unknown").convert(values, BODY17)[:, BODY17.indices("left_hip", "right_hip")]
    assert torch.equal(hips, values[:, COCO17.indices("left_hip", "right_hip")])


@pytest.mark.parametrize(
    ("names", "parents", "words"),
    [
        (("a", "a"), ("", "a"), "twice"),
        (("a", "b"), ("",), "parent"),
        (("a", "b"), ("", "c"), "parent"),
        (("a", "b", "c"), ("", "c", "b"), "circle"),
        (("a", "b"), ("b", "a"), "circle"),
        (("a",), ("a",), "circle"),
        ((), (), "at least one joint"),
        (("a", ""), ("", "a"), "a name for each"),
    ],
)
def test_what_is_no_skeleton_is_refused(names: tuple[str, ...], parents: tuple[str, ...], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        Skeleton("odd", names, parents)


@pytest.mark.parametrize("source", ["drawn", None, 3, ["clicked"], ""])
def test_a_source_that_there_is_not_is_refused(source: object) -> None:
    with pytest.raises(BadInput, match="clicked, captured, unknown"):
        Skeleton.from_json(BODY17.to_json() | {"source": source})


@pytest.mark.parametrize("fields", [{}, {"name": "x"}, {"name": "x", "names": 3, "parents": []}, None, [], "body17"])
def test_junk_for_a_skeleton_is_refused(fields: object) -> None:
    with pytest.raises(BadInput):
        Skeleton.from_json(fields)  # ty: ignore[invalid-argument-type]


def test_an_unknown_joint_is_answered_with_those_there_are() -> None:
    with pytest.raises(BadInput, match=r"no joint 'tail'.*pelvis, right_hip"):
        BODY17.index("tail")
