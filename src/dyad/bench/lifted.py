"""2D joints of MuPoTS-3D to lift: those that a published system started from, or the true ones as a detector errs."""

from pathlib import Path

import numpy as np
import torch

from dyad.bench.stored import estimated
from dyad.core.skeleton import BODY17, MUPOTS17
from dyad.core.tracks import Tracks
from dyad.datasets.mupots import read_mupots

_FPS = 30.0
# Standard deviations in m at the person's distance, and shares.
_BIAS, _LASTING, _HIDDEN, _OUTLIERS, _MEMORY = 0.02, 0.01, 0.08, 0.01, 0.85


def published_joints(path: str | Path) -> Tracks:
    """`est_xy` and `est_confidence` of one `TSxx.npz` as body17 tracks without 3D, people by their index."""
    sequence = read_mupots(path)
    xy, confidence = estimated(path, sequence.valid.shape)
    present = np.isfinite(xy).all((-1, -2)) & (xy != 0).any((-1, -2))
    frame, person = at = np.nonzero(present)
    return Tracks.of_rows(
        skeleton=BODY17,
        camera=sequence.camera,
        frame=torch.from_numpy(frame),
        person=torch.from_numpy(person),
        xy=torch.from_numpy(xy[at]),
        confidence=torch.from_numpy(confidence[at]),
        frames=torch.arange(len(xy)),
        fps=_FPS,
        video=sequence.name,
    )


def detector_like(path: str | Path, *, seed: int = 0) -> Tracks:
    """The true joints of one `TSxx.npz` with the errors of a detector: for each joint a bias of 2 cm, errors of 1 cm
    that last for tenths of seconds, 8 cm where it is hidden, and 1 % anywhere within half a metre. Confidence 0.9
    where a joint is seen and 0.3 where it is hidden. The truth is used for nothing else.
    """
    sequence = read_mupots(path)
    random = np.random.default_rng(seed)
    shape = sequence.xyz.shape[:-1]
    lasting = np.zeros((*shape, 2))
    fresh = random.normal(size=(*shape, 2))
    lasting[0] = fresh[0]
    for t in range(1, len(lasting)):
        lasting[t] = _MEMORY * lasting[t - 1] + np.sqrt(1 - _MEMORY**2) * fresh[t]
    hidden = sequence.occluded[..., None]
    error = np.where(hidden, _HIDDEN, _LASTING) * lasting + _BIAS * random.normal(size=(1, *shape[1:], 2))
    wild = random.random(shape) < _OUTLIERS
    error = np.where(wild[..., None], random.uniform(-0.5, 0.5, (*shape, 2)), error)
    xyz = sequence.xyz.copy()
    xyz[..., :2] += error
    frame, person = at = np.nonzero(sequence.valid)
    seen = torch.from_numpy(xyz[at])
    order = [MUPOTS17.index("head" if name == "nose" else name) for name in BODY17.names]
    confidence = torch.from_numpy(np.where(sequence.occluded, 0.3, 0.9)[at])
    return Tracks.of_rows(
        skeleton=BODY17,
        camera=sequence.camera,
        frame=torch.from_numpy(frame),
        person=torch.from_numpy(person),
        xy=sequence.camera.project(seen)[:, order],
        confidence=confidence[:, order],
        frames=torch.arange(len(xyz)),
        fps=_FPS,
        video=sequence.name,
    )
