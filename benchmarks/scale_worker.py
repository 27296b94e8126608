"""One process of `scale.py`: finds the hands of videos in one way and prints what that took, as one JSON line.

    python benchmarks/scale_worker.py WAY BUNDLE OUT WARM_UP CASES

WAY is mediapipe (where that is installed), plain, plain-1 (one thread), or batch-STREAMS-STRIDE. WARM_UP is a clip
that is not counted, CASES the clips of each case as JSON. CPU time is user and system time of the process.
"""

import json
import os
import sys
import threading
import time
from contextlib import suppress


def mediapipe(clips, _bundle, _out):
    import av
    from mediapipe.python.solutions.hands import Hands

    for clip in clips:
        frames = found = 0
        with Hands(max_num_hands=2) as hands, av.open(clip) as container:
            for picture in container.decode(video=0):
                found += len(hands.process(picture.to_ndarray(format="rgb24")).multi_hand_landmarks or [])
                frames += 1
        yield frames, found


def plain(threads):
    def run(clips, bundle, _out):
        import knuckle

        networks = knuckle.load(bundle, threads)
        for clip in clips:
            frames = found = 0
            for _, hands in knuckle.HandTracker(networks).track(clip):
                frames += 1
                found += len(hands)
            yield frames, found

    return run


def batch(streams, stride):
    def run(clips, bundle, out):
        from knuckle.batch.items import Item
        from knuckle.batch.work import TrackVideo

        work = TrackVideo(out, models=bundle, stride=stride)
        items = [Item(f"{number} {clip}", clip) for number, clip in enumerate(clips)]
        for result in work.side_by_side(items, streams):
            assert not result.error, result.error
            yield result.frames, result.hands

    return run


def resident_mb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def sampled(samples):
    """Note the resident memory every half second."""
    with suppress(OSError):
        while True:
            samples.append((time.perf_counter(), resident_mb()))
            time.sleep(0.5)


def main():
    way, bundle, out, warm_up, cases = sys.argv[1:]
    kind, *numbers = way.split("-")
    if kind == "mediapipe":
        run = mediapipe
    elif kind == "plain":
        run = plain(int(numbers[0]) if numbers else None)
    else:
        run = batch(*map(int, numbers))
    samples = []
    threading.Thread(target=sampled, args=(samples,), daemon=True).start()
    list(run([warm_up], bundle, out))
    start_s = time.process_time()
    for name, clips in json.loads(cases).items():
        cpu, wall = time.process_time(), time.perf_counter()
        results = list(run(clips, bundle, out))
        answer = {
            "case": name,
            "frames": sum(frames for frames, _ in results),
            "hands": sum(hands for _, hands in results),
            "cpu_s": time.process_time() - cpu,
            "wall_s": time.perf_counter() - wall,
            "start_s": start_s,
            "memory": [[round(s - wall, 1), round(mb, 1)] for s, mb in samples if s >= wall],
        }
        print(json.dumps(answer), flush=True)


main()
