"""Blender's own importers, where Blender is installed as the package bpy; in a process apart, as it is big."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dyad.export.motion import motions
from dyad.export.saving import export_tracks
from dyad.export.upright import TO_Z_UP, upright
from tests.export.walking import FPS, WITH_FEET, truth, walkers

FRAMES = (12, 30, 44)
CODE = """
import json, sys
import bpy, addon_utils
kind, path, frames, fps = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), float(sys.argv[4])
bpy.ops.wm.read_factory_settings(use_empty=True)
addon_utils.enable("io_anim_bvh"), addon_utils.enable("io_scene_gltf2")
scene = bpy.context.scene
scene.render.fps = int(fps)
if kind == "bvh":
    bpy.ops.import_anim.bvh(filepath=path, global_scale=0.01, update_scene_fps=True)
else:
    bpy.ops.import_scene.gltf(filepath=path)
found = {}
for rig in [o for o in bpy.data.objects if o.type == "ARMATURE"]:
    found[rig.name] = {}
    for frame in frames:
        # Blender's first frame is 1 for a BVH file, and time 0 is frame 0 for glTF.
        scene.frame_set(frame + (kind == "bvh"))
        found[rig.name][frame] = {b.name: list(rig.matrix_world @ b.head) for b in rig.pose.bones}
print("FOUND" + json.dumps(found))
"""


@pytest.mark.soak
@pytest.mark.parametrize("to", ["bvh", "glb"])
def test_blender_shows_people_where_they_were(to, tmp_path: Path) -> None:
    if importlib.util.find_spec("bpy") is None:
        pytest.skip("Blender (the package bpy) is not installed")
    tracks = walkers(skeleton=WITH_FEET)
    path = export_tracks(tracks, tmp_path / f"people.{to}", to).files[0]
    words = [sys.executable, "-c", CODE, to, str(path), json.dumps(FRAMES), str(FPS)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, env=os.environ)
    line = next((line for line in done.stdout.splitlines() if line.startswith("FOUND")), None)
    assert line is not None, done.stderr
    found = json.loads(line.removeprefix("FOUND"))
    for motion in motions(upright(tracks)):
        known = truth(tracks, motion.number) @ TO_Z_UP.T
        seen = found["people" if to == "bvh" else f"P{motion.number}"]
        prefix = f"P{motion.number}_" if to == "bvh" else ""
        rows = tracks.frame[tracks.rows(motion.number)].tolist()
        for frame in FRAMES:
            for joint, k in motion.rig.places.items():
                place = seen[str(frame)][prefix + motion.rig.names()[k]]
                assert np.abs(place - known[rows.index(frame), WITH_FEET.index(joint)]).max() < 0.001
