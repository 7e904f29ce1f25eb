"""Scores of predictions against truth under a protocol: reads both, lets `evaluation` compare them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from os import PathLike
from pathlib import Path

from dyad.bench.images import evaluate_images
from dyad.bench.occluded import hardest_parts
from dyad.bench.predictions import Album, Found, find_flows, find_tracks, has_flows, pick, read_flows
from dyad.bench.stored import FINAL, Stored, find_stored
from dyad.bench.truths import thinned, true_clips
from dyad.core.clip import Clip
from dyad.core.errors import BadInput, BadUsage
from dyad.core.tracks import Tracks
from dyad.evaluation.comparison import Comparison, compare
from dyad.evaluation.flow import Mean
from dyad.evaluation.flow_scores import score_flows
from dyad.evaluation.protocols import Protocol, protocol_of
from dyad.evaluation.report import Report
from dyad.evaluation.scores import CURVE_M, Value, averaged, curve, plain_values, pooled, score

Predictions = str | PathLike[str] | Tracks
Truth = str | PathLike[str] | Tracks | Clip


def evaluate(
    predictions: Predictions,
    truth: Truth,
    protocol: str | Protocol = "dyad-synth",
    *,
    array: str | None = None,
    detections: str | PathLike[str] | None = None,
) -> Report:
    """Score predictions against the truth of a data set.

    Args:
        predictions: tracks, or a path: `tracks.npz`, the folder of a run, a folder of either by clip name, a COCO
            results file (coco, crowdpose), a folder with a folder of `.flo` for each clip (sintel-human, and EPE at
            joints in h36m-14 and 3dpw), or the folder of `TSxx.npz` with stored poses (mupots).
        truth: tracks or a clip, or a path: the data set's folder, or a `tracks.npz` of truth (dyad-synth).
        protocol: one of `dyad.evaluation.protocols`, or its name.
        array: which stored poses of `TSxx.npz`; mupots-released takes the final ones if not given.
        detections: everyone whom a detector found, as tracks by clip name, which 3dpw-occluded measures overlap with;
            the data set's own detections if not given.

    Raises BadUsage for a protocol there is not or options that do not fit it, BadInput where a path does not hold what
    it should, or no prediction is of a clip of the truth.
    """
    rules = protocol_of(protocol) if isinstance(protocol, str) else protocol
    if array is not None and rules.dataset != "mupots":
        raise BadUsage(f"--array names stored poses of MuPoTS-3D samples; {rules.name} has none")
    if detections is not None and not rules.hardest:
        raise BadUsage(f"--detections is for protocols that choose by overlap, such as 3dpw-occluded; not {rules.name}")
    if rules.measures == "images":
        if isinstance(predictions, Tracks) or isinstance(truth, Tracks | Clip):
            raise BadUsage(f"{rules.name} takes a COCO results file and the data set's folder")
        return evaluate_images(Path(predictions), Path(truth), rules)
    clips = _one_clip(truth, rules) if isinstance(truth, Tracks | Clip) else true_clips(rules, Path(truth))
    first = next(clips, None)
    if first is None:
        raise BadInput(f"{truth} holds no clip")
    second = next(clips, None)
    source = _Source.of(predictions, rules, array, single=second is None)
    sums = _Sums(rules, keep=bool(rules.hardest))
    for clip in chain([first], [second] if second is not None else [], clips):
        sums.add(clip, source)
    if not sums.names:
        raise BadInput(
            f"none of the predictions ({_some(source.names)}) is of a clip of the truth ({_some(sums.missing)}); "
            "name them NAME.npz or NAME/tracks.npz"
        )
    parts, facts, notes = {}, {}, []
    if rules.hardest and not isinstance(truth, Tracks | Clip):
        parts, facts, notes = hardest_parts(rules, sums.names, sums.comparisons, Path(truth), detections)
    return sums.report(source, parts, facts, notes)


@dataclass(frozen=True)
class _Source:
    """Where predictions come from: tracks or stored arrays, flows, or both."""

    rules: Protocol
    tracks: Tracks | None = None
    found: Sequence[Found] = ()
    flows: Sequence[Found] = ()
    stored: Mapping[str, Stored] = field(default_factory=dict)
    array: str = ""
    single: bool = False
    album: Album | None = None

    @classmethod
    def of(cls, predictions: Predictions, rules: Protocol, array: str | None, *, single: bool) -> "_Source":
        if isinstance(predictions, Tracks):
            if rules.measures == "flow":
                raise BadUsage(f"{rules.name} scores flow: predictions are a folder of .flo for each clip")
            album = Album(predictions) if rules.stills and not single else None
            return cls(rules, tracks=predictions, single=single, album=album)
        path = Path(predictions)
        if not path.exists():
            raise BadInput(f"there are no predictions at {path}")
        stored = {each.name: each for each in find_stored(path) if each.arrays} if rules.dataset == "mupots" else {}
        if stored:
            return cls(
                rules,
                found=[Found(name, each.path) for name, each in stored.items()],
                stored=stored,
                array=array or _default(rules, next(iter(stored.values()))),
                single=single,
            )
        if array is not None:
            raise BadUsage(f"--array {array} needs a folder of TSxx.npz with stored poses, {path} holds none")
        flows = find_flows(path) if rules.flow_metrics and has_flows(path) else []
        if rules.measures == "flow" and not flows:
            raise BadInput(f"{path} holds no .flo or .pfm; {rules.name} wants a folder of them for each clip")
        if path.is_file() and path.suffix != ".npz":
            raise BadInput(
                f"predictions are tracks in an .npz, or a folder of them, got {path}; docs/estimates.md has the lines "
                "that make tracks of what other tools write"
            )
        found = [] if rules.measures == "flow" else find_tracks(path)
        if not found and not flows:
            raise BadInput(f"{path} holds no predictions: expected tracks.npz, NAME.npz or NAME/tracks.npz")
        album = Album(Tracks.load(found[0].path)) if rules.stills and len(found) == 1 and not single else None
        return cls(rules, found=found, flows=flows, single=single, album=album)

    @property
    def names(self) -> list[str]:
        return [each.name for each in (*self.found, *self.flows)] or ["the tracks given"]

    @property
    def matching(self) -> str:
        """How people find their partners."""
        if self.rules.matching == "index" and not self.stored:
            return "released"
        return self.rules.matching

    def tracks_of(self, clip: Clip, position: int) -> Tracks | None:
        """Of the clip at a position among those of the truth; None where there is no prediction."""
        if self.album is not None:
            return self.album[position]
        if self.tracks is not None:
            fits = self.single or pick(clip.name, [Found(Path(self.tracks.video).stem, Path())])
            return self.tracks if fits else None
        place = self._place(clip.name, self.found)
        if place is None:
            return None
        if self.stored:
            # The released scripts take a pose of zeros for a pose.
            return self.stored[place.name].tracks(self.array, zeros=self.rules.matching == "index")
        return Tracks.load(place.path)

    def flows_of(self, clip: Clip) -> Path | None:
        place = self._place(clip.name, self.flows)
        return place.path if place else None

    def _place(self, name: str, found: Sequence[Found]) -> Found | None:
        return found[0] if self.single and len(found) == 1 else pick(name, found)


def _default(rules: Protocol, stored: Stored) -> str:
    if rules.matching == "index" and FINAL in stored.arrays:
        return FINAL
    raise BadUsage(
        f"{stored.path.parent} holds several predictions, choose one with --array: {', '.join(stored.arrays)}"
    )


class _Sums:
    """What is known so far, clip after clip."""

    def __init__(self, rules: Protocol, *, keep: bool) -> None:
        self.rules, self._keep = rules, keep
        self.names: list[str] = []
        self.missing: list[str] = []
        self.comparisons: list[Comparison] = []
        self.rows: dict[str, dict[str, Value]] = {}
        self.curves: dict[str, tuple[Mean, ...]] = {}

    def add(self, clip: Clip, source: _Source) -> None:
        folder, tracks = source.flows_of(clip), None
        if self.rules.measures == "poses":
            tracks = source.tracks_of(clip, len(self.names) + len(self.missing))
        if tracks is None and folder is None:
            self.missing.append(clip.name)
            return
        self.names.append(clip.name)
        if tracks is not None and clip.truth is not None:
            compared = compare(
                clip.truth, tracks, joints=self.rules.joints, root=self.rules.root, matching=source.matching
            )
            row = score(compared, self.rules)
            if self.rules.stills:
                # Too many to keep apart.
                self.rows = {"all": pooled([*self.rows.values(), row])}
            else:
                self.rows[clip.name] = row
            for name, absolute in (("root-aligned", False), ("absolute", True)):
                points = curve(compared, absolute=absolute)
                before = self.curves.get(name, (Mean(),) * len(points))
                self.curves[name] = tuple(a + b for a, b in zip(before, points, strict=True))
            if self._keep:
                self.comparisons.append(compared)
        if folder is not None:
            pairs = len(clip.flow) if clip.flow is not None else len(clip.truth.frames) - 1 if clip.truth else 0
            flows = read_flows(folder, pairs, clip.size)
            self.rows.setdefault(clip.name, {}).update(score_flows(clip, flows, self.rules.flow_metrics))

    def report(self, source: _Source, parts: dict, facts: dict, notes: list[str]) -> Report:
        rules = self.rules
        clips = {name: plain_values(row) for name, row in self.rows.items()}
        if self.missing:
            notes = [*notes, f"clips of the truth without prediction, which do not count: {_some(self.missing)}"]
        if source.array:
            notes = [*notes, f"the stored poses {source.array}"]
        if source.array == FINAL and not rules.helped_by:
            notes = [*notes, "these poses hold bone lengths, rays and depths of the truth: no strict figure"]
        return Report(
            protocol=rules,
            clips={} if rules.stills else clips,
            total=dict(parts["occluded"]) if parts else plain_values(self._total()),
            matching=source.matching,
            parts=parts,
            facts={"clips": len(self.names), **facts},
            curves={name: [p.value if p.count else 0.0 for p in points] for name, points in self.curves.items()},
            distances=[round(1000 * distance) for distance in CURVE_M],
            missing=tuple(self.missing),
            notes=tuple(notes),
        )

    def _total(self) -> dict[str, Value]:
        match self.rules.pooling:
            case "clips":
                return averaged(list(self.rows.values()))
            case "actions":
                actions: dict[str, list[dict[str, Value]]] = {}
                for name, row in self.rows.items():
                    actions.setdefault(action_of(name), []).append(row)
                return averaged([pooled(rows) for rows in actions.values()])
        return pooled(list(self.rows.values()))


def action_of(name: str) -> str:
    """`Directions` of `S9/Directions 1.60457274`, a clip of Human3.6M."""
    return re.sub(r"[ _]\d+$", "", name.rpartition("/")[2].partition(".")[0])


def _one_clip(truth: Tracks | Clip, rules: Protocol) -> Iterator[Clip]:
    clip = truth if isinstance(truth, Clip) else Clip(None, truth)
    yield thinned(clip, rules) if rules.measures == "poses" else clip


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f", … {len(names)} in all" if len(names) > 4 else "")
