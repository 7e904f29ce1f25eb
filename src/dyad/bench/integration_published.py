"""What integration makes of the published branch outputs on MuPoTS-3D, strictly scored; nothing here was trained on it.

Rows: both branches as published, and `hard`, `linear` and `learned` of the two. Who of one branch is who of the other
is found anew, by pose similarity: the ids of the second are taken away first.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from dyad.bench.plain import plain
from dyad.bench.stored import NETWORKS, Stored, find_stored
from dyad.core.errors import BadInput
from dyad.core.tracks import Tracks
from dyad.datasets.mupots import read_mupots
from dyad.evaluation.strict import StrictProtocol, TruePoses
from dyad.stages.association import Matching, PoseMatching
from dyad.stages.integration import Integration, Rule, make_integration

BRANCHES = ("topdown", "bottomup")
_SCORES = ("pck", "pck_abs", "mpjpe_mm", "roots_25cm", "root_error_mm", "coverage")


def bench_published(
    folder: str | Path,
    *,
    rules: Mapping[str, Rule] | None = None,
    sequences: Iterable[str] | None = None,
    matching: Matching | None = None,
    protocol: StrictProtocol | None = None,
) -> dict[str, Any]:
    """`{"topdown": {"TS01": {…}, …, "mean": {…}}, "bottomup": …, "hard": …, "linear": …, "learned": …}`.

    rules: by name, else hard, linear and learned with the shipped weights. Raises BadInput where the folder holds no
    sequence with both branches' outputs.
    """
    chosen = rules or {name: make_integration(name).rule for name in ("hard", "linear", "learned")}
    strictly = protocol or StrictProtocol()
    wanted = None if sequences is None else set(sequences)
    out: dict[str, dict[str, Any]] = {name: {} for name in (*BRANCHES, *chosen)}
    for stored in find_stored(folder):
        if (wanted is not None and stored.name not in wanted) or not _complete(stored):
            continue
        sequence = read_mupots(stored.path)
        truth = TruePoses(sequence.xy, sequence.xyz, sequence.occluded, sequence.valid, sequence.skeleton)
        branches = [stored.tracks(NETWORKS[name]) for name in BRANCHES]
        found: dict[str, Tracks] = dict(zip(BRANCHES, branches, strict=True))
        nameless = anonymous(branches[1])
        for name, rule in chosen.items():
            found[name] = Integration(rule, matching or PoseMatching())(branches[0], nameless)
        for name, tracks in found.items():
            got = plain(strictly(truth, tracks))
            out[name][stored.name] = {key: got[key] for key in _SCORES}
    if not any(out[name] for name in BRANCHES):
        raise BadInput(f"{folder} holds no TSxx.npz with {' and '.join(NETWORKS[name] for name in BRANCHES)}")
    return {name: {**rows, "mean": _mean(list(rows.values()))} for name, rows in out.items()}


def anonymous(tracks: Tracks) -> Tracks:
    """The same rows with ids that tell nothing of those of other tracks: in the reverse order, far above."""
    people = torch.unique(tracks.person)
    ids = 1000 + torch.arange(len(people)).flip(0)
    person = ids[torch.searchsorted(people, tracks.person)]
    rows = {
        name: getattr(tracks, name)
        for name in ("frame", "time", "xy", "confidence", "xyz", "sigma", "box", "filled", "agreement", "flags")
    }
    return Tracks.of_rows(
        skeleton=tracks.skeleton,
        camera=tracks.camera,
        fps=tracks.fps,
        video=tracks.video,
        cuts=tracks.cuts,
        frames=tracks.frames,
        times=tracks.times,
        person=person,
        **rows,
    )


def _complete(stored: Stored) -> bool:
    return {NETWORKS[name] for name in BRANCHES} <= set(stored.arrays)


def _mean(rows: list[dict[str, Any]]) -> dict[str, float | None]:
    out: dict[str, float | None] = {}
    for key in _SCORES:
        values = [row[key] for row in rows if row[key] is not None]
        out[key] = sum(values) / len(values) if values else None
    return out
