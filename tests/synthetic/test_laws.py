"""Laws of rendered truth, on scenes at random: measured by means that share no code with what they judge."""

import hashlib
import pickle
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch.utils.data import DataLoader

from dyad.core.skeleton import BODY17, COCO17
from dyad.synthetic.actors import Actor
from dyad.synthetic.bodies.body import BONES, PARTS, BodyModel, Phenotype
from dyad.synthetic.casting import seat
from dyad.synthetic.motion.contact import penetration
from dyad.synthetic.motion.takes import Take
from dyad.synthetic.places.surroundings import FIRST_THING, Surroundings
from dyad.synthetic.random_scenes import CameraKind, Recipe
from dyad.synthetic.rendering.fashion import random_look
from dyad.synthetic.rendering.lens import Lens
from dyad.synthetic.rendering.looks import Picture
from dyad.synthetic.rendering.render import Rendering
from dyad.synthetic.samples import Samples
from dyad.synthetic.scenes import Scene

from . import laws

SMALL = Recipe(people=(2, 4), size=(224, 168), seconds=0.5, fps=12.0, detail="low", lens=0.0)
MOVING: tuple[tuple[CameraKind, int], ...] = (
    ("panning", 201), ("handheld", 202), ("walking", 203), ("panning", 5), ("handheld", 206), ("walking", 215),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Shot:
    """Two neighbouring frames of a scene and the flow from the second back to the first."""

    scene: Scene
    first: Rendering
    second: Rendering
    back: NDArray[np.float32]

    @property
    def flow(self) -> NDArray[np.float32]:
        assert self.first.flow is not None
        return self.first.flow

    @property
    def calm(self) -> NDArray[np.bool_]:
        """Pixels that stay seen, away from silhouettes in both frames."""
        to = laws.grid(*self.first.depth.shape) + np.nan_to_num(self.flow, nan=-1e6)
        return laws.plain(self.first) & ~self.first.occluded & laws.plain_at(laws.plain(self.second), to)


@pytest.fixture(scope="module")
def shots() -> list[Shot]:
    made = []
    for kind, seed in MOVING:
        scene = replace(SMALL, cameras=(kind,))(seed)
        back = np.moveaxis(scene.backward(1).uv.numpy(), 0, -1)
        made.append(Shot(scene, scene.render(1), scene.render(2), back))
    return made


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [replace(SMALL, size=(160, 120), samples=1, cameras=("static", "handheld"))(seed) for seed in range(6)]


def wrong(flow: NDArray) -> dict[str, NDArray]:
    """The flow with each of the faults that are easily made."""
    height, width = flow.shape[:2]
    turned = flow.swapaxes(0, 1)[np.arange(height) * width // height][:, np.arange(width) * height // width]
    return {"sign": -flow, "axes": flow[..., ::-1], "transposed": turned, "none": 0 * flow, "half a pixel": flow + 0.5}


def test_the_next_frame_moved_by_the_flow_is_this_frame(shots: list[Shot]) -> None:
    """Stated bound, in grey levels over pixels that stay seen, away from silhouettes: mean 1.5, 95 of 100 within 10."""
    for samples in (1, 2):
        right, shifts = [], []
        others: dict[str, list[laws.Photometry]] = {}
        for shot in shots:
            rough = shot.scene.with_(samples=1)
            images = [
                (rough.render(k) if samples == 1 else drawn).image for k, drawn in ((1, shot.first), (2, shot.second))
            ]
            right.append(laws.photometry(*images, shot.flow, shot.calm))
            shifts.append(abs(right[-1].shift).max())
            for name, flow in wrong(shot.flow).items():
                others.setdefault(name, []).append(laws.photometry(*images, flow, shot.calm))
        level = np.mean([r.errors.mean() for r in right])
        assert level < 1.5
        assert max(np.percentile(r.errors, 95) for r in right) < 10
        # What the gradients say is left to move: next to nothing. Textures that alias mislead them, without smoothing.
        assert np.median(shifts) < 0.1
        assert samples == 1 or max(shifts) < 0.12
        for name in ("sign", "axes", "transposed", "none"):
            assert np.mean([r.errors.mean() for r in others[name]]) > 1.6 * level, name
        assert samples == 1 or min(abs(r.shift).max() for r in others["half a pixel"]) > 0.3


def test_flow_at_visible_vertices_is_their_projected_motion(shots: list[Shot]) -> None:
    rng = np.random.default_rng(0)
    found = [laws.pinned_errors(shot.scene, 1, rng, 9) for shot in shots]
    errors, depths = (np.concatenate(each) for each in zip(*found, strict=True))
    assert len(errors) > 30
    assert errors.max() < 0.1
    assert np.percentile(errors, 90) < 0.001
    assert depths.max() < 0.001
    # All of them, by interpolation, which is wrong between fingers.
    everywhere = np.concatenate([laws.vertex_errors(s.scene, 1, s.flow, s.first) for s in shots])
    assert len(everywhere) > 500
    assert np.percentile(everywhere, 95) < 0.1
    for name in ("sign", "axes", "transposed", "none", "half a pixel"):
        bad = np.concatenate([laws.vertex_errors(s.scene, 1, wrong(s.flow)[name], s.first) for s in shots])
        assert np.median(bad) > 0.5, name


def test_depth_lies_on_the_mesh_and_rays_find_the_same(shots: list[Shot]) -> None:
    rng = np.random.default_rng(0)
    for shot in shots:
        geometry, drawn = laws.Geometry(shot.scene, 1), shot.first
        points, solid = laws.unprojected(drawn, shot.scene), drawn.face >= 0
        on = geometry.on_surface(drawn.face[solid], drawn.barycentric[solid])
        assert np.linalg.norm(points[solid] - on, axis=-1).max() < 0.001
        assert geometry.off_plane(points[solid], drawn.face[solid]).max() < 0.001
        assert (geometry.owner[drawn.face[solid]] == drawn.identity[solid]).all()
        height, width = drawn.depth.shape
        x, y = rng.integers(width, size=60), rng.integers(height, size=60)
        _, face = geometry.cast(np.stack((x, y), -1).astype(float))
        assert ((face >= 0) == solid[y, x]).mean() > 0.98
        both = (face >= 0) & solid[y, x]
        same = geometry.owner[face[both]] == drawn.identity[y, x][both]
        assert same.mean() > 0.98
        assert geometry.off_plane(points[y, x][both][same], face[both][same]).max() < 0.001


def test_there_and_back_is_nowhere(shots: list[Shot]) -> None:
    for shot in shots:
        trip = laws.round_trip(shot.flow, shot.back, shot.first, shot.second)
        assert len(trip) > 10000
        # Where an arm touches a trunk no depth tells them apart.
        assert (trip < 0.1).mean() > 0.997
        assert np.percentile(trip, 99) < 0.1
        for bad in (-shot.back, shot.back[..., ::-1], shot.back + 0.5):
            assert np.median(laws.round_trip(shot.flow, bad, shot.first, shot.second)) > 0.2


def test_what_the_next_frame_hides_is_said(shots: list[Shot]) -> None:
    rng = np.random.default_rng(0)
    for (kind, seed), shot in zip(MOVING, shots, strict=True):
        hidden, false = laws.occlusion(shot.scene, 1, shot.first, rng, 80, True)
        seen, missed = laws.occlusion(shot.scene, 1, shot.first, rng, 80, False)
        share = (hidden * false + seen * missed) / (hidden + seen)
        assert share < 0.01, f"{share:.3f} wrong with camera {kind}, seed {seed}; {false:.2f} of the {hidden} hidden"


def test_masks_identities_parts_and_truth_agree(scenes: list[Scene]) -> None:
    found = off = people = 0
    for scene in scenes:
        truths = [scene.truth(skeleton) for skeleton in (BODY17, COCO17)]
        for frame in (0, 3):
            drawn, mask, geometry = scene.measured(frame), scene.mask(frame).numpy(), laws.Geometry(scene, frame)
            people = len(scene.actors)
            persons = (drawn.identity > 0) & (drawn.identity < FIRST_THING)
            assert ((mask > 0) == persons).all()
            assert (mask[persons] == drawn.identity[persons]).all()
            assert mask.max() <= people
            parts = np.concatenate([actor.part for actor in scene.actors])
            corners = parts[geometry.faces[drawn.face[persons]]]
            assert (corners == drawn.part[persons][:, None]).any(1).all()
            for truth in truths:
                seen = truth.confidence == 1
                assert torch.allclose(truth.reproject()[seen], truth.xy[seen], atol=0.01)
                for p in range(people):
                    mine = mask == p + 1
                    for row in torch.nonzero((truth.frame == frame) & (truth.person == p))[:, 0].tolist():
                        x, y = truth.xy[row][seen[row]].round().long().T.numpy()
                        found, off = found + len(x), off + (distance_transform_edt(~mine)[y, x] > 2).sum()
                        assert mine.any() or not seen[row].any()
                        if mine.any():
                            rows, columns = np.nonzero(mine)
                            x0, y0, x1, y1 = truth.box[row].tolist()
                            assert x0 - 1 <= columns.min() <= columns.max() <= x1 + 1
                            assert y0 - 1 <= rows.min() <= rows.max() <= y1 + 1
        if scene.path.still:
            world = truths[0].world
            assert world is not None
            down = scene.path.rotation[0] @ (0.0, -1.0, 0.0)
            np.testing.assert_allclose(world.gravity.numpy(), down, atol=1e-6)
            assert world.gravity[1] > 0.5
            for p, actor in enumerate(scene.actors):
                here = torch.from_numpy(scene.path.to_camera(scene.vertices(p, 0), 0)).float()
                heights = world.height(here)
                assert heights.min() > -0.03
                assert "jump" in actor.take.source or heights.min() < 0.05, actor.take.source
    assert found > 200
    assert off <= 0.002 * found


def test_someone_behind_a_wall_of_people_has_no_visible_joint(scenes: list[Scene]) -> None:
    scene = next(s for s in scenes if s.path.still)
    behind, before = scene.actors[:2]
    # The same person in the same pose, twice, one right behind the other and smaller by distance.
    away = scene.path.to_camera(behind.joints(BODY17)[0], 0)
    giant = replace(behind, shape=BodyModel.load().shape(behind.shape.phenotype))
    assert isinstance(before, Actor)
    wall = scene.path.position[0] + 0.5 * (behind.vertices(0) - scene.path.position[0])

    class Standing(type(giant)):  # A copy of half the size at half the distance covers the same pixels.
        def vertices(self, frame: int) -> NDArray[np.float32]:
            return wall.astype(np.float32)

    cover = Standing(giant.shape, giant.take, giant.look, giant.place, giant.detail)
    made = scene.with_(actors=[behind, cover], surroundings=Surroundings(), frames=1)
    truth = made.truth()
    assert (away[:, 2] > 0).any()
    assert not (truth.confidence[truth.person == 0] == 1).any()
    assert not (made.mask(0) == 1).any()


def test_keypoints_lie_in_the_mask_and_left_is_left(scenes: list[Scene]) -> None:
    inside = total = facing = 0
    for scene in scenes:
        for p, actor in enumerate(scene.actors):
            alone = scene.with_(actors=[actor], surroundings=Surroundings()).measured(2).identity == 1
            gap = distance_transform_edt(~alone)
            edge = alone[:2].any() or alone[-2:].any() or alone[:, :2].any() or alone[:, -2:].any()
            hips = actor.placed[0][2, BONES.index("Hips")] if isinstance(actor, Actor) else np.eye(3)
            towards = scene.path.position[2] - scene.vertices(p, 2).mean(0)
            ahead = float(hips[:, 2] @ towards / np.linalg.norm(towards))
            for skeleton in (BODY17, COCO17):
                xy = scene.path.project(actor.joints(skeleton)[2], 2)
                if alone.sum() > 60 and not edge:
                    x, y = np.round(xy).astype(int).T
                    inside, total = inside + (gap[y, x] <= 1).sum(), total + len(xy)
                if abs(ahead) > 0.6 and np.isfinite(xy).all():
                    facing += 1
                    for joint in ("shoulder", "hip"):
                        across = xy[skeleton.index(f"left_{joint}"), 0] - xy[skeleton.index(f"right_{joint}"), 0]
                        assert across * ahead > 0, "who faces the camera has the left side on the image's right"
    assert facing > 4
    assert total > 100
    assert inside >= 0.99 * total


def fingerprint(scene: Scene, order: tuple[int, ...] = (0, 1)) -> str:
    """Hash of all that two frames show and say."""
    found = {}
    for frame in order:
        drawn, flow = scene.render(frame), scene.flow(frame)
        found[frame] = (scene.image(frame), drawn.depth, drawn.identity, drawn.part, drawn.flow, drawn.occluded,
                        flow.uv.numpy(), scene.backward(frame).uv.numpy(), scene.mask(frame).numpy())  # fmt: skip
    truth = scene.truth()
    said = (truth.xy, truth.xyz, truth.confidence, truth.box, truth.frame, truth.person)
    sums = hashlib.sha256()
    for values in (*(v for frame in sorted(found) for v in found[frame]), *(v.numpy() for v in said)):
        sums.update(np.ascontiguousarray(values).tobytes())
    return sums.hexdigest()


TINY = Recipe(people=(2, 3), size=(96, 72), seconds=0.3, fps=12.0, detail="low", cameras=("handheld",))


def test_a_seed_is_its_bytes_for_threads_processes_orders_and_copies() -> None:
    wanted = fingerprint(TINY(3))
    assert fingerprint(replace(TINY, threads=2)(3)) == wanted
    assert fingerprint(TINY(3), (1, 0, 1)) == wanted
    used = TINY(3)
    used.render(2)
    assert fingerprint(pickle.loads(pickle.dumps(used))) == wanted
    assert fingerprint(TINY(4)) != wanted
    code = f"from {__name__} import TINY, fingerprint; print(fingerprint(TINY(3)))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == wanted


def test_workers_give_the_same_bytes() -> None:
    def hashes(workers: int) -> dict[int, str]:
        samples = Samples(5, TINY, pairs=2, limit=6)
        made = {}
        for sample in DataLoader(samples, batch_size=None, num_workers=workers):
            parts = b"".join(name.encode() + sample[name].numpy().tobytes() for name in sorted(sample))
            made[int(sample["index"])] = hashlib.sha256(parts).hexdigest()
        return made

    alone = hashes(0)
    assert len(set(alone.values())) == 6
    assert hashes(2) == alone


LENSES = {
    "soft": Lens(soft=1.0), "exposure": Lens(exposure=0.4, tint=(1.05, 1.0, 0.95)), "vignette": Lens(vignette=0.4),
    "rolling": Lens(gain=(0.3, 2.0), flicker=(0.06, 80.0)), "noise": Lens(shot=4.0, read=1.5), "jpeg": Lens(quality=40),
    "blur": Lens(shutter=0.8),
}  # fmt: skip


@pytest.mark.parametrize("name", LENSES)
def test_a_lens_moves_nothing(shots: list[Shot], name: str) -> None:
    truth = shots[0].scene.with_(frames=1).truth()
    assert torch.equal(shots[0].scene.with_(frames=1, lens=LENSES[name]).truth().xy, truth.xy)
    shares = []
    for shot in shots:
        clean = shot.first.image
        seen = shot.scene.with_(lens=LENSES[name]).photographed(shot.first, 1)
        # Brightness is matched first: light that changes is no motion.
        scale = (clean * 1.0 * seen).sum() / (seen * 1.0 * seen).sum()
        still = np.zeros_like(shot.flow)
        matched = np.clip(seen * scale, 0, 255)
        shift = laws.photometry(clean, matched, still, np.ones(still.shape[:2], bool)).shift
        moved = np.median(shot.flow[np.isfinite(shot.flow).all(-1)], 0)
        shares.append(shift @ moved / max(moved @ moved, 0.25))
        if name != "blur":
            assert abs(shift).max() < (0.12 if name == "vignette" else 0.06)
        if name == "noise":
            assert 0.5 < (seen.astype(float) - clean).std() < 5
        if name == "jpeg":
            assert abs(seen.astype(float) - clean).mean() < 5
    assert abs(np.mean(shares)) < 0.06, "blur lies on both sides of where things are"


@pytest.mark.parametrize("seed", range(3))
def test_people_are_drawn_as_tall_as_they_are(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = BodyModel.load().shape(Phenotype.random(rng))
    rest = shape.rest("full")
    assert rest[:, 1].max() - rest[:, 1].min() == pytest.approx(shape.stature, abs=0.002)
    still = Take(np.tile(np.eye(3), (2, 31, 1, 1)), np.tile(shape.joints[0], (2, 1)), 12.0)
    scene = replace(SMALL, size=(96, 256), people=(1, 1), cameras=("static",), focal=(2.0, 2.0))(seed)
    level = type(scene.path).static(scene.path.camera, 2, position=(0.0, 0.9, 0.0))
    actor = Actor(shape, still, random_look(rng), replace(scene.actors[0].place, x=0.0, z=-3.0, yaw=0.3))
    alone = scene.with_(actors=[actor], path=level, surroundings=Surroundings(), frames=1)
    drawn = alone.measured(0)
    heights = 0.9 - laws.unprojected(drawn, alone)[drawn.identity == 1][:, 1]
    pixel = 3.0 / float(scene.path.camera.focal[0])
    # Soles and hair make somebody a little taller.
    assert shape.stature - 2 * pixel < heights.max() < shape.stature + 0.12
    assert abs(heights.min()) < 2 * pixel


def test_nobody_is_inside_somebody_or_something(scenes: list[Scene]) -> None:
    for scene in scenes:
        assert scene.path.position[:, 1].min() > 0.2
        for frame in (0, scene.frames - 1):
            bodies = [scene.vertices(p, frame) for p in range(len(scene.actors))]
            for p, body in enumerate(bodies):
                for q in range(p):
                    assert penetration(body, bodies[q], scene.actors[p].faces) < 0.06
                sits = isinstance(actor := scene.actors[p], Actor) and seat(actor) is not None
                for thing in scene.surroundings.things:
                    if thing.identity < FIRST_THING or not thing.solid.closed:
                        continue
                    within = laws.inside(body.astype(np.float64), thing.solid.points, thing.solid.faces)
                    deep = thing.solid.points[:, 1].max() - body[within, 1]
                    assert not within.any() or (sits and deep.max() < 0.08), f"{actor.take.source}, seed {scene.name}"
                    eye = scene.path.position[frame][None]
                    assert not laws.inside(eye, thing.solid.points, thing.solid.faces).any()


def test_faces_look_ahead() -> None:
    mesh, shape = BodyModel.load().mesh("full"), BodyModel.load().shape(Phenotype())
    rest = shape.rest("full")
    middle = {
        part: rest[mesh.part == PARTS.index(part)].mean(0) for part in ("eyes", "hair", "left_hand", "right_hand")
    }
    assert middle["eyes"][2] > middle["hair"][2] + 0.05
    assert middle["left_hand"][0] > 0.2 > -0.2 > middle["right_hand"][0]


def test_pictures_hang_upright_and_not_mirrored(tmp_path: Path) -> None:
    quarters = np.zeros((64, 64, 3), np.uint8)
    quarters[:32, :32, 0] = quarters[:32, 32:, 1] = quarters[32:, :32, 2] = 255
    quarters[32:, 32:] = 255
    pytest.importorskip("PIL.Image").fromarray(quarters).save(tmp_path / "quarters.png")
    found = 0
    for seed in range(12):
        scene = replace(SMALL, backgrounds=tmp_path, indoors=True, focal=(0.6, 0.8), size=(320, 240))(seed)
        scene = scene.with_(actors=())
        drawn, start = scene.render(0), 0
        for thing in scene.surroundings.things:
            stop = start + len(thing.solid.faces)
            y, x = np.nonzero((drawn.face >= start) & (drawn.face < stop))
            start = stop
            hangs = thing.identity == 0 and np.ptp(thing.solid.points[:, 1]) < 1.2
            hangs = hangs and len(x) > 150 and min(x.min(), y.min()) > 0 and x.max() < 319 and y.max() < 239
            if not (hangs and isinstance(thing.material.picture, Picture)):
                continue
            # Corners are red, green, blue and white: green grows to the right, blue downwards.
            _, green, blue = drawn.image[y, x].astype(float).T
            across, down = np.cov(x, green)[0, 1], np.cov(y, blue)[0, 1]
            assert min(across, down) > 0, f"seed {seed}: {across:.0f} to the right, {down:.0f} downwards"
            found += 1
    assert found > 2
