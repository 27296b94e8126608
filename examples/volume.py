"""Set the volume with thumb and index finger, the other three stretched: python examples/volume.py [SOURCE]"""

import platform
import subprocess
import sys

import knuckle


def set_volume(percent: int) -> None:
    if platform.system() == "Windows":  # pip install pycaw
        from pycaw.pycaw import AudioUtilities

        AudioUtilities.GetSpeakers().EndpointVolume.SetMasterVolumeLevelScalar(percent / 100, None)
    elif platform.system() == "Darwin":
        subprocess.run(["osascript", "-e", f"set volume output volume {percent}"], check=True)
    else:
        subprocess.run(["pactl", "set-sink-volume", "@DEFAULT_SINK@", f"{percent}%"], check=True)


tracker, volume = knuckle.HandTracker(max_hands=1), -100.0
for frame in knuckle.read(sys.argv[1] if len(sys.argv) > 1 else 0):
    for hand in tracker(frame.image, frame.time_s):
        if all(hand.is_extended(finger) for finger in ("middle", "ring", "pinky")):
            wanted = 100 * min(max((hand.distance("thumb_tip", "index_tip") - 0.2) / 0.6, 0), 1)
            if abs(wanted - volume) >= 3:
                volume = wanted
                set_volume(round(volume))
