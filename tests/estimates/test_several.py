"""Several files named with commas: their mean, how it is refined, and files that do not belong together."""

from pathlib import Path

import pytest
import torch

from dyad.core.errors import BadInput, BadUsage
from dyad.estimates.ensemble import ensemble
from dyad.estimates.several import Estimate, averaged, mean_of, paths_of
from dyad.estimates.sheet import ONLY_2D, Advice
from tests.estimates.making import truth
from tests.estimates.test_ensemble import noisy


def test_commas_part_files_unless_a_file_is_called_so(tmp_path: Path) -> None:
    assert paths_of("one.npz, other") == [Path("one.npz"), Path("other")]
    assert paths_of(Path("one.npz")) == [Path("one.npz")]
    strange = tmp_path / "a,b"
    assert len(paths_of(strange)) == 2
    strange.mkdir()
    assert paths_of(strange) == [strange]
    for gap in ("one,", ",one", "one,,other"):
        with pytest.raises(BadUsage, match="one comma"):
            paths_of(gap)


def test_the_mean_of_several_is_that_of_the_ensemble() -> None:
    real = truth(2)
    every = [noisy(real, seed) for seed in range(3)]
    advice = Advice(weak_camera=True)
    tracks, advised = averaged([Estimate(name, each, advice) for name, each in zip("abc", every, strict=True)])
    assert torch.equal(tracks.xyz, ensemble(every).xyz)
    assert advised is advice
    sure = real.with_(confidence=real.confidence * 0.1)
    told, alike = (mean_of("ab", [every[0], sure], confident=each) for each in (True, False))
    torch.testing.assert_close(alike.xy, (every[0].xy + sure.xy) / 2)
    assert not torch.allclose(told.xy, alike.xy)


def test_a_mean_is_refined_as_what_it_is_made_of_allows() -> None:
    metro, anatomy, own = Advice(weak_camera=True), Advice(motion=False), Advice()
    both = Advice.of_mean((metro, anatomy))
    assert (both.mode, both.weak_camera, both.motion) == ("3d", False, True)
    assert Advice.of_mean((anatomy, Advice(motion=False, note="another"))).motion is False
    # 2D joints add nothing to how a 3D pose stands.
    solid = Advice.of_mean((ONLY_2D, metro))
    assert (solid.mode, solid.weak_camera, solid.motion) == ("3d", True, True)
    assert Advice.of_mean((ONLY_2D, ONLY_2D)) is ONLY_2D
    assert Advice.of_mean((own, own)) is own


def test_files_that_do_not_belong_together_are_refused() -> None:
    real = truth(2)
    with pytest.raises(BadInput, match=r"a and b stand in two cameras, 640x480 px of focal length 600 px and .* 700"):
        mean_of("ab", [real, real.with_(camera=type(real.camera).from_focal((640, 480), 700.0))])
    with pytest.raises(BadInput, match="two cameras"):
        mean_of("ab", [real, real.with_(camera=real.camera.resize(320, 240))])
    early, late = real[real.frame < 2], real[real.frame > 2]
    with pytest.raises(BadInput, match=r"a and b have nobody in the same frame \(0 to 1, and 3 to 4\)"):
        mean_of("ab", [early, late])
    elsewhere = real.with_(xy=real.xy + 2000)
    with pytest.raises(BadInput, match="nobody of c is where anybody of a and b is"):
        mean_of("abc", [real, noisy(real, 1), elsewhere])
    # One of two people is enough, and a file of nobody stands in nobody's way.
    assert mean_of("ab", [real, real[real.person == 1]]).people == [0, 1]
    nobody = real[real.person > 1]
    torch.testing.assert_close(mean_of("ab", [real, nobody]).xyz, real.xyz)
