"""Soles on the floor: floats and sinks are mended, jumps are kept."""

from dataclasses import replace

import numpy as np
import pytest

from dyad.synthetic.bodies.body import BodyModel, Phenotype, Shape
from dyad.synthetic.motion.grounding import grounded
from dyad.synthetic.motion.takes import Take, lowest


@pytest.fixture(scope="module")
def shape() -> Shape:
    return BodyModel.load().shape(Phenotype(gender=1.0))


def at_heights(shape: Shape, heights: np.ndarray) -> Take:
    """The rest pose with its soles at heights (T,) above the floor."""
    take = Take.standing(shape, frames=len(heights))
    take = take.lifted(-float(lowest(take, shape)[0]))
    return replace(take, translation=take.translation + heights[:, None] * (0, 1, 0))


@pytest.mark.parametrize("height", [-0.7, 0.0, 3.0])
def test_who_stands_is_put_on_the_floor(shape: Shape, height: float) -> None:
    for frames in (1, 2, 40):
        np.testing.assert_allclose(
            lowest(grounded(at_heights(shape, np.full(frames, height)), shape), shape), 0, atol=1e-9
        )


def test_a_slow_drift_of_a_few_centimetres_is_taken_out(shape: Shape) -> None:
    drift = 0.03 * np.sin(np.linspace(0, 6, 200))
    heights = lowest(grounded(at_heights(shape, drift), shape), shape)
    assert heights.min() > -1e-9
    assert heights.max() < 0.004


@pytest.mark.parametrize("high", [0.05, 0.12, 0.5])
def test_jumps_stay_as_high_as_they_were(shape: Shape, high: float) -> None:
    flight = 2 * np.sqrt(2 * high / 9.81)
    time = np.arange(120) / 30 - 2
    jump = np.maximum(high * (1 - (2 * time / flight) ** 2), 0)
    heights = lowest(grounded(at_heights(shape, jump + 0.3), shape), shape)
    np.testing.assert_allclose(heights, jump, atol=0.012)


def test_nobody_stays_below_the_floor_and_nothing_moves_sideways(shape: Shape) -> None:
    take = at_heights(shape, np.where((np.arange(90) > 40) & (np.arange(90) < 50), -0.2, 0.0)).moved(0.3, 1, 2)
    mended = grounded(take, shape)
    assert lowest(mended, shape).min() > -1e-9
    np.testing.assert_array_equal(mended.translation[:, [0, 2]], take.translation[:, [0, 2]])
    np.testing.assert_array_equal(mended.rotations, take.rotations)
    assert np.abs(np.diff(lowest(mended, shape) - lowest(take, shape))).max() < 0.05
