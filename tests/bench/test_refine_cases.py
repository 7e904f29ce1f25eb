"""Held-out worlds, and data sets in their own layouts, become cases; what was computed once is kept."""

import json
from functools import partial

import numpy as np
import pytest
import torch

from dyad.bench import refine_cases
from dyad.bench.refine import Measure, bench_refine
from dyad.bench.refine_cases import FIRST_SEED, LEVELS, TWINS, HeldOut, Kind, Level, Pass, Real, kinds, limb_speed
from dyad.bench.refine_data import DataCases, Predicted, counted, find_sets
from dyad.bench.refine_tables import ROWS_3
from dyad.core.clip import Clip
from dyad.core.errors import BadInput, BadUsage
from dyad.core.flow import Flow
from dyad.core.flow_files import write_flow
from dyad.core.skeleton import BODY17, LSP14
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.datasets.human36m import read_human36m
from dyad.estimates.sheet import Advice
from dyad.export.video import clip_writer
from dyad.pipeline import Refinement
from dyad.refinement.problem import Lambdas
from dyad.synthetic.random_scenes import Recipe
from tests.bench.refining import Outcome
from tests.conftest import Dyad
from tests.datasets import test_flow_sets, test_human36m, test_threedpw

SMALL = Recipe(
    people=(1, 1), size=(64, 48), seconds=0.4, fps=10, near=2, far=4, cameras=("static",), lens=0.0, detail="low",
    samples=1, furniture=0, indoors=False,
)  # fmt: skip

FLOWS_AND_TOOLS = (("one", "other"), ("anatomy3d", "metro"))


