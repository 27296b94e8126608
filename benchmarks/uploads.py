"""Sends mutated uploads to a real `knuckle serve` and counts its answers: no 500, and memory that stays bounded.

    python benchmarks/uploads.py --uploads 20000 --write

Files of a dozen formats are damaged: flipped, cut, repeated and inserted bytes, lies in headers, foreign beginnings,
several at once; some come with odd content types, malformed forms and odd options. The seed is fixed. What was counted
goes to benchmarks/results/uploads.json, and `python docs/make_tables.py` puts it into docs/serve.md.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import re
import struct
import subprocess
import sys
import threading
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PillowImage

RESULTS = Path(__file__).parent / "results" / "uploads.json"
TESTS = Path(__file__).resolve().parents[1] / "tests"
SERVE = "from knuckle.cli import main; main()"
OPEN = ("requests_per_s=1000000", "waiting=1000", "receive_s=60")
TYPES = (
    "image/jpeg",
    "image/png",
    "image/webp",
    "application/octet-stream",
    "image/heic",
    "text/html",
    "",
    "image/jpeg; q=\xff",
)
QUERIES = (
    "",
    "?palms_only=true",
    "?max_hands=1",
    "?max_hands=-1",
    "?min_presence=nan",
    "?gestures=numbers",
    "?x=%00%ff",
    "?mirrored=1",
)


def files() -> dict[str, bytes]:
    """One small valid file of each kind."""
    sys.path.insert(0, str(TESTS))
    from conftest import two_hands

    picture = PillowImage.fromarray(two_hands(0.4, 160, 120))
    made: dict[str, bytes] = {}

    def save(name: str, image: Any, form: str, **options: Any) -> None:
        file = io.BytesIO()
        image.save(file, form, **options)
        made[name] = file.getvalue()

    save("jpeg", picture, "JPEG")
    save("progressive", picture, "JPEG", progressive=True)
    save("grey", picture.convert("L"), "JPEG")
    save("cmyk", picture.convert("CMYK"), "JPEG")
    exif = PillowImage.Exif()
    exif[0x0112] = 6
    save("turned", picture, "JPEG", exif=exif)
    save("png", picture, "PNG")
    save("alpha", picture.convert("RGBA"), "PNG")
    save("palette", picture.convert("P"), "PNG")
    save("deep", PillowImage.fromarray(np.full((40, 30), 40_000, np.uint16)), "PNG")
    save("webp", picture, "WEBP")
    save("lossless", picture, "WEBP", lossless=True)
    save("animated", picture, "WEBP", save_all=True, append_images=[picture.rotate(9)])
    save("gif", picture, "GIF")
    save("tiff", picture, "TIFF")
    made["heic"] = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(range(256)) * 8
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("hand.jpg", made["jpeg"])
    made["zip"] = archive.getvalue()
    return made | {"empty": b"", "text": b"no picture", "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>"}


class Mutator:
    """Damages files, in an order that a seed decides."""

    def __init__(self, seed: int) -> None:
        self.random, self.files = np.random.default_rng(seed), files()
        self.names = list(self.files)

    def integer(self, end: int) -> int:
        return int(self.random.integers(max(end, 1)))

    def file(self) -> bytes:
        """A damaged file; a few are whole."""
        data = bytearray(self.files[self.names[self.integer(len(self.names))]])
        ways = (self.flip, self.cut, self.repeat, self.insert, self.blank, self.begin, self.lie, self.join)
        for _ in range(self.integer(4)):
            ways[self.integer(len(ways))](data)
        return bytes(data)

    def flip(self, data: bytearray) -> None:
        for _ in range(min(len(data), 1 + self.integer(30))):
            data[self.integer(len(data))] = self.integer(256)

    def cut(self, data: bytearray) -> None:
        del data[self.integer(len(data)) :]

    def repeat(self, data: bytearray) -> None:
        start = self.integer(len(data))
        data[start:start] = data[start : start + self.integer(2000)] * (1 + self.integer(20))

    def insert(self, data: bytearray) -> None:
        start = self.integer(len(data))
        data[start:start] = self.random.bytes(self.integer(500))

    def blank(self, data: bytearray) -> None:
        start, value = self.integer(len(data)), self.integer(2) * 255
        stretch = min(self.integer(200), len(data) - start)
        data[start : start + stretch] = bytes([value]) * stretch

    def begin(self, data: bytearray) -> None:
        other = self.files[self.names[self.integer(len(self.names))]]
        data[: self.integer(40)] = other[: self.integer(40)]

    def lie(self, data: bytearray) -> None:
        """Another size in the header of a PNG, JPEG or WebP file."""
        wide, tall = (int(2 ** (32 * self.random.random())) for _ in range(2))
        if data[:4] == b"\x89PNG":
            data[16:24] = struct.pack(">II", wide, tall)
        elif data[12:16] == b"VP8X":
            data[24:30] = (wide % 2**24).to_bytes(3, "little") + (tall % 2**24).to_bytes(3, "little")
        elif (start := max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))) > 0:
            data[start + 5 : start + 9] = struct.pack(">HH", tall % 65536, wide % 65536)

    def join(self, data: bytearray) -> None:
        data += self.files[self.names[self.integer(len(self.names))]]

    def request(self) -> tuple[str, dict[str, str], bytes, int]:
        """Path, headers and body of a request, and how many files are in it."""
        query = QUERIES[self.integer(len(QUERIES))] if self.integer(4) == 0 else ""
        if self.integer(10) < 6:
            path = ("/v1/detect", "/v1/gestures")[self.integer(8) == 0]
            kind = TYPES[self.integer(len(TYPES) if self.integer(5) == 0 else 4)]
            return path + query, {"Content-Type": kind}, self.file(), 1
        count = 1 + self.integer(12)
        parts = []
        for number in range(count):
            name = ('filename="x.jpg"', "filename*=UTF-8''%ff", 'filename="\\"')[
                self.integer(3) if self.integer(9) == 0 else 0
            ]
            head = f'--edge\r\nContent-Disposition: form-data; name="image{number}"; {name}\r\n\r\n'
            parts.append(head.encode() + self.file() + b"\r\n")
        form = bytearray(b"".join(parts) + b"--edge--\r\n")
        if self.integer(6) == 0:
            self.flip(form)
        if self.integer(12) == 0:
            self.cut(form)
        edge = "edge" if self.integer(20) else ""
        return "/v1/detect/batch" + query, {"Content-Type": f"multipart/form-data; boundary={edge}"}, bytes(form), count


class Sender:
    """Sends requests from several threads, and counts the answers."""

    def __init__(self, host: str, process: int, mutator: Mutator, uploads: int) -> None:
        self.host, self.process, self.mutator, self.left = host, process, mutator, uploads
        self.every = max(1, uploads // 10)
        self.lock, self.statuses, self.requests, self.uploads = threading.Lock(), Counter[str](), 0, 0
        self.slowest_s, self.wrong, self.memory = 0.0, list[str](), list[int]()

    def run(self) -> None:
        connection = http.client.HTTPConnection(self.host, timeout=300)
        while True:
            with self.lock:
                if self.left <= 0:
                    return
                path, headers, body, count = self.mutator.request()
                self.left -= count
            start = time.monotonic()
            try:
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                status, text = answer.status, answer.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                status, text = 0, repr(error).encode()
            self.count(status, text, count, time.monotonic() - start, path)

    def count(self, status: int, text: bytes, count: int, seconds: float, path: str) -> None:
        with self.lock:
            self.statuses[str(status)] += 1
            self.requests, self.uploads = self.requests + 1, self.uploads + count
            if self.uploads // self.every > len(self.memory):
                self.memory.append(round(memory_mb(self.process, "VmRSS")))
            self.slowest_s = max(self.slowest_s, seconds)
            try:
                keys = set(json.loads(text))
            except ValueError:
                keys = set()
            is_answer = bool(keys & {"hands", "palms", "images"}) if status == 200 else keys == {"error"}
            if status in (0, 500) or not is_answer:
                self.wrong.append(f"{path}: {status} {text[:200]!r}")


def memory_mb(process: int, name: str) -> float:
    """Memory of a process in MB: VmRSS is now, VmHWM the most so far."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) / 1000 if found else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uploads", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=25)
    parser.add_argument("--clients", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="write benchmarks/results/uploads.json")
    args = parser.parse_args()
    limits = [f"--limit={one}" for one in OPEN]
    command = [sys.executable, "-u", "-c", SERVE, "serve", "--port=0", "--workers=2", *limits]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        found = re.search(r"http://([^/]+)/", server.stdout.readline())
        assert found
        sender = Sender(found[1], server.pid, Mutator(args.seed), args.uploads)
        before = memory_mb(server.pid, "VmRSS")
        clients = [threading.Thread(target=sender.run) for _ in range(args.clients)]
        for one in clients:
            one.start()
        for one in clients:
            one.join()
        after, most = memory_mb(server.pid, "VmRSS"), memory_mb(server.pid, "VmHWM")
    finally:
        server.terminate()
        server.wait(60)
    counted = {
        "uploads": sender.uploads,
        "requests": sender.requests,
        "seed": args.seed,
        "statuses": dict(sorted(sender.statuses.items())),
        "slowest_s": round(sender.slowest_s, 2),
        "memory_mb": {"before": round(before), "after": round(after), "most": round(most), "tenths": sender.memory},
        "wrong": sender.wrong[:20],
    }
    print(json.dumps(counted, indent=2))
    if args.write:
        RESULTS.write_text(json.dumps(counted, indent=2) + "\n")
    sys.exit(bool(sender.wrong))


if __name__ == "__main__":
    main()
