"""What is held fixed while a pose is refined, the weights of its energies, and their sum: the paper's equation 2."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from dyad.refinement import residuals
from dyad.refinement.readings import Readings
from dyad.refinement.residuals import Reading, Residual, Setting
from dyad.refinement.terms import expected
from dyad.refinement.views import View

Motion = Literal["position", "acceleration"]


@dataclass(frozen=True, kw_only=True)
class Lambdas:
    """Weights of the energies, each of which is a mean (see `terms`)."""

    opt: float
    three_d: float
    two_d: float
    motion: float
    camera: float
    bone: float

    @classmethod
    def printed(cls) -> "Lambdas":
        """The paper's numbers. The released code sums where the paper takes means: there they mean `published`."""
        return cls(opt=0.01, three_d=400.0, two_d=0.01, motion=300.0, camera=0.1, bone=1e4)

    @classmethod
    def published(cls) -> "Lambdas":
        """The paper's numbers as its code applies them, to sums over 14 joints, 15 bones and all coordinates."""
        sums, joints, bones = cls.printed(), 14, 15
        return cls(
            opt=sums.opt * joints * 2,
            three_d=sums.three_d * joints * 3,
            two_d=sums.two_d * joints * 2,
            motion=sums.motion * joints * 3,
            camera=sums.camera * 3,
            bone=sums.bone * bones,
        )


class State(NamedTuple):
    """What is refined: points (T, P, J, D), and cameras (T, P, 3) where the view has any. NaN is absent."""

    points: Tensor
    cameras: Tensor | None = None


class Energies(NamedTuple):
    """Weighted energies (P,), one a person, and their sum."""

    opt: Tensor
    three_d: Tensor
    two_d: Tensor
    motion: Tensor
    camera: Tensor
    bone: Tensor

    @property
    def total(self) -> Tensor:
        return torch.stack(tuple(self)).sum(0)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Observations of T frames, P people and J joints, and how they count.

    Attributes:
        initial: points (T, P, J, D) to stay close to, with `anchor` (T, P, J). detected: (T, P, J, 2) px with `seen`
            (T, P, J). flow: windows around the joints with `trusted` (T-1, P, J), or None.
        bones: pairs of joints whose length should last. moving: which motion is penalised.
        reading: where flow is read, see `terms.optical`.
    """

    view: View
    setting: Setting
    lambdas: Lambdas
    initial: Tensor
    anchor: Tensor
    detected: Tensor
    seen: Tensor
    flow: Readings | None
    trusted: Tensor
    bones: tuple[tuple[int, int], ...]
    moving: Motion
    reading: Reading = "start"

    def project(self, state: State) -> Tensor:
        """Pixels (T, P, J, 2) of a state."""
        cameras = None if state.cameras is None else state.cameras[:, :, None].expand(*state.points.shape[:-1], -1)
        return self.view.project(state.points, cameras)

    def residuals(self, state: State) -> dict[str, Residual]:
        """What is penalised, by the names of `Lambdas`; terms without weight or matter are left out."""
        points, setting, weights = state.points, self.setting, self.lambdas
        xy = self.project(state)
        found = {}
        if weights.three_d:
            found["three_d"] = residuals.three_d(points, self.initial, setting, weight=self.anchor)
        if weights.two_d:
            found["two_d"] = residuals.two_d(xy, self.detected, setting, weight=self.seen)
        if weights.opt and self.flow is not None:
            found["opt"] = residuals.optical(xy, self.flow, setting, weight=self.trusted, reading=self.reading)
        if weights.motion and len(points) > 1:
            found["motion"] = getattr(residuals, self.moving)(points, setting)
        if weights.camera and state.cameras is not None:
            found["camera"] = residuals.camera(state.cameras, setting)
        if weights.bone and self.bones:
            found["bone"] = residuals.bone(points, self.bones, setting)
        return found

    def energies(self, state: State) -> Energies:
        """Equation 2, term by term, differentiable."""
        found = self.residuals(state)
        none = state.points.new_zeros(state.points.shape[1])
        weighted = {
            name: getattr(self.lambdas, name) * expected(found[name], self.setting.frames) if name in found else none
            for name in Energies._fields
        }
        return Energies(**weighted)

    def energy(self, state: State) -> Tensor:
        """The sum of all energies of all people, who do not depend on each other."""
        return self.energies(state).total.sum()

    @property
    def unit(self) -> float:
        """What turns a coordinate of a point into m, or into px of a 1000 px image."""
        return self.setting.unit
