"""Poses and motions of known kinds for the tests of metrics."""

import numpy as np
from scipy.spatial.transform import Rotation


def poses(*shape: int, seed: int = 0) -> np.ndarray:
    """Random poses (…,J,3) of a person's size, a few metres away."""
    generator = np.random.default_rng(seed)
    return generator.normal(size=(*shape, 3)) * 0.4 + (0.3, -0.2, 4.0)


def turn(seed: int = 0) -> np.ndarray:
    """A random rotation (3,3)."""
    return Rotation.random(random_state=seed).as_matrix()


def walker(times: np.ndarray, joints: int = 5) -> np.ndarray:
    """(T,J,3): a body that goes along y = x, one metre a second along each, without moving its joints."""
    body = poses(joints, seed=1)
    return body + np.asarray(times)[:, None, None] * np.array([1.0, 1.0, 0.0])
