from pathlib import Path

import numpy as np
import pytest

from dyad.core.errors import MissingExtra
from dyad.export.motion import motions
from dyad.export.upright import upright
from dyad.export.usd import write_usd
from tests.export.walking import FPS, WITH_FEET, truth, walkers


@pytest.mark.parametrize("suffix", ["usd", "usda"])
def test_joints_are_where_they_were(tmp_path: Path, suffix: str) -> None:
    pxr = pytest.importorskip("pxr", reason="the extra usd is not installed")
    from pxr import Usd, UsdGeom, UsdSkel

    assert pxr
    tracks = walkers(skeleton=WITH_FEET)
    space = upright(tracks)
    people = motions(space)
    path = tmp_path / f"people.{suffix}"
    write_usd(path, people, space, rate=FPS, names="mixamo")
    stage = Usd.Stage.Open(str(path))
    assert UsdGeom.GetStageUpAxis(stage) == "Y"
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1
    assert (stage.GetTimeCodesPerSecond(), stage.GetEndTimeCode()) == (FPS, pytest.approx(49))
    for motion in people:
        holder = stage.GetPrimAtPath(f"/People/P{motion.number}")
        query = UsdSkel.Cache()
        query.Populate(UsdSkel.Root(holder), Usd.PrimDefaultPredicate)
        skeleton = query.GetSkelQuery(UsdSkel.Skeleton(stage.GetPrimAtPath(f"{holder.GetPath()}/Rig")))
        order = [str(path).split("/")[-1] for path in skeleton.GetJointOrder()]
        assert order == [name.replace(":", "_") for name in motion.rig.names("mixamo")]
        known = truth(tracks, motion.number)
        for row in (0, len(known) // 2, len(known) - 1):
            at = motion.times[row] * FPS
            places = np.array([list(m.ExtractTranslation()) for m in skeleton.ComputeJointSkelTransforms(at)])
            for joint, k in motion.rig.places.items():
                assert places[k] == pytest.approx(known[row, WITH_FEET.index(joint)], abs=1e-3)
            assert UsdGeom.Imageable(holder).ComputeVisibility(at) == "inherited"
        skin = query.GetSkinningQuery(stage.GetPrimAtPath(f"{holder.GetPath()}/Body"))
        assert skin.HasJointInfluences()
    assert UsdGeom.Imageable(stage.GetPrimAtPath("/People/P8")).ComputeVisibility(3) == "invisible"
    assert UsdGeom.Imageable(stage.GetPrimAtPath("/People/P8")).ComputeVisibility(49) == "invisible"


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pxr.Gf", None)
    space = upright(walkers(2))
    with pytest.raises(MissingExtra, match=r"dyad-pose\[usd\]"):
        write_usd(tmp_path / "a.usd", motions(space), space, rate=FPS)
    assert list(tmp_path.iterdir()) == []
