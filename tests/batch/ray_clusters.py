"""A real Ray cluster for tests: two nodes on this machine, started by `ray start`, and ways to break it."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

STARTS = 3
SETTINGS = {
    # Ray gives workers the lowest priority. On a machine that is busy with other tests they would not get anywhere.
    "RAY_worker_niceness": "0",
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",  # a lost node is noticed within seconds
    "RAY_AUTH_MODE": "token",  # nobody else in the network can use the cluster of the tests
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}


def environment() -> dict[str, str]:
    """The environment of the cluster and of its drivers: they import Knuckle and the workers of the tests from here."""
    tests = Path(__file__).resolve().parent
    paths = [str(tests.parents[1] / "src"), str(tests), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, **SETTINGS, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}


@dataclass
class Cluster:
    """A cluster that runs.

    Attributes:
        folder: its temporary folder, which the command lines of its processes name.
        address: HOST:PORT.
    """

    folder: Path
    address: str = ""
    nodes: list[subprocess.Popen[str]] = field(default_factory=list)

    def start_node(self) -> None:
        """Start a node of one CPU; the first one is the head."""
        if self.nodes:
            place = ["--address", self.address]
        else:
            place = ["--head", "--port", "0", "--temp-dir", str(self.folder), "--include-dashboard", "false"]
            place += ["--ray-client-server-port", str(free_port())]
        options = ["--num-cpus", "1", "--object-store-memory", "100000000", "--disable-usage-stats", "--block"]
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", *place, *options]
        started = "Ray runtime started" if self.address else "--address='"
        for _ in range(STARTS):  # Ray gives a node 30 s to start, which a busy machine may exceed
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
            node = subprocess.Popen(command, env=environment(), **pipes)  # type: ignore[call-overload]
            self.nodes.append(node)
            said = ""
            for line in node.stdout:
                said += line
                if started in line:
                    self.address = self.address or line.split(started)[1].split("'")[0]
                    return
        raise RuntimeError(f"ray start ended: {said}")

    def processes(self) -> dict[int, tuple[int, str]]:
        """The processes of the cluster: id of each to its parent's id and command line."""
        found: dict[int, tuple[int, str]] = {}
        for place in Path("/proc").iterdir():
            if place.name.isdecimal():
                with suppress(OSError):
                    line = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    found[int(place.name)] = int((place / "stat").read_text().rpartition(")")[2].split()[1]), line
        own = {pid for pid, (_, line) in found.items() if str(self.folder) in line or f"={self.address} " in line}
        return {pid: about for pid, about in found.items() if pid in own or about[0] in own}

    def raylet(self, node: int) -> int:
        """Process id of a node's raylet, without which the node is gone."""
        name = "sockets/raylet " if node == 0 else f"sockets/raylet.{node} "
        (pid,) = [pid for pid, (_, line) in self.processes().items() if "/raylet/raylet" in line and name in line]
        return pid

    def busy(self, out: Path) -> list[int]:
        """Process ids of the actors that are writing a table now."""
        found = []
        for pid, (_, line) in self.processes().items():
            with suppress(OSError):
                files = [os.readlink(file) for file in Path("/proc", str(pid), "fd").iterdir()]
                if line.startswith("ray::MapWorker") and any(str(out / "unfinished") in file for file in files):
                    found.append(pid)
        return found

    def kill_node(self, node: int) -> None:
        """SIGKILL a node with all of its workers, as when the power fails."""
        raylet = self.raylet(node)
        for pid in [raylet, *(pid for pid, (parent, _) in self.processes().items() if parent == raylet)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """End everything."""
        for node in self.nodes:
            node.terminate()
        for node in self.nodes:
            with suppress(subprocess.TimeoutExpired):
                node.wait(10)
            node.kill()
            node.wait()
            if node.stdout:
                node.stdout.close()
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextmanager
def running() -> Iterator[Cluster]:
    """A cluster of one node; `start_node` adds another."""
    folder = Path(tempfile.mkdtemp(prefix="ray"))  # Ray's sockets need a short path
    cluster = Cluster(folder)
    try:
        cluster.start_node()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port
