"""How far motion and flow lie apart: by the pixel, in heights, wherever anything tells."""

from dataclasses import replace

import pytest
import torch

from dyad.core.errors import BadInput
from dyad.core.flow import Flow
from dyad.refinement.disagreement import Disagreement
from tests.refinement.scenes import scene


def test_it_is_the_distance_in_heights() -> None:
    exact = scene(frames=6)
    assert Disagreement()(exact.truth, exact.flows) == pytest.approx(0, abs=1e-6)
    off = [Flow(flow.uv + torch.tensor((0.6, -0.8))[:, None, None]) for flow in exact.flows]
    shares = [Disagreement(flat=flat, most=1.0)(exact.truth, off) for flat in (False, True)]
    # One pixel of somebody of 1.9 m, 4 m away.
    assert shares == [pytest.approx(4.0 / 300 / 1.9, rel=0.1)] * 2
    assert Disagreement(most=0.001)(exact.truth, off) == pytest.approx(0.001)


def test_it_does_not_depend_on_the_size_of_the_image() -> None:
    found = []
    for size in ((320, 240), (640, 480)):
        exact = scene(frames=5, size=size)
        found.append(Disagreement(most=1.0)(exact.truth, [Flow(1.5 * flow.uv) for flow in exact.flows]))
    assert found[0] == pytest.approx(found[1], rel=1e-3)


def test_what_does_not_tell() -> None:
    exact = scene(frames=6)
    unknown = [Flow(torch.full_like(flow.uv, torch.nan)) for flow in exact.flows]
    off = [Flow(flow.uv + 1) for flow in exact.flows]
    assert torch.tensor(Disagreement()(exact.truth, unknown)).isnan()
    some = [off[0], *unknown[1:]]
    assert Disagreement()(exact.truth, some) == pytest.approx(Disagreement()(exact.truth, off), rel=1e-3)
    # Across a cut nothing moves.
    cut = replace(exact.truth, cuts=(3,))
    assert Disagreement()(cut, [*exact.flows[:2], off[2], *exact.flows[3:]]) == pytest.approx(0, abs=1e-6)
    assert torch.tensor(Disagreement()(exact.truth[exact.truth.frame < 0], exact.flows)).isnan()
    with pytest.raises(BadInput, match="6 frames have a flow between any two, got 4"):
        Disagreement()(exact.truth, exact.flows[1:])