class Still:
    """A flow estimator that says nothing moves, and counts the pairs that it is asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, first, second) -> Flow:
        self.asked += len(first)
        return Flow(torch.zeros(len(first), 2, *first.images.shape[1:3]))

    def copy(self) -> "Still":
        return self


class Nothing:
    """A refiner that changes nothing."""

    def __call__(self, video, tracks, estimator, *, advice=None) -> Outcome:
        flow = torch.zeros(2, *video.size[::-1])
        flows = [Flow(flow) for _ in range(len(video) - 1)]
        return Outcome(tracks, flows, flows, {"flow": 0.0})


def test_worlds_are_held_out_and_each_is_passed_over_once() -> None:
    estimator = Still()
    worlds = HeldOut([Kind("calm", SMALL), Kind("lively", SMALL, fast=False)], each=1)
    cases = list(worlds(estimator))
    assert FIRST_SEED >= 2**31
    assert [case.name.rpartition(" ")[0] for case in cases] == [case.world for case in cases]
    assert [(case.kind, case.level) for case in cases] == [
        (kind, level.name) for kind in ("calm", "lively") for level in LEVELS
    ]
    assert len({case.world for case in cases}) == 2
    assert all(int(case.world.split()[-1]) >= 2**31 for case in cases)
    assert estimator.asked == 2 * 3
    assert cases[0].flow is cases[1].flow
    assert isinstance(cases[0].flow, Pass)
    first, second = (case.tracks for case in cases[:2])
    truth = cases[0].clip.truth
    off = [torch.linalg.vector_norm(t.xyz - truth.xyz[torch.isin(truth.frame, t.frame)], dim=-1).mean()
           for t in (first, second) if len(t)]  # fmt: skip
    assert off == sorted(off)
    assert {kind.name for kind in kinds()} == {"near", "pairs", "crowds", "moving cameras", "fast limbs"}
    assert [kind.recipe.fps for kind in kinds() if kind.fast] == [10]
    # What is kept answers without the network.
    pair = next(iter(cases[0].video.chunks(4)))
    before = estimator.asked
    cases[0].flow(*(type(pair)(*(v[s] for v in (pair.indices, pair.times, pair.images, pair.cut)))
                    for s in (slice(0, 2), slice(1, 3))))  # fmt: skip
    assert estimator.asked == before
    with pytest.raises(BadUsage, match="at least"):
        HeldOut([], each=1)


def test_only_worlds_with_fast_limbs_are_taken_where_they_are_wanted(monkeypatch) -> None:
    speeds = {seed: limb_speed(SMALL(seed)) for seed in range(FIRST_SEED, FIRST_SEED + 3)}
    monkeypatch.setattr(refine_cases, "FAST", sorted(speeds.values())[1])
    wanted = [seed for seed, speed in speeds.items() if speed >= refine_cases.FAST]
    for fast, seeds in ((True, wanted), (False, list(speeds)[:2])):
        kind = Kind("some", SMALL, fast=fast)
        assert [seed for seed, _ in HeldOut([kind], each=2).scenes(kind, FIRST_SEED)] == seeds
    monkeypatch.setattr(refine_cases, "FAST", 1e9)
    monkeypatch.setattr(refine_cases, "_TRIES", 2)
    kind = Kind("some", SMALL, fast=True)
    with pytest.raises(BadUsage, match="only 0 have fast limbs"):
        list(HeldOut([kind], each=1).scenes(kind, FIRST_SEED))


def test_two_estimators_of_one_kind_err_apart() -> None:
    truth = SMALL(FIRST_SEED).truth(BODY17)
    clip = Clip(None, truth)
    alike = [Level(name, TWINS[0].flat, TWINS[0].solid)(clip, 3)[0] for name in ("one", "other", "one")]
    errors = [tracks.xyz.double().mean() for tracks in alike if len(tracks)]
    if len(errors) == 3:
        assert errors[0] == errors[2] != errors[1]
    with pytest.raises(BadUsage, match="predictions or a detector"):
        LEVELS[0](Clip(Video(np.zeros((2, 8, 8, 3), np.uint8)), None), 0)
    with pytest.raises(BadUsage, match="no images"):
        Real("eye", lambda video: truth)(clip, 0)


def _movie(path, *, frames: int, size=(1000, 1000), fps: float = 50.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with clip_writer(path) as writer:
        for k in range(frames):
            writer.write(np.full((size[1], size[0], 3), 10 * k, np.uint8), k / fps)


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """The three data sets side by side: one clip each with images."""
    studio = tmp_path / "h36m"
    studio.mkdir()
    monkeypatch.setattr(test_human36m, "studio_walk", partial(test_human36m.studio_walk, 12))
    test_human36m.write(studio, actions=("Directions",), subjects=("S9",))
    _movie(studio / "S9/Videos/Directions.60457274.mp4", frames=12, size=(1000, 1002))
    street = tmp_path / "3dpw"
    test_threedpw.write(street, test_threedpw.sequence()[0])
    for k in range(5):
        test_flow_sets.image(street / f"imageFiles/street_00/image_{k:05}.jpg", 10 * k, size=(270, 480))
    for scene in ("cave_2", "alley_1"):
        for k in (1, 2, 3):
            test_flow_sets.image(tmp_path / f"sintel/training/final/{scene}/frame_{k:04}.png", 10 * k)
            if k < 3:
                test_flow_sets.flow(tmp_path / f"sintel/training/flow/{scene}/frame_{k:04}.flo", float(k))
    return tmp_path


def test_data_sets_are_known_by_their_layout(tree) -> None:
    found = find_sets(tree)
    assert sorted(each.name for each, _ in found) == ["3dpw", "human36m", "sintel"]
    ((only, folder),) = find_sets(tree / "sintel")
    assert (only.name, only.flat, only.scored, folder) == ("sintel", True, None, tree / "sintel")
    with pytest.raises(BadInput, match="holds none of"):
        find_sets(tree / "3dpw" / "imageFiles")
    with pytest.raises(BadInput, match="no folder"):
        find_sets(tree / "nowhere")


def test_sintel_counts_all_pixels_of_its_scenes_with_people(tree) -> None:
    ((dataset, folder),) = find_sets(tree / "sintel")
    nobody = Tracks.of_rows(
        camera=Video(np.zeros((1, 8, 12, 3), np.uint8)).camera, frame=torch.zeros(0), person=torch.zeros(0),
        frames=torch.arange(3),
    )  # fmt: skip
    cases = list(DataCases(dataset, folder, [Real("eye", lambda video: nobody)])(Still()))
    assert [case.clip.name for case in cases] == ["sintel/final/cave_2"]
    report = bench_refine(cases, Measure(Nothing(), None, dataset.scored))
    assert report["before"]["epe"] == pytest.approx(1.5)
    assert report["before"]["mpjpe"] is None
    short = counted(cases[0].clip, fps=None, frames=2)
    assert (len(short.video), len(short.flow)) == (2, 1)
    with pytest.raises(BadUsage, match="no true people"):
        list(DataCases(dataset, folder, LEVELS)(Still()))


def test_poses_of_other_tools_are_found_by_the_name_of_the_clip(tree, tmp_path) -> None:
    (dataset, folder) = next(pair for pair in find_sets(tree) if pair[0].name == "3dpw")
    place = tmp_path / "poses"
    place.mkdir()
    (place / "street_00.json").write_text("{}")
    (place / "cafe_00.json").write_text("{}")
    asked = []

    def read(path, video):
        asked.append((path.name, len(video)))
        tracks = Tracks.of_rows(
            camera=video.camera, frame=torch.zeros(0), person=torch.zeros(0), frames=torch.arange(5)
        )
        return tracks, Advice(motion=False)

    (case,) = DataCases(dataset, folder, [Predicted(place, read)])(Still())
    assert (case.level, asked) == ("predictions", [("street_00.json", 5)])
    assert case.advice == Advice(motion=False)
    (place / "street_00.json").unlink()
    with pytest.raises(BadInput, match="no clip with predictions"):
        list(DataCases(dataset, folder, [Predicted(place, read)])(Still()))


def test_human36m_is_thinned_to_ten_frames_a_second(tree) -> None:
    """Frames 1, 6, 11 … of 50 a second, images and truth alike."""
    clip = Clip(Video(np.arange(12, dtype=np.uint8)[:, None, None, None].repeat(8, 1).repeat(8, 2).repeat(3, 3)), None)
    thin = counted(clip, fps=6.0, first=1)
    assert [int(thin.video[k][0, 0, 0]) for k in range(3)] == [1, 6, 11]
    (dataset, folder) = next(pair for pair in find_sets(tree) if pair[0].name == "human36m")
    assert (dataset.epe, dataset.scored.alone, dataset.scored.root) == ("epe_joints", True, ("left_hip", "right_hip"))
    (case,) = DataCases(dataset, folder, [Level("exact", None, None)])(Still())
    assert case.video.indices.tolist() == case.clip.truth.frames.tolist() == [1, 6, 11]
    assert (case.clip.truth.fps, case.video.fps) == (10, pytest.approx(10))
    assert case.tracks.frames.tolist() == [1, 6, 11]
    # Nothing moves, says the flow: at joints it is off by as far as they go.
    report = bench_refine([case], Measure(Nothing(), None, dataset.scored))
    step = torch.linalg.vector_norm(case.clip.truth.xy[1:] - case.clip.truth.xy[:-1], dim=-1).mean()
    assert report["before"]["epe_joints"] == pytest.approx(float(step), rel=1e-3)
    assert report["before"]["mpjpe"] == pytest.approx(0, abs=1e-3)
    assert report["before"]["epe"] is None


def test_the_verb_makes_a_table_of_a_data_set(tree, tmp_path, dyad: Dyad) -> None:
    flow = tmp_path / "flow"
    for frame in (1, 6):
        write_flow(flow / f"{frame}.flo", Flow(torch.zeros(2, 1002, 1000)))
    told = ("bench", "refine", "--data", tree / "h36m", "--flow", flow)
    ended = dyad(*told, "--table", "3")
    assert ended.status == 0, ended.err
    lines = [line.split("  ")[0] for line in ended.out.splitlines()]
    assert [line for line in lines if line in ROWS_3][:6] == list(ROWS_3)


def _predicted(folder, tree, *, seed: int, shape: str) -> None:
    """Poses of S9's clip as Anatomy3D exports them, or as METRO has them."""
    truth = next(c for c in read_human36m(tree / "h36m", split="test", cameras=("60457274",))).truth
    noise = np.random.default_rng(seed).normal(0, 0.05, truth.xyz.shape)
    xyz = truth.xyz.numpy() - truth.xyz.numpy()[:, :1] + noise
    place = folder / "S9" / "Directions.60457274.npz"
    place.parent.mkdir(parents=True)
    if shape == "anatomy3d":
        np.savez(place, predictions=xyz, keypoints_2d=truth.xy.numpy())
        return
    body = truth.with_(xyz=torch.from_numpy(xyz).float()).convert(LSP14)
    # One metre is focal / depth pixels, of which the crop has 112 to each side of the pelvis.
    camera = np.tile([0.9, 0.0, 0.0], (len(xyz), 1))
    enlarged = 0.9 * 112 * truth.xyz[:, 0, 2].numpy() / float(truth.camera.focal.mean())
    start = enlarged[:, None] * truth.xy[:, 0].numpy()
    np.savez(
        place, pred_3d_joints_from_smpl=body.xyz.numpy(), pred_camera=camera, crop_scale=enlarged, crop_start=start
    )


