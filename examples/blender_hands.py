"""An add-on for Blender: an empty object for each point of the hands that `knuckle stream 0 --udp 5005` sends."""

import json
import select
import socket

import bpy

bl_info = {"name": "Hands by Knuckle", "blender": (3, 6, 0), "category": "Animation"}
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def update():
    objects, newest = bpy.data.objects, b'{"hands": []}'
    while select.select([receiver], [], [], 0)[0]:
        newest = receiver.recv(65536)
    for hand in (frame := json.loads(newest))["hands"]:
        for part, (x, y, z) in hand["point"].items():  # the image is 1 m wide; Blender's z is up, its y leads away
            name = f"{hand['name']} {part}"
            if name not in objects:
                bpy.context.scene.collection.objects.link(objects.new(name, None))
                objects[name].empty_display_size = 0.01
            objects[name].location = (x - 0.5, z, (0.5 - y) * frame["height"] / frame["width"])
    return 1 / 60  # seconds until the next call


def register():
    receiver.bind(("127.0.0.1", 5005))
    bpy.app.timers.register(update, persistent=True)
