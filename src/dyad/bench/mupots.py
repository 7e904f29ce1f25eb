"""How good `dyad run` is on real people whose 3D is known: MuPoTS-3D, strictly scored."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from dyad.bench.plain import plain
from dyad.core.camera import Camera
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.datasets.mupots import MupotsSequence, find_mupots
from dyad.evaluation.strict import StrictProtocol, StrictScores, TruePoses
from dyad.geometry.grids import rescale_xy

_LOG = logging.getLogger(__name__)


class HasTracks(Protocol):
    """What a run gives back."""

    @property
    def tracks(self) -> Tracks: ...


class Run(Protocol):
    """The pipeline: a clip and its camera in, tracks out. `dyad.run` is one."""

    def __call__(self, path: Path, *, camera: Camera) -> HasTracks: ...


def bench_mupots(
    folder: str | Path,
    *,
    run: Run,
    sequences: Iterable[str] | None = None,
    protocol: StrictProtocol | None = None,
) -> dict[str, Any]:
    """Run the pipeline on every clip of a folder and score it.

    Returns `{"strict": {"dyad-run": {"TS01": {…}, …, "mean": {…}}}}`.

    The pipeline is told the clip and its true camera, nothing else. Scores are those of `StrictScores`; `mean` is the
    plain mean over the sequences of every number (coverage by height and occlusion is per sequence only). A number
    that nothing defines, such as the error of nobody, is None.

    folder: `TSxx.npz` with `TSxx_374px.mp4` beside it; sequences: names to take, default all.
    Raises BadInput where the folder has no such sequence.
    """
    score = protocol or StrictProtocol()
    wanted = None if sequences is None else set(sequences)
    scores: dict[str, StrictScores] = {}
    for sequence in find_mupots(folder):
        if sequence.clip is None or (wanted is not None and sequence.name not in wanted):
            continue
        size = Video(sequence.clip).size
        tracks = run(sequence.clip, camera=sequence.clip_camera(size)).tracks
        scores[sequence.name] = score_sequence(sequence, tracks, clip_width=size[0], protocol=score)
        _LOG.info("%s: PCK %.1f, PCK_abs %.1f", sequence.name, scores[sequence.name].pck, scores[sequence.name].pck_abs)
    table = {name: plain(result) for name, result in scores.items()}
    return {"strict": {"dyad-run": {**table, "mean": _mean(table.values())}}}


def score_sequence(
    sequence: MupotsSequence, tracks: Tracks, *, clip_width: int, protocol: StrictProtocol
) -> StrictScores:
    """Scores of tracks whose px are those of a clip of `clip_width`; heights count in the clip's pixels."""
    scale = sequence.scale(clip_width)
    truth = TruePoses(sequence.xy, sequence.xyz, sequence.occluded, sequence.valid, sequence.skeleton)
    in_truth_px = tracks.with_(xy=rescale_xy(tracks.xy, torch.tensor(scale)))
    return protocol(truth, in_truth_px, height_scale=1 / scale)


def _mean(rows: Iterable[dict[str, Any]]) -> dict[str, float | None]:
    """Mean over sequences of every number, over those sequences where it is defined."""
    values: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            if value is None or isinstance(value, int | float):
                values.setdefault(name, []).extend([] if value is None else [float(value)])
    return {name: float(np.mean(column)) if column else None for name, column in values.items()}
