"""What lowers the energies of a pose, and the paper's way of doing it: many small steps of Adam."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from dyad.refinement.problem import Problem, State


class Solution(NamedTuple):
    """The state found, the sum of all people's energies before each step and at the end, and the steps taken."""

    state: State
    energies: list[float]
    steps: int


class Objective(Protocol):
    """What Adam needs to know of a problem."""

    @property
    def unit(self) -> float:
        """What turns a coordinate of a point into the number that is stepped."""
        ...

    def energy(self, state: State) -> Tensor: ...


class Solver(Protocol):
    """Lowers the energies of a problem from a state on."""

    def __call__(self, problem: Problem, state: State) -> Solution: ...


@dataclass(frozen=True, kw_only=True)
class Adam:
    """The paper's solver: points and cameras in one Adam.

    Attributes:
        rate: learning rate: m, or px of a 1000 px image where points are pixels.
        still: stop once the energy, rounded to `decimals`, has been the same for so many steps on end; None never
            stops early. The released code's rule is 10 and 4 (it compares printed numbers).
    """

    steps: int = 1500
    rate: float = 1e-3
    still: int | None = None
    decimals: int = 4

    def __call__(self, problem: Objective, state: State) -> Solution:
        unit = problem.unit
        points = (torch.nan_to_num(state.points) * unit).requires_grad_()
        known = torch.isfinite(state.points)
        free = [points]
        cameras, real = None, None
        if state.cameras is not None:
            cameras, real = torch.nan_to_num(state.cameras).clone().requires_grad_(), state.cameras.isfinite()
            free.append(cameras)
        optimizer = torch.optim.Adam(free, lr=self.rate)
        stop = Stillness(self.still, self.decimals)
        energies: list[float] = []

        def current() -> State:
            there = torch.where(known, points / unit, torch.nan)
            return State(there, None if cameras is None or real is None else torch.where(real, cameras, torch.nan))

        for _ in range(self.steps):
            energy = problem.energy(current())
            energies.append(energy.item())
            if stop(energies[-1]):
                break
            optimizer.zero_grad()
            energy.backward()
            optimizer.step()
        with torch.no_grad():
            found = current()
            energies.append(problem.energy(found).item())
        return Solution(found, energies, len(energies) - 1)


class Stillness:
    """Says when a number, rounded, has been the same for `times` calls after the one that first had it."""

    def __init__(self, times: int | None, decimals: int) -> None:
        self._times, self._decimals = times, decimals
        self._last: float | None = None
        self._same = 0

    def __call__(self, value: float) -> bool:
        rounded = round(value, self._decimals)
        self._same = self._same + 1 if rounded == self._last else 0
        self._last = rounded
        return self._times is not None and self._same >= self._times
