"""A server that is stopped ends within its limit, whatever its workers do."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest
from servers import PATIENCE_S, Limits, ready, requests, running

from knuckle.serve.track import end

httpx = pytest.importorskip("httpx")

# A server whose answers take ten minutes.
ENDLESS = """
import time
from knuckle.serve import detect

def find(*args, **kwargs):
    print("in work", flush=True)
    time.sleep(600)

detect.rows = find
from knuckle.cli import main
main(["serve", "--port=0", "--limit", "shutdown_s=0.5"])
"""


def test_work_that_takes_too_long_does_not_hold_a_stopping_server(photo: bytes) -> None:
    with running(workers=1, limits=Limits(shutdown_s=0.5)) as server, ready(server) as connection:
        free, busy = threading.Event(), threading.Event()
        loop = asyncio.new_event_loop()
        blocked = server.service.work(lambda: busy.set() or free.wait(10 * PATIENCE_S))
        waiting = threading.Thread(target=lambda: loop.run_until_complete(blocked), daemon=True)
        waiting.start()
        assert busy.wait(PATIENCE_S)
        connection.send(photo)
        try:
            server.stop()
            assert server.service.jobs, "the work is still there, and the server has ended without it"
        finally:
            free.set()
            waiting.join(PATIENCE_S)
    loop.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_ends_the_process_of_a_busy_server(photo: bytes) -> None:
    command = [sys.executable, "-u", "-c", ENDLESS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stderr
        address = process.stdout.readline().split()[3]

        def ask() -> None:
            with suppress(httpx.HTTPError):  # it gets no answer
                requests.post(f"{address}v1/detect", content=photo)

        client = threading.Thread(target=ask)
        client.start()
        try:
            assert process.stdout.readline() == "in work\n"
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE_S)
            assert "1 requests were in work" in process.stderr.read()
        finally:
            process.kill()
            client.join(PATIENCE_S)


def test_a_server_drains_for_its_time_and_then_stops() -> None:
    with running(workers=1, drain_s=0.5) as server:
        assert server.stop() >= 0.5


def test_a_task_that_loses_its_cancellation_is_cancelled_again() -> None:
    lost = 0

    async def stubborn() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                lost += 1
                if lost > 1:
                    raise

    async def start_and_end() -> None:
        task = asyncio.create_task(stubborn())
        await asyncio.sleep(0)
        await end([task])
        assert task.cancelled()

    start = time.monotonic()
    asyncio.run(start_and_end())
    assert lost == 2 and time.monotonic() - start < PATIENCE_S
