"""Where the bones and the skin of a body go: forward kinematics and linear blend skinning.

Both work on many frames at once. Every vertex of every frame is computed by itself, always in the same order of
operations, so the result is the same to the bit however many threads share the work.
"""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def forward(
    rotations: Floats, translation: Floats, heads: Floats, parents: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bone rotations (T, B, 3, 3) in the world and bone heads (T, B, 3) in metres.

    `rotations` (T, B, 3, 3) turn each bone relative to its parent, all axes being the world's at rest; `translation`
    (T, 3) is where the head of the root, bone 0, is; `heads` (B, 3) are the bones' heads at rest. Parents come first.
    """
    turned = np.empty(rotations.shape, np.float64)
    placed = np.empty(rotations.shape[:-1], np.float64)
    turned[:, 0] = rotations[:, 0]
    placed[:, 0] = translation
    for bone, parent in enumerate(parents[1:], start=1):
        turned[:, bone] = turned[:, parent] @ rotations[:, bone]
        placed[:, bone] = placed[:, parent] + turned[:, parent] @ (heads[bone] - heads[parent])
    return turned, placed


def movements(turned: Floats, placed: Floats, heads: Floats) -> NDArray[np.float64]:
    """Matrices (T, B, 3, 4) that take a rest position, with a 1 appended, to where its bone brings it."""
    shift = placed - np.einsum("tbij,bj->tbi", turned, heads)
    return np.concatenate([turned, shift[..., None]], -1)


def skin(
    rest: Floats, bones: NDArray[np.uint8], weights: Floats, matrices: Floats, *, parallel: bool = False
) -> NDArray[np.float32]:
    """Vertices (T, V, 3) in metres of the rest vertices (V, 3), each moved by the bones (V, K) with weights (V, K).

    `parallel` shares the frames among numba's threads; the result does not depend on it.
    """
    out = np.empty((len(matrices), len(rest), 3), np.float32)
    work = _skin_frames_parallel if parallel and len(matrices) > 1 else _skin_frames
    work(
        np.ascontiguousarray(rest, np.float32),
        np.ascontiguousarray(bones),
        np.ascontiguousarray(weights, np.float32),
        np.ascontiguousarray(matrices, np.float64),
        out,
    )
    return out


@njit(cache=True, nogil=True)
def _skin_frame(rest, bones, weights, matrices, out) -> None:
    for vertex in range(rest.shape[0]):
        x, y, z = np.float64(rest[vertex, 0]), np.float64(rest[vertex, 1]), np.float64(rest[vertex, 2])
        px = py = pz = 0.0
        for slot in range(bones.shape[1]):
            weight = np.float64(weights[vertex, slot])
            # Weights are sorted, so the first zero ends the list.
            if weight == 0.0:
                break
            m = matrices[bones[vertex, slot]]
            px += weight * (m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3])
            py += weight * (m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3])
            pz += weight * (m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3])
        out[vertex, 0], out[vertex, 1], out[vertex, 2] = px, py, pz


@njit(cache=True, nogil=True)
def _skin_frames(rest, bones, weights, matrices, out) -> None:
    for frame in range(matrices.shape[0]):
        _skin_frame(rest, bones, weights, matrices[frame], out[frame])


@njit(cache=True, nogil=True, parallel=True)
def _skin_frames_parallel(rest, bones, weights, matrices, out) -> None:
    for frame in prange(matrices.shape[0]):
        _skin_frame(rest, bones, weights, matrices[frame], out[frame])
