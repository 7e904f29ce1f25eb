"""What an evaluation found: by clip, in all, and what one must know to read it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dyad.evaluation.protocols import Protocol

Numbers = Mapping[str, float | int]

MATCHING = {
    "oks": "one-to-one by 2D similarity (OKS) of at least 0.1",
    "alone": "the truth is one person, the prediction is whoever has the most frames",
    "index": "by identity: predicted person i is true person i",
    "released": "each true person takes the candidate that fits best after a similarity fit, several may take one",
    "none": "nothing to match",
}
"""How people find their partners, in words."""


@dataclass(frozen=True)
class Report:
    """Scores under a protocol.

    Attributes:
        protocol: the rules. matching: how people found their partners, a key of `MATCHING`; the protocol's way if "".
        clips: scores of each clip, by name. total: of all of them, pooled as the protocol says.
        parts: scores of parts that the protocol compares (`all`, `occluded`, `drop`).
        facts: further numbers, such as the overlap from which on a person counts as occluded.
        curves: PCK 0..100 at the distances `distances` (mm).
        missing: clips of the truth for which there is no prediction; they do not count.
        notes: sentences for the reader.
    """

    protocol: Protocol
    clips: Mapping[str, Numbers]
    total: Numbers
    matching: str = ""
    parts: Mapping[str, Numbers] = field(default_factory=dict)
    facts: Mapping[str, float | int] = field(default_factory=dict)
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict)
    distances: Sequence[float] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __getitem__(self, metric: str) -> float | int:
        """A number of the total."""
        return self.total[metric]

    @property
    def matched_by(self) -> str:
        """How people found their partners, in words."""
        name = self.matching or self.protocol.matching
        return MATCHING.get(name, name)

    @property
    def pooling(self) -> str:
        """What the total is of, in words."""
        return {"frames": "all together", "clips": "mean of clips", "actions": "mean of actions"}[self.protocol.pooling]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; a number that is not defined is None."""
        return {
            "protocol": self.protocol.name,
            "sentence": self.protocol.sentence,
            "alignment": self.protocol.alignment,
            "matching": self.matched_by,
            "helped_by": list(self.protocol.helped_by),
            "pooling": self.pooling,
            "total": _plain(self.total),
            "parts": {name: _plain(row) for name, row in self.parts.items()},
            "facts": _plain(self.facts),
            "clips": {name: _plain(row) for name, row in self.clips.items()},
            "clips_without_prediction": list(self.missing),
            "curves": {"distances_mm": list(self.distances), **{k: list(v) for k, v in self.curves.items()}},
            "notes": list(self.notes),
        }


def _plain(row: Numbers) -> dict[str, float | int | None]:
    return {name: value if math.isfinite(value) else None for name, value in row.items()}
