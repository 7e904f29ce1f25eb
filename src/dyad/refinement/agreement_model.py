"""The table that turns features of a joint into the probability that it is off: a small network of plain numbers."""

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dyad.core.errors import BadInput, one_line
from dyad.core.files import whole_file
from dyad.refinement.agreement_features import names

SCHEMA = "dyad-agreement/1"
CLIP = 4.0


@dataclass(frozen=True)
class Model:
    """A network with one hidden layer or more; features are standardised, and unknown ones count as average.

    Attributes:
        features: names, in the order of the first layer's inputs; after them come as many marks of what is unknown.
        mean, spread: (F,) of the features.
        layers: weights (out, in) and biases (out,); hyperbolic tangents between them.
        made: how the table was made, for whoever wonders.
    """

    features: tuple[str, ...]
    mean: NDArray[np.float32]
    spread: NDArray[np.float32]
    layers: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]
    made: dict

    def __post_init__(self) -> None:
        if list(self.features) != names():
            raise BadInput("a table of agreement is of other features than this Dyad reckons; make it anew")
        width = len(self.features)
        shapes = [(w.shape, b.shape) for w, b in self.layers]
        inputs = [2 * width, *(b[0] if b else 0 for _, b in shapes)]
        fits = all(w == (*b, n) for (w, b), n in zip(shapes, inputs, strict=False)) and inputs[-1] == 1
        if not fits or {self.mean.shape, self.spread.shape} != {(width,)} or not (self.spread > 0).all():
            raise BadInput("a table of agreement has layers that follow one another, and a spread for each feature")

    @classmethod
    def load(cls, path: Path | None = None) -> "Model":
        """From a file, or the one that comes with Dyad. BadInput for what is no such table."""
        if path is None:
            return _shipped()
        try:
            return cls.from_json(path.read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"cannot read {path}: {one_line(error)}") from error

    @classmethod
    def from_json(cls, text: str, name: str) -> "Model":
        try:
            told = json.loads(text)
            if told["schema"] != SCHEMA:
                raise ValueError(f"its schema is {told['schema']!r}")
            layers = tuple((np.array(w, np.float32), np.array(b, np.float32)) for w, b in told["layers"])
            mean, spread = (np.array(told[part], np.float32) for part in ("mean", "spread"))
            return cls(tuple(told["features"]), mean, spread, layers, told["made"])
        except (BadInput, KeyError, TypeError, ValueError, RecursionError, OverflowError) as error:
            raise BadInput(f"{name} is no table of agreement ({SCHEMA}): {one_line(error)}") from error

    def save(self, path: Path) -> None:
        def short(values: NDArray) -> list:
            return [float(f"{v:.5g}") for v in values] if values.ndim == 1 else [short(row) for row in values]

        told = {
            "schema": SCHEMA,
            "made": self.made,
            "features": list(self.features),
            "mean": short(self.mean),
            "spread": short(self.spread),
            "layers": [[short(w), short(b)] for w, b in self.layers],
        }
        with whole_file(path) as partial:
            partial.write_text(json.dumps(told, separators=(",", ":")) + "\n", encoding="utf-8")

    def inputs(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, 2 F) of features (N, F)."""
        return standardised(values, self.mean, self.spread)

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities (N,) that joints are off, of features (N, F)."""
        x = self.inputs(values)
        for weight, bias in self.layers[:-1]:
            x = np.tanh(x @ weight.T + bias)
        weight, bias = self.layers[-1]
        return 1 / (1 + np.exp(-(x @ weight.T + bias)[:, 0]))


def standardised(
    values: NDArray[np.float32], mean: NDArray[np.float32], spread: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(N, 2 F): features less their mean in spreads, limited, 0 where unknown; then 1 where unknown."""
    unknown = ~np.isfinite(values)
    scaled = np.clip((np.where(unknown, mean, values) - mean) / spread, -CLIP, CLIP)
    return np.concatenate((scaled, unknown.astype(np.float32)), -1).astype(np.float32)


@lru_cache(maxsize=1)
def _shipped() -> Model:
    file = resources.files("dyad.refinement").joinpath("agreement.json")
    return Model.from_json(file.read_text(encoding="utf-8"), "agreement.json")
