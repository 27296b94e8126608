"""Import a .glb or .bvh file into Blender and print where the joints are at some frames, as the last line, in JSON.

    python blender.py FILE FRAMES_PER_S FRAME...

Needs a Python with the package `bpy`. Positions are those of the file: y up. Frames count from 0.
"""

from __future__ import annotations

import json
import sys

import bpy

path, rate, *frames = sys.argv[1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.render.fps = int(rate)
if path.endswith(".glb"):
    first = 0
    bpy.ops.import_scene.gltf(filepath=path)
else:
    first = 1
    bpy.ops.import_anim.bvh(filepath=path, axis_forward="-Z", axis_up="Y")
found = []
for frame in map(int, frames):
    scene.frame_set(first + frame)
    places = {}
    for thing in bpy.data.objects:
        for bone in thing.pose.bones if thing.type == "ARMATURE" else ():
            x, y, z = thing.matrix_world @ bone.head
            places[bone.name] = [x, z, -y]
    found.append(places)
print(json.dumps(found))
