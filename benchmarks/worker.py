"""Measures the speed of one system on prepared frames and prints one JSON line. It runs in that system's environment.

    python benchmarks/worker.py SYSTEM CASE FOLDER PASSES

SYSTEM is knuckle or mediapipe; CASE is video, stills or start; FOLDER holds a .npy file of frames per clip. It imports
only the system and numpy, and maps the frames into memory, so that the peak memory is the system's own.
"""

import json
import os
import sys
import time

BEGIN = time.perf_counter()
FRAME_S = 1 / 30


def knuckle_video():
    import knuckle

    def make():
        tracker = knuckle.HandTracker(max_hands=2)
        return lambda image, k: len(tracker(image, k * FRAME_S))

    return make


def knuckle_stills():
    import knuckle

    return lambda: lambda image, k: len(knuckle.detect(image, max_hands=2))


def mediapipe(static):
    from mediapipe.python.solutions.hands import Hands

    def make():
        hands = Hands(static_image_mode=static, max_num_hands=2)
        return lambda image, k: len(hands.process(image).multi_hand_landmarks or [])

    return make


def systems(system, case):
    if system == "knuckle":
        return knuckle_video() if case == "video" else knuckle_stills()
    return mediapipe(static=case != "video")


def timed(make, clips, passes):
    """Milliseconds per frame in each pass, and the number of frames with 0, 1, 2, … hands."""
    milliseconds, hands = [], {}
    for number in range(passes + 1):
        spent, frames = 0.0, 0
        for clip in clips:
            step = make()
            for k, image in enumerate(clip):
                start = time.perf_counter()
                found = step(image, k)
                spent += time.perf_counter() - start
                frames += 1
                hands[found] = hands.get(found, 0) + (number == 0)
        if number:  # the first pass warms up
            milliseconds.append(1000 * spent / frames)
    return milliseconds, hands


def first_result(make, image):
    found = make()(image, 0)
    return {"start_s": time.perf_counter() - BEGIN, "peak_mb": peak_mb(), "hands": found}


def peak_mb():
    """Peak resident memory in MB since this program began; getrusage would include the parent process before exec."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def main():
    system, case, folder, passes = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    make = systems(system, case)
    import numpy as np

    names = sorted(name for name in os.listdir(folder) if name.endswith(".npy"))
    clips = [np.load(os.path.join(folder, name), mmap_mode="r") for name in names]
    if case == "start":
        print(json.dumps(first_result(make, np.array(clips[0][0]))))
        return
    if case == "stills":
        clips = [[np.array(clip[0]) for clip in clips]]
    else:
        clips = [[np.array(image) for image in clip] for clip in clips]
    milliseconds, hands = timed(make, clips, passes)
    print(json.dumps({"ms": milliseconds, "hands": hands}))


main()
