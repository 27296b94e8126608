"""Hands as devices of Home Assistant: python examples/home_assistant.py BROKER[:PORT] [PREFIX], once.

Then `knuckle stream 0 --mqtt BROKER --rate 5` fills them: gesture, pinch and curl of the index finger of each hand.
"""

import json
import sys

import paho.mqtt.client as mqtt

host, _, port = sys.argv[1].partition(":")
prefix = sys.argv[2] if len(sys.argv) > 2 else "knuckle"
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
client.connect(host, int(port or 1883))
client.loop_start()
for side in ("left", "right"):
    for kind, name, template, more in (
        ("sensor", "gesture", "{{ value_json.gesture or 'none' }}", {"icon": "mdi:hand-wave"}),
        ("binary_sensor", "pinch", "{{ 'ON' if (value_json.pinch or 0) > 0.8 else 'OFF' }}", {}),
        ("sensor", "index_curl", "{{ ((value_json.curl or {}).index or 0) * 100 }}", {"unit_of_measurement": "%"}),
    ):
        key = f"knuckle_{side}_{name}"
        entity = {"name": f"{side} {name}", "unique_id": key, "value_template": template, **more}
        entity |= {"state_topic": f"{prefix}/{side}", "availability_topic": f"{prefix}/status"}
        entity["device"] = {"identifiers": ["knuckle"], "name": "Hands"}
        client.publish(f"homeassistant/{kind}/{key}/config", json.dumps(entity), retain=True).wait_for_publish(5)
client.disconnect()
