"""Gauss-Newton steps for robust energies that tie each frame to its neighbours: every step is one banded system."""

import logging
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import linalg, sparse

from dyad.refinement.linear import Layout, Rows, rows
from dyad.refinement.problem import Problem, State
from dyad.refinement.solvers import Solution

_LOG = logging.getLogger(__name__)


_TRIES = 12
_LEAST, _RAISED = 1e-9, 1e-4


@dataclass(frozen=True, kw_only=True)
class GaussNewton:
    """Damped Gauss-Newton (Levenberg and Marquardt), with the weights that make least squares of smooth l1.

    Every person has a damping of their own, and is done when their own energy is: nobody waits for anybody.

    Attributes:
        steps: at most so many.
        gain: a person is done after a step that lowers the energy by less than this share of it.
        damping: of the first step, as a share of the matrix's diagonal.
    """

    steps: int = 60
    gain: float = 1e-5
    damping: float = 1e-4

    def __call__(self, problem: Problem, state: State) -> Solution:
        layout = Layout.of(state)
        each = layout.frames * layout.width
        here = layout.flat(state).double()
        state = layout.state(here, state)
        now = _energies(problem, state)
        energies, steps = [float(now.sum())], 0
        damping, busy = np.full(layout.people, self.damping), np.ones(layout.people, bool)
        while steps < self.steps and busy.any():
            steps += 1
            system = _System.of(rows(problem, state), layout)
            waiting = busy.copy()
            for _ in range(_TRIES):
                move = system.step(np.repeat(damping, each)) * np.repeat(waiting, each)
                there = here - torch.from_numpy(move)
                found = _energies(problem, layout.state(there, state))
                better = waiting & (found <= now)
                here = torch.where(torch.from_numpy(np.repeat(better, each)), there, here)
                busy &= ~(better & (now - found <= self.gain * found))
                now = np.where(better, found, now)
                damping = np.where(better, np.maximum(damping / 8, _LEAST), damping)
                waiting &= ~better
                if not waiting.any():
                    break
                damping = np.where(waiting, np.maximum(8 * damping, _RAISED), damping)
            busy &= ~waiting
            state = layout.state(here, state)
            energies.append(float(now.sum()))
        _LOG.debug("energy %.6g to %.6g in %d steps", energies[0], energies[-1], steps)
        return Solution(state, energies, steps)


@dataclass(frozen=True)
class _System:
    """Normal equations: the lower band (B, N) of a symmetric matrix, and the gradient (N,)."""

    band: NDArray[np.float64]
    gradient: NDArray[np.float64]

    @classmethod
    def of(cls, found: dict[str, Rows], layout: Layout) -> "_System":
        unknowns = layout.frames * layout.people * layout.width
        # A frame's unknowns are tied to each other and to the next frame's, and each to itself two frames on.
        band = np.zeros((2 * layout.width + 1, unknowns))
        gradient = np.zeros(unknowns)
        parts = [part for part in found.values() if len(part.value)]
        if parts:
            matrix = sparse.vstack([part.matrix(unknowns) for part in parts], format="csr")
            value, weight = (np.concatenate([getattr(part, name) for part in parts]) for name in ("value", "weight"))
            # ρ grows as x²/2, later as |x|: the parabola that touches it has this share of the curvature.
            weight = weight / np.maximum(np.abs(value), 1.0)
            gradient = matrix.T @ (weight * value)
            normal = (matrix.T @ sparse.diags(weight) @ matrix).tocoo()
            lower = normal.row >= normal.col
            row, column = normal.row[lower], normal.col[lower]
            band[row - column, column] = normal.data[lower]
        return cls(band, gradient)

    def step(self, damping: NDArray[np.float64]) -> NDArray[np.float64]:
        """What to take away from the unknowns (N,) with a damping for each; 0 for those that nothing depends on."""
        band = self.band.copy()
        diagonal = band[0]
        free = diagonal > 0
        floor = 1e-9 * diagonal.max(initial=0.0)
        band[0] = np.where(free, diagonal * (1 + damping) + floor, 1.0)
        return np.where(free, linalg.solveh_banded(band, self.gradient, lower=True, overwrite_ab=True), 0.0)


def _energies(problem: Problem, state: State) -> NDArray[np.float64]:
    """(P,)"""
    with torch.no_grad():
        return problem.energies(state).total.double().cpu().numpy()
