"""The energies of a pose that agrees with its flow: equations 2 to 6 of "Bootstrapping Human Optical Flow and Pose".

Tensors are (T, P, J, ·): frames, people, joints; NaN is absent. Each term is a pure function that returns one energy
a person (P,), without its λ, and is differentiable. What it penalises comes from a function of the same name in
`residuals`, and is scaled there to the setting for which the paper's λ were found (images of 1000 px, 10 frames a
second), so that neither the size of the image nor the frame rate changes what is best.

E[·] is the mean over a person's frames, all joints and all coordinates. What is absent counts as zero: a joint that is
seen half of the time is not trusted twice as much when it is.
"""

import torch
from torch import Tensor

from dyad.refinement import residuals
from dyad.refinement.readings import Readings
from dyad.refinement.residuals import Reading, Residual, Setting


def smooth_l1(x: Tensor) -> Tensor:
    """ρ: x²/2 for |x| < 1 and |x| - 1/2 beyond."""
    size = x.abs()
    return torch.where(size < 1, 0.5 * x * x, size - 0.5)


def expected(residual: Residual, frames: Tensor) -> Tensor:
    """E[w ρ(r)] (P,) over a person's `frames` (P,), with what is absent as 0."""
    value, weight = residual
    entries = value.shape[2] * value.shape[3]
    return (weight * smooth_l1(value)).sum((0, 2, 3)) / (frames.clamp(min=1) * entries)


def optical(xy: Tensor, flow: Readings, setting: Setting, *, weight: Tensor, reading: Reading = "start") -> Tensor:
    """Equation 3: E[ρ(F^{t-1} - (P(X^t) - P(X^{t-1})))], residuals in px of a 1000 px image in 0.1 s.

    Args:
        xy: (T, P, J, 2) px, the projected joints P(X, C).
        flow: around the joints, from each frame to the next.
        weight: (T-1, P, J), how far the flow is trusted at the joint.
        reading: F^{t-1} lies on the pixels of frame t-1. "start" reads it there, at P(X^{t-1}); "end" reads it at
            P(X^t), as the equation is printed.
    """
    return expected(residuals.optical(xy, flow, setting, weight=weight, reading=reading), setting.frames)


def three_d(xyz: Tensor, initial: Tensor, setting: Setting, *, weight: Tensor) -> Tensor:
    """Equation 4: E[ρ(X - X̃)] of points and their initial estimates (T, P, J, D), residuals in m.

    In two dimensions the points are pixels, the residuals px of a 1000 px image. `weight` (T, P, J).
    """
    return expected(residuals.three_d(xyz, initial, setting, weight=weight), setting.frames)


def two_d(xy: Tensor, detected: Tensor, setting: Setting, *, weight: Tensor) -> Tensor:
    """Equation 5: E[w ρ(x - P(X, C))] of projected and detected joints (T, P, J, 2) px, weight (T, P, J).

    Residuals in px of a 1000 px image.
    """
    return expected(residuals.two_d(xy, detected, setting, weight=weight), setting.frames)


def position(xyz: Tensor, setting: Setting) -> Tensor:
    """Equation 6, first part: E[ρ(X^t - X^{t-1})], residuals in m in 0.1 s.

    It pulls what moves back: fit for poses about their own root, not for people who cross a room.
    """
    return expected(residuals.position(xyz, setting), setting.frames)


def acceleration(xyz: Tensor, setting: Setting) -> Tensor:
    """E[ρ((X^{t+1} - X^t) - (X^t - X^{t-1}))], residuals in m in (0.1 s)²: our own; leaves steady motion alone."""
    return expected(residuals.acceleration(xyz, setting), setting.frames)


def camera(cameras: Tensor, setting: Setting) -> Tensor:
    """Equation 6, second part: E[ρ(C^t - C^{t-1})] of cameras (T, P, C), per 0.1 s."""
    return expected(residuals.camera(cameras, setting), setting.frames)


def bone(xyz: Tensor, bones: tuple[tuple[int, int], ...], setting: Setting) -> Tensor:
    """Equation 6, third part: E[ρ(‖X_j^t - X_k^t‖ - ‖X_j^{t-1} - X_k^{t-1}‖)], residuals in m in 0.1 s."""
    return expected(residuals.bone(xyz, bones, setting), setting.frames)
