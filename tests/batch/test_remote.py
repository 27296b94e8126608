"""Sources behind addresses, read from real servers: S3 by moto, and a web server."""

from __future__ import annotations

import functools
import http.server
import os
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import two_hands, write_clip
from PIL import Image as pillow
from pyarrow import parquet

import knuckle
from knuckle import batch
from knuckle.batch import TrackVideo
from knuckle.batch.find import find_items

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # inside botocore
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # connections that aiohttp keeps open
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def in_this_process(work: TrackVideo, items: Any) -> Any:
    return (work(item) for item in items)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips, a list of them, two photos, a tar file."""
    path = tmp_path_factory.mktemp("remote")
    for number in range(2):
        write_clip(path / f"clip{number}.mp4", [two_hands(k / 29) for k in range(4 + number)], 15)
        pillow.fromarray(two_hands(number / 3)).save(path / f"{number}.jpg")
    with tarfile.open(path / "shard.tar", "w") as tar:
        tar.add(path / "0.jpg", "a.jpg")
        tar.add(path / "clip0.mp4", "b.mp4")
    (path / "notes.json").write_text("{}")
    return path


@pytest.fixture(scope="module")
def bucket(folder: Path) -> Iterator[str]:
    """The folder in a bucket of a real server that speaks S3."""
    pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    import boto3

    server = moto.ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="videos")
        for path in sorted(folder.iterdir()):
            client.upload_file(str(path), "videos", f"in/{path.name}")
        client.put_object(Bucket="videos", Key="list.txt", Body=b"s3://videos/in/clip1.mp4\ns3://videos/in/gone.mp4\n")
        yield "s3://videos"
    server.stop()


def test_a_bucket_is_read_without_a_copy_on_the_disk(bucket: str, folder: Path, tmp_path: Path) -> None:
    progress = batch.run(f"{bucket}/in/", tmp_path / "s3", runner=in_this_process)
    local = batch.run(folder, tmp_path / "local", runner=in_this_process)
    assert (progress.done, progress.failed) == (local.done, local.failed) == (4, 0)
    assert (progress.frames, progress.hands) == (local.frames, local.hands) == (4 + 5 + 2 + 5, 32)
    rows = {
        row["source"]: row["frames"] for row in parquet.read_table(tmp_path / "s3" / "manifest.parquet").to_pylist()
    }
    assert rows == {
        f"{bucket}/in/": 2,
        f"{bucket}/in/clip0.mp4": 4,
        f"{bucket}/in/clip1.mp4": 5,
        f"{bucket}/in/shard.tar": 5,
    }
    again = batch.run(f"{bucket}/in/", tmp_path / "s3", runner=in_this_process)
    assert (again.skipped, again.done, again.exit_status) == (4, 0, 0)


def test_a_long_video_of_a_bucket_is_cut(bucket: str, tmp_path: Path) -> None:
    import boto3

    path = tmp_path / "long.mp4"
    write_clip(path, [two_hands((k % 30) / 29, 160, 120) for k in range(300)], 20)
    boto3.client("s3").upload_file(str(path), "videos", "long/long.mp4")
    result = TrackVideo(str(tmp_path), stretch_s=7.0)(find_items([f"{bucket}/long/long.mp4"]).items[0])
    local = TrackVideo(str(tmp_path), stretch_s=7.0)(find_items([str(path)]).items[0])
    assert result.status == local.status and result.stretches == local.stretches


def test_globs_lists_and_what_is_not_there(bucket: str, tmp_path: Path) -> None:
    globbed = find_items([f"{bucket}/in/*.mp4"]).items
    assert [item.source for item in globbed] == [f"{bucket}/in/clip0.mp4", f"{bucket}/in/clip1.mp4"]
    listed = find_items([f"{bucket}/list.txt"]).items
    assert [(os.path.basename(item.source), item.kind) for item in listed] == [
        ("clip1.mp4", "clip"),
        ("gone.mp4", "bad"),
    ]
    progress = batch.run([f"{bucket}/gone/", "s3://no-such-bucket/x.mp4"], tmp_path / "out", runner=in_this_process)
    assert progress.exit_status == 2 and len(progress.incomplete) == 2
    assert "s3://no-such-bucket/x.mp4" in progress.incomplete[1].error


def test_a_web_server(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing."""

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        root = f"http://127.0.0.1:{server.server_address[1]}"
        given = [f"{root}/clip0.mp4", f"{root}/0.jpg", f"{root}/shard.tar", f"{root}/gone.mp4", f"{root}/clip*.mp4"]
        progress = batch.run(given, tmp_path / "out", runner=in_this_process)
        server.shutdown()
    assert (progress.done, progress.failed, progress.frames) == (4, 1, 4 + 1 + 5 + 5)
    assert "gone.mp4" in progress.incomplete[0].error


def test_an_address_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fsspec")
    (item,) = find_items(["gs://bucket/clip.mp4"]).items
    assert item.kind == "bad" and "gcsfs" in item.problem
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(knuckle.MissingExtraError, match=r"knuckle\[batch\]"):
        find_items(["s3://bucket/clip.mp4"])
