"""Forked and spawned processes: no lock, thread or engine of the parent holds them up."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import two_hands
from PIL import Image as pillow

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
LIMIT_S = 120  # of a whole script; a hang is as long as this


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with hand.png, which shows two hands."""
    pillow.fromarray(two_hands(0.4)).save(tmp_path / "hand.png")
    return tmp_path


def run(code: str, folder: Path) -> str:
    """Run a script in the folder and return what it printed."""
    (folder / "script.py").write_text(code)
    command = [sys.executable, "-W", "ignore", "script.py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_forks_while_threads_run_the_networks(folder: Path) -> None:
    """Taking down the engine of the parent would wait for its threads, which are not in the forked process."""
    code = """
import multiprocessing, threading, knuckle
image = next(iter(knuckle.read("hand.png"))).image
knuckle.detect([image] * 3, "knuckle")
stop = threading.Event()
def track():
    tracker = knuckle.HandTracker("knuckle")
    while not stop.is_set(): tracker(image)
threads = [threading.Thread(target=track) for _ in range(2)]
for thread in threads: thread.start()
def count(_):
    return [len(knuckle.detect(image, "knuckle")), *map(len, knuckle.detect(["hand.png", image], "knuckle"))]
try:
    for _ in range(3):
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(pool.map_async(count, range(2)).get(60))
finally:
    stop.set()
"""
    assert run(code, folder).splitlines() == ["[[2, 2, 2], [2, 2, 2]]"] * 3


def test_a_fork_does_not_wait_for_a_download_and_the_child_loads_by_itself(folder: Path) -> None:
    code = """
import multiprocessing, threading, time, knuckle
from knuckle.models import catalogue
find, began, go_on = catalogue.find, threading.Event(), threading.Event()
def find_slowly(models):
    began.set()
    go_on.wait(100)
    return find(models)
catalogue.find = find_slowly
loading = threading.Thread(target=knuckle.load, args=("knuckle",))
loading.start()
began.wait()
def count(_):
    catalogue.find = find
    return len(knuckle.detect("hand.png", "knuckle"))
start = time.monotonic()
with multiprocessing.get_context("fork").Pool(1) as pool:
    print(pool.map_async(count, [0]).get(60))
go_on.set()
loading.join()
print(len(knuckle.detect("hand.png", "knuckle")))
"""
    assert run(code, folder).splitlines() == ["[2]", "2"]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_each_start_method_of_multiprocessing(method: str, folder: Path) -> None:
    code = f"""
import functools, multiprocessing, knuckle
if __name__ == "__main__":
    here = knuckle.detect("hand.png", "knuckle")
    tracker = knuckle.HandTracker("knuckle", max_hands=1)
    tracker(next(iter(knuckle.read("hand.png"))).image)
    with multiprocessing.get_context("{method}").Pool(2) as pool:
        found = pool.map_async(functools.partial(knuckle.detect, models="knuckle"), ["hand.png"] * 2).get(100)
        frame = next(iter(knuckle.read("hand.png")))
        (hand,) = pool.apply_async(tracker, (frame.image,)).get(100)
    print([hands == here for hands in found], hand.track_id)
"""
    assert run(code, folder) == "[True, True] 1"


def test_a_forked_process_that_ends_as_usual_does_not_hang(folder: Path) -> None:
    """Unlike multiprocessing's, it takes down all objects at its end."""
    code = """
import os, sys, knuckle
image = next(iter(knuckle.read("hand.png"))).image
knuckle.detect([image] * 3, "knuckle")
child = os.fork()
if child == 0:
    assert len(knuckle.detect(image, "knuckle")) == 2
    sys.exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run(code, folder) == "7"


@contextmanager
def started(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server in the folder. At the end it must stop by itself when it is asked to."""
    log = folder / "log"
    with log.open("wb") as file:
        environment = {**os.environ, "C_FORCE_ROOT": "1", "PYTHONWARNINGS": "ignore"}
        server = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=folder, env=environment, stdout=file, stderr=file
        )
        try:
            yield server
            server.send_signal(signal.SIGTERM)
            assert server.wait(60) == 0, log.read_text()
        except BaseException:
            print(log.read_text())
            raise
        finally:
            server.kill()
            server.wait()


def test_gunicorn_preload(folder: Path) -> None:
    """The parent loads the networks and runs them; its workers are forked from it."""
    pytest.importorskip("gunicorn")
    (folder / "app.py").write_text("""
import json, os, knuckle
image = next(iter(knuckle.read("hand.png"))).image
knuckle.detect([image] * 3, "knuckle")
parent = os.getpid()
def app(environ, start_response):
    hands = knuckle.detect(image, "knuckle")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps([len(hands), os.getpid() != parent]).encode()]
""")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = ["gunicorn", "--preload", "--workers", "2", "--timeout", "60", "--bind", address, "app:app"]
    with started(command, folder):
        assert [ask(f"http://{address}") for _ in range(4)] == [[2, True]] * 4


def ask(address: str) -> object:
    """The answer of a server as JSON; waits until it listens."""
    end = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(address, timeout=60) as answer:
                return json.load(answer)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def test_celery_prefork(folder: Path) -> None:
    """The parent of the workers imports the tasks, which load the networks and run them."""
    pytest.importorskip("celery")
    (folder / "tasks.py").write_text("""
import os, celery, knuckle
broker = {"data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control"}
for name in ("queue", "control", "results"): os.makedirs(name, exist_ok=True)
app = celery.Celery("tasks", broker="filesystem://", backend="file://" + os.path.abspath("results"))
app.conf.broker_transport_options = broker
knuckle.detect(["hand.png"] * 3, "knuckle")
parent = os.getpid()
@app.task
def count(path):
    return [len(knuckle.detect(path, "knuckle")), os.getpid() != parent]
""")
    command = ["celery", "-A", "tasks", "worker", "--pool", "prefork", "--concurrency", "2", "--loglevel", "warning"]
    with started([*command, "--without-mingle", "--without-gossip"], folder):
        code = "from tasks import count; print([task.get(timeout=100) for task in map(count.delay, ['hand.png'] * 3)])"
        assert run(code, folder) == "[[2, True], [2, True], [2, True]]"


def test_a_fork_while_a_thread_opens_its_first_photo_and_clip(folder: Path) -> None:
    """A module that a thread of the parent is importing could not be imported in the forked process."""
    code = """
import multiprocessing, sys, threading, time, knuckle
class Slow:
    def find_spec(self, name, path, target=None):
        if name in ("PIL", "av") and name not in seen:
            seen.add(name)
            began.set()
            time.sleep(0.5)
seen, began = set(), threading.Event()
sys.meta_path.insert(0, Slow())
def open_all(_=None):
    found = len(knuckle.detect("hand.png", "knuckle"))
    try: next(iter(knuckle.read("no video.mp4")))
    except knuckle.SourceError: return found
def forked():
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.map_async(open_all, [0]).get(60)
open("no video.mp4", "wb").write(b"nothing")
thread = threading.Thread(target=open_all)
thread.start()
for _ in range(2):
    began.wait()
    began.clear()
    print(forked())
thread.join()
"""
    assert run(code, folder).splitlines() == ["[2]", "[2]"]