@pytest.fixture
def seen(monkeypatch):
    """What refiners of poses are asked for: (mode, weak camera, motion's weight, made from the 2D joints)."""
    told = []
    real = Refinement.default

    def default(**given):
        made = real(**given)
        pose = made.refiner.pose
        told.append((pose.mode, pose.weak_camera, pose.lambdas and pose.lambdas.motion, pose.lifted))
        # Nothing below needs the paper's thousands of steps.
        return real(**given | {"recipe": "fast"})

    monkeypatch.setattr(Refinement, "default", default)
    return told


@pytest.mark.parametrize("table", ["1", "3", "figure6"])
def test_poses_of_other_tools_are_refined_as_they_need_it(table, tree, tmp_path, seen, dyad: Dyad) -> None:
    """Anatomy3D's with a camera that is given and without terms on motion, METRO's with a camera of their own."""
    flow = tmp_path / "flow"
    for frame in (1, 6):
        write_flow(flow / f"{frame}.flo", Flow(torch.zeros(2, 1002, 1000)))
    _predicted(tmp_path / "anatomy3d", tree, seed=1, shape="anatomy3d")
    _predicted(tmp_path / "metro", tree, seed=2, shape="metro")
    told = ("bench", "refine", "--data", tree / "h36m", "--flow", flow, "--recipe", "paper", "--cycles", "1", "--json")
    ended = dyad(*told, "--table", table, "--predictions", f"{tmp_path / 'anatomy3d'},{tmp_path / 'metro'}")
    assert ended.status == 0, ended.err
    weights = Lambdas.published().motion
    # The first is made for the flow alone.
    assert seen[1:] == [("3d", False, 0, False), ("3d", True, weights, False)]


