"""Makes the table of the agreement score from rendered clips: the recipe of `refinement/agreement.json`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from dyad.bench.agreement_cases import Case
from dyad.core.errors import BadInput
from dyad.refinement.agreement import OFF
from dyad.refinement.agreement_features import names
from dyad.refinement.agreement_model import Model, standardised

_BATCH = 1024
# What estimators may lack: these are hidden from the network for a share of the joints.
_LACKING = ((("confidence", "confidence_beside"), 0.15), (("apart",), 0.3), (("bones",), 0.1))
# Joints without errors, or with few, teach little; there should be some, so that nothing speaks against them.
_SAY = {"none": 0.15, "mild": 0.4}


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How the network is fitted: cross entropy, with AdamW and one cycle of the learning rate.

    Real estimators and the noise model count the same.
    """

    hidden: tuple[int, ...] = (24,)
    epochs: int = 20
    rate: float = 3e-3
    decay: float = 3e-2
    seed: int = 0

    def __call__(self, cases: Iterable[Case], made: dict[str, Any] | None = None) -> Model:
        """The table that tells which joints of the cases are off. `made` is kept in it. BadInput for no joints."""
        rows = Rows.of(cases)
        if not len(rows.off):
            raise BadInput("a table of agreement is fitted to joints whose place is known, got none")
        with np.errstate(invalid="ignore"):
            known = np.isfinite(rows.values)
            count = np.maximum(known.sum(0), 1)
            filled = np.where(known, rows.values, 0).astype(np.float64)
            mean = filled.sum(0) / count
            spread = np.sqrt(np.where(known, np.square(filled - mean), 0).sum(0) / count)
        mean, spread = mean.astype(np.float32), np.where(spread > 1e-6, spread, 1.0).astype(np.float32)
        network = self._fitted(rows, mean, spread)
        layers = tuple(
            (layer.weight.detach().numpy(), layer.bias.detach().numpy())
            for layer in network
            if isinstance(layer, nn.Linear)
        )
        about = {"joints": len(rows.off), "off": round(float((rows.off > OFF).mean()), 4), **(made or {})}
        return Model(tuple(names()), mean, spread, layers, about)

    def _fitted(self, rows: "Rows", mean: NDArray[np.float32], spread: NDArray[np.float32]) -> nn.Sequential:
        chance = np.random.default_rng(self.seed)
        generator = torch.Generator().manual_seed(self.seed)
        sizes = (2 * len(mean), *self.hidden, 1)
        layers: list[nn.Module] = []
        for wide, narrow in pairwise(sizes):
            layer = nn.Linear(wide, narrow)
            bound = wide**-0.5
            for part in (layer.weight, layer.bias):
                nn.init.uniform_(part, -bound, bound, generator=generator)
            layers += [layer, nn.Tanh()]
        network = nn.Sequential(*layers[:-1])
        optimiser = torch.optim.AdamW(network.parameters(), lr=self.rate, weight_decay=self.decay)
        count = len(rows.off)
        steps = self.epochs * -(-count // _BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, self.rate, total_steps=steps)
        wrong = torch.from_numpy((rows.off > OFF).astype(np.float32))
        say = torch.from_numpy(rows.say)
        for _ in range(self.epochs):
            inputs = torch.from_numpy(standardised(_lacking(rows.values, chance), mean, spread))
            for some in torch.randperm(count, generator=generator).split(_BATCH):
                told = network(inputs[some])[:, 0]
                loss = (binary_cross_entropy_with_logits(told, wrong[some], reduction="none") * say[some]).mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
        return network


class Rows(NamedTuple):
    """Joints that can be judged and whose place is known.

    values: (N, F) features. off: (N,) error in heights. say: (N,) weight, of mean 1.
    """

    values: NDArray[np.float32]
    off: NDArray[np.float32]
    say: NDArray[np.float32]

    @classmethod
    def of(cls, cases: Iterable[Case]) -> "Rows":
        values: list[NDArray] = [np.zeros((0, len(names())), np.float32)]
        off: list[NDArray] = [np.zeros(0)]
        say: list[NDArray] = [np.zeros(0)]
        real: list[NDArray] = [np.zeros(0)]
        for case in cases:
            known = judged(case)
            values.append(case.evidence.values[known])
            off.append(case.off[known])
            say.append(np.full(int(known.sum()), _SAY.get(case.kind.split()[0], 1.0)))
            real.append(np.full(int(known.sum()), case.estimator == "real"))
        weight, looked = np.concatenate(say), np.concatenate(real).astype(bool)
        if looked.any() and not looked.all():
            weight[looked] *= weight[~looked].sum() / weight[looked].sum()
        weight /= max(float(weight.mean()), 1e-9) if len(weight) else 1.0
        return cls(np.concatenate(values), np.concatenate(off).astype(np.float32), weight.astype(np.float32))


def judged(case: Case) -> NDArray[np.bool_]:
    """Joints (N, J) of a case that can be judged and whose place is known."""
    return case.evidence.told & np.isfinite(case.off)


def _lacking(values: NDArray[np.float32], chance: np.random.Generator) -> NDArray[np.float32]:
    out, order = values.copy(), names()
    for group, share in _LACKING:
        some = chance.random(len(out)) < share
        for name in group:
            out[some, order.index(name)] = np.nan
    return out


def hidden(cases: Sequence[Case], feature: str) -> list[NDArray[np.float32]]:
    """The features of every case without one of them."""
    place = names().index(feature)
    out = []
    for case in cases:
        values = case.evidence.values.copy()
        values[..., place] = np.nan
        out.append(values)
    return out
