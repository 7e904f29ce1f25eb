"""Poses that other systems stored beside MuPoTS-3D annotations: arrays (F,P,17,3) in `TSxx.npz`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.core.archives import read_npz
from dyad.core.clip import Clip
from dyad.core.errors import BadInput, BadUsage
from dyad.core.skeleton import BODY17, MUPOTS17
from dyad.core.tracks import Tracks
from dyad.datasets.mupots import MupotsSequence, read_mupots
from dyad.datasets.truth import truth_tracks
from dyad.geometry.alignment import place

FINAL = "final_camera_xyz_mm"
"""The stored final poses of the published system, in the camera frame."""
NETWORKS = {"topdown": "topdown_rel_m", "bottomup": "bottomup_rel_m", "integrated": "integrated_rel_m"}
"""Its network outputs, relative to the root."""

_FPS = 30.0
# Their 2D joints are about this many px off, and their poses about this many metres.
_PIXELS, _METRES = 3.0, 0.04


@dataclass(frozen=True)
class Stored:
    """One `TSxx.npz` with annotations and predictions."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def arrays(self) -> tuple[str, ...]:
        """Names of the predicted 3D poses it holds."""
        held = read_npz(self.path)
        shapes = {name: v.shape for name, v in held.items() if not name.startswith("gt_") and v.dtype.kind in "iuf"}
        return tuple(sorted(name for name, shape in shapes.items() if len(shape) == 4 and shape[2:] == (17, 3)))

    def tracks(self, array: str, *, zeros: bool = False) -> Tracks:
        """The poses of an array as tracks, people by their index; px of the annotated image.

        The name ends in `_mm` or `_m`, its unit. One that ends in `_rel_m` or `_rel_mm` is relative to the root: each
        pose is placed where its joints meet the rays of the 2D joints `est_xy` best, weighted by `est_confidence`
        (`geometry.alignment.place`). A pose with NaN is nobody, and so is one of only zeros, which the published system
        writes where it found no partner, unless `zeros` takes it for a pose. Raises BadInput.
        """
        if array not in self.arrays:
            raise BadUsage(f"{self.path} has no poses {array!r}; it has {', '.join(self.arrays) or 'none'}")
        sequence = read_mupots(self.path)
        value = read_npz(self.path, (array,))[array].astype(np.float64) / (1000 if array.endswith("_mm") else 1)
        present = np.isfinite(value).all((-1, -2)) & (zeros | (value != 0).any((-1, -2)))
        frame, person = np.nonzero(present)
        xyz = torch.from_numpy(value[present])
        camera = sequence.camera
        xy = confidence = None
        if re.search(r"_rel_m{1,2}$", array):
            xy, confidence = self._flat(present)
            noise = _PIXELS / float(camera.focal.mean())
            fit = place(xyz, camera.rays(xy), confidence, noise=noise, pose_noise=_METRES)
            xyz = xyz + fit.translation[:, None]
        return Tracks.of_rows(
            skeleton=MUPOTS17,
            camera=camera,
            frame=torch.from_numpy(frame),
            person=torch.from_numpy(person),
            xyz=xyz,
            xy=camera.project(xyz) if xy is None else xy,
            confidence=torch.ones(xyz.shape[:2]) if confidence is None else confidence,
            frames=torch.arange(len(value)),
            fps=_FPS,
            video=self.name,
        )

    def _flat(self, present: NDArray[np.bool_]) -> tuple[torch.Tensor, torch.Tensor]:
        """The system's 2D joints (N,17,2) px and confidence (N,17), in MuPoTS's order; stored in that of Human3.6M."""
        xy, confidence = (torch.from_numpy(value[present]).double() for value in estimated(self.path, present.shape))
        return BODY17.convert(xy, MUPOTS17), BODY17.convert_confidence(confidence, MUPOTS17)


def estimated(path: str | Path, shape: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The 2D joints (F, P, 17, 2) px and confidences (F, P, 17) that a system found in a `TSxx.npz`. BadInput."""
    wanted = {"est_xy": (*shape, 17, 2), "est_confidence": (*shape, 17)}
    found = read_npz(path, wanted)
    for name, size in wanted.items():
        if name not in found or found[name].shape != size or found[name].dtype.kind not in "biuf":
            raise BadInput(
                f"{path} should hold {name} of the shape {size}, by which joints have their place in the image"
            )
    return found["est_xy"].astype(np.float64), found["est_confidence"].astype(np.float64)


def find_stored(folder: str | Path) -> list[Stored]:
    """The files `TSxx.npz` of a folder, by name."""
    folder = Path(folder)
    return [Stored(path) for path in sorted(folder.glob("TS*.npz")) if re.fullmatch(r"TS\d+", path.stem)]


def read_samples(folder: str | Path) -> Iterator[Clip]:
    """The annotations of a folder's `TSxx.npz` as clips without images."""
    for stored in find_stored(folder):
        yield Clip(None, sample_truth(read_mupots(stored.path)))


def sample_truth(sequence: MupotsSequence) -> Tracks:
    """The annotations of one as tracks, in px of the annotated image."""
    frame, person = at = np.nonzero(sequence.valid)
    return truth_tracks(
        skeleton=sequence.skeleton,
        camera=sequence.camera,
        frame=frame,
        person=person,
        xyz=sequence.xyz[at],
        xy=sequence.xy[at],
        hidden=sequence.occluded[at],
        frames=np.arange(len(sequence.valid)),
        fps=_FPS,
        video=sequence.name,
    )