def test_poses_of_our_own_are_refined_as_such(tree, tmp_path, seen, dyad: Dyad) -> None:
    truth = next(c for c in read_human36m(tree / "h36m", split="test", cameras=("60457274",))).truth
    truth.save(tmp_path / "ours" / "S9" / "Directions.60457274" / "tracks.npz")
    flat = truth.with_(xyz=torch.full_like(truth.xyz, torch.nan))
    flat.save(tmp_path / "flat" / "S9" / "Directions.60457274" / "tracks.npz")
    flow = tmp_path / "flow"
    for frame in (1, 6):
        write_flow(flow / f"{frame}.flo", Flow(torch.zeros(2, 1002, 1000)))
    told = ("bench", "refine", "--data", tree / "h36m", "--flow", flow, "--table", "1")
    assert dyad(*told, "--predictions", f"{tmp_path / 'ours'},{tmp_path / 'flat'}").status == 0
    assert seen[1:] == [("3d", False, None, True), ("2d", False, None, False)]


def test_the_mean_of_two_tools_is_table_2(tree, tmp_path, dyad: Dyad) -> None:
    for name in ("one", "other"):
        for frame in (1, 6):
            write_flow(tmp_path / name / f"{frame}.flo", Flow(torch.zeros(2, 1002, 1000)))
    _predicted(tmp_path / "anatomy3d", tree, seed=1, shape="anatomy3d")
    _predicted(tmp_path / "metro", tree, seed=2, shape="metro")
    flows, poses = (",".join(str(tmp_path / name) for name in pair) for pair in FLOWS_AND_TOOLS)
    told = ("bench", "refine", "--data", tree / "h36m", "--table", "2", "--flow", flows, "--json")
    ended = dyad(*told, "--predictions", poses)
    assert ended.status == 0, ended.err
    rows = {row["method"]: row for row in json.loads(ended.out.splitlines()[-1])["rows"]}
    one, two, both = (rows[f"poses: {name}"]["mpjpe"]["value"]
                      for name in ("anatomy3d", "metro", "mean(anatomy3d, metro)"))  # fmt: skip
    assert both < 0.85 * min(one, two)
    assert rows[f"refined: mean(anatomy3d, metro) / mean({flows.replace(',', ', ')})"]["cases"] == 1
    ended = dyad(*told, "--predictions", tmp_path / "metro")
    assert ended.status == 2
    assert "--predictions A,B" in ended.complaint


@pytest.mark.parametrize("table", ["1", "3"])
def test_networks_see_large_images_shrunk_in_every_table(table, tree, tmp_path, monkeypatch, dyad: Dyad) -> None:
    sizes = []

    class Network(Still):
        network = torch.nn.Conv2d(1, 1, 1)

        def __call__(self, first, second) -> Flow:
            sizes.append(first.images.shape[1:3])
            return super().__call__(first, second)

    monkeypatch.setattr("dyad.stages.flow.make_flow", lambda *_, **__: Network())
    _predicted(tmp_path / "anatomy3d", tree, seed=1, shape="anatomy3d")
    told = ("bench", "refine", "--data", tree / "h36m", "--predictions", tmp_path / "anatomy3d", "--cycles", "1")
    ended = dyad(*told, "--table", table)
    assert ended.status == 0, ended.err
    assert set(sizes) == {(960, 958)}
