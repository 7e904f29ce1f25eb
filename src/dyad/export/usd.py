"""People as USD: a UsdSkel skeleton with a skin of sticks a person. Metres, y up. Needs the package usd-core."""

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from dyad.core.errors import MissingExtra
from dyad.core.files import whole_file
from dyad.export.motion import Motion
from dyad.export.rig import Names
from dyad.export.sticks import sticks, tint
from dyad.export.upright import Upright


def write_usd(path: str | Path, people: list[Motion], space: Upright, *, rate: float, names: Names = "cmu") -> None:
    """Write everyone into one file (.usd, .usda or .usdc), which appears whole or not at all.

    A time code is a frame at `rate` a second, 0 at the clip's first frame; samples lie at the times of each person's
    own rows. A person is invisible before the first row and after the last. MissingExtra without usd-core.
    """
    pxr = _library()
    stage = pxr.Usd.Stage.CreateInMemory()
    pxr.UsdGeom.SetStageUpAxis(stage, pxr.UsdGeom.Tokens.y)
    pxr.UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetTimeCodesPerSecond(rate)
    stage.SetFramesPerSecond(rate)
    stage.SetStartTimeCode(0.0)
    stage.SetEndTimeCode(float(space.times[-1:].sum() * rate))
    stage.SetDefaultPrim(pxr.UsdGeom.Xform.Define(stage, "/People").GetPrim())
    if space.note:
        stage.GetRootLayer().comment = space.note
    for motion in people:
        _person(stage, pxr, motion, rate, float(space.times[-1:].sum()), names)
    with whole_file(path) as partial:
        stage.GetRootLayer().Export(str(partial))


def _library() -> Any:
    """The parts of pxr that are used here. It has no types, and loads slowly."""
    try:
        return SimpleNamespace(
            **{name: import_module(f"pxr.{name}") for name in ("Gf", "Usd", "UsdGeom", "UsdSkel", "Vt")}
        )
    except ImportError as error:
        raise MissingExtra.of("usd-core", "usd", "writing USD") from error


def _person(stage: Any, pxr: Any, motion: Motion, rate: float, end: float, names: Names) -> None:
    Gf, UsdGeom, UsdSkel, Vt = pxr.Gf, pxr.UsdGeom, pxr.UsdSkel, pxr.Vt
    rig, place = motion.rig, f"/People/P{motion.number}"
    holder = UsdSkel.Root.Define(stage, place)
    rest = rig.rest() - (0.0, rig.rest()[:, 1].min(), 0.0)
    joints: list[str] = []
    for name, parent in zip(rig.names(names), rig.parents, strict=True):
        plain = name.replace(":", "_")
        joints.append(plain if parent < 0 else f"{joints[parent]}/{plain}")
    skeleton = UsdSkel.Skeleton.Define(stage, f"{place}/Rig")
    skeleton.CreateJointsAttr(joints)
    local = np.where(np.array(rig.parents)[:, None] < 0, rest, rig.offsets)
    skeleton.CreateBindTransformsAttr(Vt.Matrix4dArray([Gf.Matrix4d(1).SetTranslate(p) for p in rest.tolist()]))
    skeleton.CreateRestTransformsAttr(Vt.Matrix4dArray([Gf.Matrix4d(1).SetTranslate(p) for p in local.tolist()]))

    body = sticks(rig)
    mesh = UsdGeom.Mesh.Define(stage, f"{place}/Body")
    height = rest[0, 1]
    mesh.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(body.above(height).astype(np.float32)))
    mesh.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(body.normals.astype(np.float32)))
    mesh.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray([3] * len(body.triangles)))
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(body.triangles.reshape(-1).astype(np.int32)))
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    mesh.CreateDisplayColorAttr([tint(motion.number)])
    skin = UsdSkel.BindingAPI.Apply(mesh.GetPrim())
    skin.CreateSkeletonRel().SetTargets([skeleton.GetPath()])
    skin.CreateJointIndicesPrimvar(False, 1).Set(Vt.IntArray.FromNumpy(body.node.astype(np.int32)))
    skin.CreateJointWeightsPrimvar(False, 1).Set(Vt.FloatArray([1.0] * len(body.node)))
    skin.CreateGeomBindTransformAttr(Gf.Matrix4d(1))

    moves = UsdSkel.Animation.Define(stage, f"{place}/Motion")
    UsdSkel.BindingAPI.Apply(skeleton.GetPrim()).CreateAnimationSourceRel().SetTargets([moves.GetPath()])
    moves.CreateJointsAttr(joints)
    moves.CreateScalesAttr(Vt.Vec3hArray([Gf.Vec3h(1)] * len(joints)))
    shifts, turns = moves.CreateTranslationsAttr(), moves.CreateRotationsAttr()
    for time, root, turn in zip(motion.times.tolist(), motion.root, motion.turns, strict=True):
        offsets = np.concatenate([root[None], rig.offsets[1:]]).astype(np.float32)
        shifts.Set(Vt.Vec3fArray.FromNumpy(offsets), time * rate)
        turns.Set(Vt.QuatfArray([Gf.Quatf(w, x, y, z) for x, y, z, w in turn.tolist()]), time * rate)

    first, last = float(motion.times[0]), float(motion.times[-1])
    seen = holder.CreateVisibilityAttr()
    if first > 0:
        seen.Set(UsdGeom.Tokens.invisible, 0.0)
    seen.Set(UsdGeom.Tokens.inherited, first * rate)
    if last < end:
        seen.Set(UsdGeom.Tokens.invisible, last * rate + 0.5)
