"""How good `dyad run` is on real people whose 3D is known: MuPoTS-3D, strictly scored."""

import logging
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from dyad.bench.plain import plain
from dyad.bench.stored import FINAL, NETWORKS, Stored, find_stored, sample_truth
from dyad.core.camera import Camera
from dyad.core.errors import BadInput
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.datasets.mupots import MupotsSequence, read_mupots
from dyad.datasets.mupots_official import read_mupots_official
from dyad.datasets.truth import HIDDEN
from dyad.evaluation.comparison import compare
from dyad.evaluation.protocols import protocol_of
from dyad.evaluation.scores import plain_values, score
from dyad.evaluation.strict import StrictProtocol, StrictScores, TruePoses
from dyad.geometry.grids import rescale_xy

_LOG = logging.getLogger(__name__)


class HasTracks(Protocol):
    """What a run gives back."""

    @property
    def tracks(self) -> Tracks: ...


class Run(Protocol):
    """The pipeline: a clip and its camera, None where a `Video` has it, in; tracks out. `dyad.run` is one."""

    def __call__(self, path: Path | Video, *, camera: Camera | None) -> HasTracks: ...


def bench_mupots(
    folder: str | Path,
    *,
    run: Run | None,
    parts: Mapping[str, Callable[[Stored], Tracks | None]] | None = None,
    sequences: Iterable[str] | None = None,
    protocol: StrictProtocol | None = None,
) -> dict[str, Any]:
    """Run the pipeline on every clip of a folder and score it, and score the poses that other systems stored there.

    Returns `{"released": {"TS01": {…}, …, "mean": {…}}, "strict": {"dyad-run": {"TS01": {…}, …}, "topdown": {…},
    "bottomup": {…}, "integrated": {…}}}`; `released`, and what it has no poses of, is left out.

    Under `strict` scores are those of `StrictScores`. The pipeline is told the clip and its true camera, nothing else.
    Stored network outputs, root-relative, are placed by their system's 2D joints and the true camera (`bench.stored`).
    Under `released` the stored final poses are scored as `mupots-released` says. `mean` is the plain mean over the
    sequences of every number (coverage by height and occlusion is per sequence only). A number that nothing defines,
    such as the error of nobody, is None.

    folder: `TSxx.npz`, for the pipeline with `TSxx_374px.mp4` beside it, or the data set as it is distributed, which
    holds nothing but the truth and images of full size; sequences: names to take, default all.
    run: None runs nothing. parts: what else to score strictly, by name: what it makes of a sequence, or None.
    Raises BadInput where the folder has no such sequence, or nothing to score.
    """
    strictly = protocol or StrictProtocol()
    wanted = None if sequences is None else set(sequences)
    samples = [each for each in find_stored(folder) if wanted is None or each.name in wanted]
    parts = parts or {}
    strict: dict[str, dict[str, StrictScores]] = {name: {} for name in ("dyad-run", *parts, *NETWORKS)}
    released: dict[str, dict[str, Any]] = {}
    for name, clip, truth in () if samples else _official(Path(folder), wanted):
        if run is not None:
            strict["dyad-run"][name] = strictly(truth, run(clip, camera=None).tracks)
    for stored in samples:
        sequence = read_mupots(stored.path)
        for name, array in NETWORKS.items():
            if array in stored.arrays:
                strict[name][stored.name] = strictly(_truth(sequence), stored.tracks(array))
        for name, part in parts.items():
            if (made := part(stored)) is not None:
                strict[name][stored.name] = strictly(_truth(sequence), made)
        if FINAL in stored.arrays:
            released[stored.name] = _released(sequence, stored)
        if run is None or sequence.clip is None:
            if run is not None:
                _LOG.warning("%s has no clip %s_374px.mp4 beside it: not run", stored.path, stored.name)
            continue
        size = Video(sequence.clip).size
        tracks = run(sequence.clip, camera=sequence.clip_camera(size)).tracks
        got = strict["dyad-run"][stored.name] = score_sequence(sequence, tracks, clip_width=size[0], protocol=strictly)
        _LOG.info("%s: PCK %.1f, PCK_abs %.1f", stored.name, got.pck, got.pck_abs)
    tables = {name: _table({key: plain(value) for key, value in rows.items()}) for name, rows in strict.items() if rows}
    if not tables and not released:
        raise BadInput(f"{folder} holds neither clips to run on nor stored poses beside its annotations")
    return {**({"released": _table(released)} if released else {}), **({"strict": tables} if tables else {})}


def _released(sequence: MupotsSequence, stored: Stored) -> dict[str, Any]:
    """The published final poses of a sequence, as the published scripts score them."""
    rules = protocol_of("mupots-released")
    compared = compare(
        sample_truth(sequence), stored.tracks(FINAL, zeros=True), joints=rules.joints, root=rules.root, matching="index"
    )
    return plain(plain_values(score(compared, rules)))


def _official(folder: Path, wanted: Container[str] | None) -> Iterator[tuple[str, Video, TruePoses]]:
    """The sequences of the data set as it is distributed whose images are there."""
    if not any(folder.glob("TS*/annot.mat")) and not any(folder.glob("MultiPersonTestSet/TS*/annot.mat")):
        raise BadInput(
            f"{folder} holds no MuPoTS sequence: expected TSxx.npz with TSxx_374px.mp4 beside it, or TS1/annot.mat"
        )
    for clip in read_mupots_official(folder):
        if clip.truth is None or (wanted is not None and clip.name not in wanted):
            continue
        if clip.video is None:
            _LOG.warning("%s has no images beside its annotations: not run", clip.name)
            continue
        seen = clip.truth.window()
        hidden = torch.isclose(seen.confidence, torch.tensor(HIDDEN))
        arrays = (seen.xy.double(), seen.xyz.double(), hidden, seen.present)
        yield clip.name, clip.video, TruePoses(*(each.numpy() for each in arrays), clip.truth.skeleton)


def _truth(sequence: MupotsSequence) -> TruePoses:
    return TruePoses(sequence.xy, sequence.xyz, sequence.occluded, sequence.valid, sequence.skeleton)


def _table(rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {**rows, "mean": _mean(rows.values())}


def score_sequence(
    sequence: MupotsSequence, tracks: Tracks, *, clip_width: int, protocol: StrictProtocol
) -> StrictScores:
    """Scores of tracks whose px are those of a clip of `clip_width`; heights count in the clip's pixels."""
    scale = sequence.scale(clip_width)
    in_truth_px = tracks.with_(xy=rescale_xy(tracks.xy, torch.tensor(scale)))
    return protocol(_truth(sequence), in_truth_px, height_scale=1 / scale)


def _mean(rows: Iterable[dict[str, Any]]) -> dict[str, float | None]:
    """Mean over sequences of every number, over those sequences where it is defined."""
    values: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            if value is None or isinstance(value, int | float):
                values.setdefault(name, []).extend([] if value is None else [float(value)])
    return {name: float(np.mean(column)) if column else None for name, column in values.items()}
