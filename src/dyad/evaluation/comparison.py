"""People of a prediction beside the true people of a clip: who is whose partner, and both in the same joints.

This is where the protocols that count everybody agree: matching is one-to-one, whoever is missed stays in the arrays
with NaN joints, and frames in which nobody is predicted are frames like others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dyad.core.errors import BadInput, BadUsage
from dyad.core.skeleton import MUPOTS17, Skeleton
from dyad.core.tracks import Tracks
from dyad.evaluation import tracking
from dyad.evaluation.aligned import pa_errors
from dyad.evaluation.pairing import Partners, alone, by_index, partners, rows_by_frame
from dyad.evaluation.pose3d import absolute_errors, root_errors
from dyad.evaluation.released import matches_after_fit_to_truth
from dyad.geometry.grids import rescale_xy


@dataclass(frozen=True)
class Comparison:
    """T frames of P true people with J joints, and their partners. NaN: absent, missed, or unknown.

    Attributes:
        joints: names. times: (T,) s; fps: frames a second of these frames.
        counted: (T,P) who is there. xy: (T,P,J,2) px, truth: (T,P,J,3) m; truth_root: (T,P,3) m.
        predicted, sigma: (T,P,J,3) m; predicted_root: (T,P,3) m. identity: (T,P), 0 where nobody is.
        predicted_xy, shown: (T,P,J,2) px of the truth's image, the 2D joints and where the 3D ones appear.
        trust: (T,P) mean confidence of the partner's joints.
        similarity: (T,P). frames: similarities of everyone with everyone.
        others: for each frame the predicted people (n,J,3) m without partner; other_roots (n,3), other_trust (n,).
    """

    joints: tuple[str, ...]
    times: NDArray[np.float64]
    fps: float
    counted: NDArray[np.bool_]
    xy: NDArray[np.float64]
    truth: NDArray[np.float64]
    truth_root: NDArray[np.float64]
    predicted: NDArray[np.float64]
    predicted_root: NDArray[np.float64]
    predicted_xy: NDArray[np.float64]
    shown: NDArray[np.float64]
    sigma: NDArray[np.float64]
    trust: NDArray[np.float64]
    identity: NDArray[np.int64]
    similarity: NDArray[np.float64]
    frames: tuple[tracking.Frame, ...]
    others: tuple[NDArray[np.float64], ...]
    other_roots: tuple[NDArray[np.float64], ...]
    other_trust: tuple[NDArray[np.float64], ...]
    floor: NDArray[np.float64] | None = None

    @property
    def matched(self) -> NDArray[np.bool_]:
        """(T,P) who has a partner."""
        return np.isfinite(self.similarity)

    @property
    def missed(self) -> int:
        """People who are there and have no partner."""
        return int((self.counted & ~self.matched).sum())

    @cached_property
    def absolute(self) -> NDArray[np.float64]:
        """(G,J) m, for each counted person: inf where the joint is not predicted, NaN where its truth is unknown."""
        return absolute_errors(self.truth[self.counted], self.predicted[self.counted])

    @cached_property
    def relative(self) -> NDArray[np.float64]:
        """(G,J) m, the same with roots aligned."""
        c = self.counted
        return root_errors(self.truth[c], self.predicted[c], self.truth_root[c], self.predicted_root[c])

    @cached_property
    def fitted(self) -> NDArray[np.float64]:
        """(G,J) m, the same after each pose was turned, scaled and moved onto its true one."""
        return pa_errors(self.truth[self.counted], self.predicted[self.counted])

    @cached_property
    def roots(self) -> NDArray[np.float64]:
        """(G,) m, distance of the roots: inf where nobody is predicted."""
        c = self.counted
        return absolute_errors(self.truth_root[c][:, None], self.predicted_root[c][:, None])[:, 0]

    @cached_property
    def flat(self) -> NDArray[np.float64]:
        """(G,J) px, distance in the image of the 2D joints from the true ones; NaN where either is unknown."""
        return self._apart(self.predicted_xy)

    @cached_property
    def reprojected(self) -> NDArray[np.float64]:
        """(G,J) px, the same of where the 3D joints appear."""
        return self._apart(self.shown)

    def _apart(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.linalg.norm(xy[self.counted] - self.xy[self.counted], axis=-1)

    def only(self, chosen: NDArray[np.bool_]) -> "Comparison":
        """The same where only these (T,P) person-frames count."""
        return replace(self, counted=self.counted & chosen)


def compare(
    truth: Tracks, predicted: Tracks, *, joints: Sequence[str], root: Sequence[str], matching: str = "oks"
) -> Comparison:
    """Find partners for everyone in the truth's frames; rows of other frames do not count.

    Both are converted by name to `joints`, and to the middle of the joints `root`. Pixels of a prediction for a smaller
    or larger image are brought to the truth's by its width. Where the prediction has 3D but no 2D, 2D is where its
    camera sees the 3D.

    matching: `oks`, `alone` or `index`, see `Protocol`; or `released`, the published scripts' rule for MuPoTS-3D.
    Raises BadInput where neither 2D nor 3D joints of the prediction can be had by these names.
    """
    names = (*joints, *(name for name in root if name not in joints))
    target = Skeleton.of_names(names, "scored")
    real = truth.convert(target).window()
    counted = real.present.numpy()
    found = predicted.convert(target)
    _check(found, predicted.skeleton, joints)
    at = np.searchsorted(truth.frames.numpy(), found.frame.numpy())
    inside = torch.from_numpy(np.isin(found.frame.numpy(), truth.frames.numpy()))
    found, position = found[inside], at[inside.numpy()]
    person = found.person.numpy()
    use, middle = list(range(len(joints))), target.indices(*root)
    flat, shown = (v.double().numpy()[:, use] for v in _pixels(found, truth))
    # Who has no 2D is where the 3D appears.
    xy = np.where(np.isfinite(flat).all(-1, keepdims=True), flat, shown)
    xyz = found.xyz.double().numpy()
    true_xyz = real.xyz.double().numpy()
    true_xy = real.xy.double().numpy()[:, :, use]
    match matching:
        case "oks":
            pairs = partners(true_xy, counted, xy, position, person, joints)
        case "alone":
            pairs = alone(counted, position, person)
        case "index":
            pairs = by_index(counted, real.people.numpy(), position, person)
        case "released":
            pairs = _released(truth, predicted[inside], counted, position)
        case _:
            raise BadUsage(f"people are matched by oks, alone, index or released, got {matching!r}")
    row, has = pairs.row, pairs.row >= 0

    def dense(values: NDArray[np.float64]) -> NDArray[np.float64]:
        out = np.full((*counted.shape, *values.shape[1:]), np.nan)
        out[has] = values[row[has]]
        return out

    roots = xyz[:, middle].mean(1)
    trust = found.confidence.double().numpy()[:, use].mean(-1)
    identity = np.zeros(counted.shape, dtype=np.int64)
    identity[has] = person[row[has]]
    others = [np.setdiff1d(rows, row[t]) for t, rows in enumerate(rows_by_frame(position, len(counted)))]
    return Comparison(
        joints=tuple(joints),
        times=real.times.numpy(),
        fps=truth.fps,
        counted=counted,
        xy=true_xy,
        truth=true_xyz[:, :, use],
        truth_root=true_xyz[:, :, middle].mean(2),
        predicted=dense(xyz[:, use]),
        predicted_root=dense(roots),
        predicted_xy=dense(flat),
        shown=dense(shown),
        sigma=dense(found.sigma.double().numpy()[:, use]),
        trust=dense(trust),
        identity=identity,
        similarity=pairs.similarity,
        frames=pairs.frames,
        others=tuple(xyz[rows][:, use] for rows in others),
        other_roots=tuple(roots[rows] for rows in others),
        other_trust=tuple(trust[rows] for rows in others),
        floor=None if truth.world is None else truth.world.floor.numpy(),
    )


def _released(truth: Tracks, found: Tracks, counted: NDArray[np.bool_], position: NDArray[np.int64]) -> Partners:
    """Each true person's most similar candidate after a similarity fit; one candidate may serve several."""
    true = truth.convert(MUPOTS17).window().xyz.double().numpy()
    xyz, person = found.convert(MUPOTS17).xyz.double().numpy(), found.person.numpy()
    row, alike = np.full(counted.shape, -1), np.full(counted.shape, np.nan)
    frames = []
    for t, here in enumerate(rows_by_frame(position, len(counted))):
        people = np.nonzero(counted[t])[0]
        chosen = matches_after_fit_to_truth(true[t, people], xyz[here])
        hit = chosen >= 0
        row[t, people[hit]], alike[t, people[hit]] = here[chosen[hit]], 1.0
        frames.append(tracking.Frame(people, person[here], (chosen[:, None] == np.arange(len(here))).astype(float)))
    return Partners(row, alike, tuple(frames))


def _pixels(found: Tracks, truth: Tracks) -> tuple[Tensor, Tensor]:
    """2D joints (N,J,2) of the prediction, and where its 3D ones appear, in the truth's pixels."""
    share = torch.tensor(truth.camera.size[0] / found.camera.size[0])
    return rescale_xy(found.xy, share), rescale_xy(found.reproject().to(found.xy), share)


def _check(found: Tracks, source: Skeleton, joints: Sequence[str]) -> None:
    """BadInput where the prediction's skeleton can give none of the joints."""
    weights = source.convert(torch.zeros(len(source), 1), found.skeleton)
    if torch.isnan(weights[: len(joints)]).all():
        raise BadInput(
            f"the prediction's skeleton {source.name!r} ({', '.join(source.names[:6])} …) gives none of the joints "
            f"that are scored: {', '.join(joints)}"
        )
