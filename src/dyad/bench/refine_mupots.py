"""What refinement does to real people whose 3D is known: MuPoTS-3D, strictly scored, poses of two systems."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dyad.bench.mupots import HasTracks
from dyad.bench.plain import plain
from dyad.bench.refine import Refines
from dyad.bench.refine_cases import Pass
from dyad.bench.refine_scores import means
from dyad.bench.refine_statistics import change
from dyad.bench.stored import NETWORKS, Stored, find_stored, sample_truth
from dyad.core.errors import BadInput
from dyad.core.protocols import FlowEstimator
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.datasets.mupots import MupotsSequence, read_mupots
from dyad.estimates.sheet import Advice
from dyad.evaluation.comparison import compare
from dyad.evaluation.protocols import protocol_of
from dyad.evaluation.scores import POSE_METRICS, plain_values
from dyad.geometry.grids import rescale_xy
from dyad.refinement.inputs import tracks_on

METRICS = {
    "pck_abs": "%",
    "pck": "%",
    "mpjpe_mm": "mm",
    "acceleration_error_m_s2": "m/s²",
    "jitter_m_s3": "m/s³",
    "jitter_true_m_s3": "m/s³",
}
"""Strict: people matched one-to-one in the image, a missed person fails. `jitter_true…` is the truth's own."""
_HIGHER = {"pck_abs", "pck"}
_PUBLISHED = "integrated"
PUBLISHED = "published"
_SURE = 0.9


@dataclass(frozen=True)
class _Sequence:
    stored: Stored
    sequence: MupotsSequence
    video: Video


def bench_refine_mupots(
    folder: str | Path,
    refine: Refines,
    estimator: FlowEstimator,
    *,
    run: Callable[..., HasTracks] | None,
    sequences: Iterable[str] | None = None,
    frames: int | None = None,
    own: Advice | None = None,
    published: bool = True,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> dict[str, Any]:
    """Refine the poses of every MuPoTS clip in a folder: `{"estimates": {"published": …, "dyad run": …}}`.

    Each has `clips`, `before` and `after` by `METRICS` for every clip and their mean, and `changes` with bootstrap
    intervals over clips. `published` are `integrated_rel_m` of TSxx.npz, placed by least squares at their 2D joints
    (`bench.stored`); `dyad run` is what `run` finds, told the clip, its true camera and, if not all count, the
    frames. run: None leaves that out. frames: so many of each clip at most, from its first on. own: how what `run`
    finds should be refined.

    Raises BadInput where the folder holds no clip with poses.
    """
    wanted = None if sequences is None else set(sequences)
    found: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    clips = [one for one in _clips(folder, frames) if wanted is None or one.stored.name in wanted]
    for number, one in enumerate(clips, 1):
        flow = Pass(estimator, one.video)
        truth = _shown(sample_truth(one.sequence), one.video)
        for name, tracks in _estimates(one, run, frames, published=published):
            tracks = tracks_on(_shown(tracks, one.video), one.video)
            refined = refine(one.video, tracks, flow, advice=None if name == PUBLISHED else own).tracks
            rows = found.setdefault(name, {})
            rows[one.stored.name] = {"before": strictly(truth, tracks), "after": strictly(truth, refined)}
        if progress is not None:
            progress("refined", number, len(clips))
    if not found:
        raise BadInput(f"{folder} holds no MuPoTS clip to refine: expected TSxx.npz with TSxx_374px.mp4 beside it")
    return plain(
        {"table": "mupots", "metrics": METRICS, "estimates": {name: _summary(rows) for name, rows in found.items()}}
    )


def _clips(folder: str | Path, frames: int | None = None) -> Iterator[_Sequence]:
    for stored in find_stored(folder):
        sequence = read_mupots(stored.path)
        if sequence.clip is not None:
            size = Video(sequence.clip).size
            video = Video(sequence.clip, camera=sequence.clip_camera(size), frames=slice(0, frames))
            yield _Sequence(stored, sequence, video)


def _shown(tracks: Tracks, video: Video) -> Tracks:
    """The part that is about frames of the video."""
    there = torch.from_numpy(np.asarray(video.indices))
    kept = torch.isin(tracks.frames, there)
    return tracks[torch.isin(tracks.frame, there)].with_(frames=tracks.frames[kept], times=tracks.times[kept])


def _estimates(
    one: _Sequence, run: Callable[..., HasTracks] | None, frames: int | None, *, published: bool
) -> Iterator[tuple[str, Tracks]]:
    if published and NETWORKS[_PUBLISHED] in one.stored.arrays:
        yield PUBLISHED, in_clip(one.stored.tracks(NETWORKS[_PUBLISHED]), one.sequence, one.video)
    if run is not None and one.sequence.clip is not None:
        part = {} if frames is None else {"frames": slice(0, frames)}
        yield "dyad run", run(one.sequence.clip, camera=one.video.camera, **part).tracks


def in_clip(tracks: Tracks, sequence: MupotsSequence, video: Video) -> Tracks:
    """Tracks in px of the annotated image in those of the clip, with confidences that are shares.

    The published system's confidences are heights of its heatmaps, about 0.07 for what is seen: nine in ten of them
    are brought below 1 by one factor.
    """
    scale = sequence.scale(video.size[0])
    seen = tracks.confidence[tracks.confidence > 0]
    sure = float(seen.quantile(_SURE)) if len(seen) else 1.0
    return tracks.with_(
        xy=rescale_xy(tracks.xy, torch.tensor(1 / scale)),
        confidence=(tracks.confidence / sure).clamp(max=1) if 0 < sure < 1 else tracks.confidence,
        camera=video.camera,
    )


def strictly(truth: Tracks, tracks: Tracks) -> dict[str, float]:
    """`METRICS` of tracks in whatever pixels, by the rules of mupots-strict."""
    rules = protocol_of("mupots-strict")
    compared = compare(truth, tracks, joints=rules.joints, root=rules.root)
    values = plain_values({name: POSE_METRICS[name](compared) for name in METRICS})
    return {name: float(value) for name, value in values.items()}


def _summary(rows: dict[str, dict[str, dict[str, float]]]) -> dict[str, Any]:
    mean = {when: means([row[when] for row in rows.values()]) for when in ("before", "after")}
    changes = {
        name: change(
            np.array([row["before"][name] for row in rows.values()]),
            np.array([row["after"][name] for row in rows.values()]),
            lower_is_better=name not in _HIGHER,
            names=list(rows),
        )
        for name in METRICS
        if not name.startswith("jitter_true")
    }
    return {"clips": {**rows, "mean": mean}, "changes": changes}
