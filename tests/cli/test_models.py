"""`knuckle models`."""

from __future__ import annotations

import json
from pathlib import Path

from commands import one_line, run


def test_bundles_are_listed_imported_shown_and_removed(tmp_path: Path) -> None:
    folder = json.loads(run("models", "info", "mediapipe").stdout)["folder"]
    environment = {"KNUCKLE_CACHE": str(tmp_path)}
    done = run("models", "import", folder, "--name", "mine", env=environment)
    assert done.returncode == 0, done.stderr
    listed = run("models", "list", env=environment).stdout
    assert "mine" in listed and "mediapipe-lite" in listed
    assert json.loads(run("models", "info", "mine", env=environment).stdout)["hand_side"] == 224
    assert run("models", "remove", "mine", env=environment).returncode == 0
    assert "mine" in one_line(run("models", "remove", "mine", env=environment))


def test_importing_a_missing_or_broken_file_is_one_line(tmp_path: Path) -> None:
    """It was a FileNotFoundError with a traceback once."""
    assert "nope.task" in one_line(run("models", "import", "nope.task", cwd=tmp_path))
    (tmp_path / "text.task").write_text("no archive")
    environment = {"KNUCKLE_CACHE": str(tmp_path / "cache")}
    assert "text.task" in one_line(run("models", "import", tmp_path / "text.task", env=environment))


def test_offline_the_first_use_suggests_the_packaged_bundle(tmp_path: Path, clip: Path) -> None:
    nowhere = "http://127.0.0.1:9/"
    offline = {name: nowhere for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "PIP_INDEX_URL")}
    offline |= {"PIP_RETRIES": "0", "PIP_NO_CACHE_DIR": "1", "KNUCKLE_CACHE": str(tmp_path)}
    refused = one_line(
        run("track", clip, "--models", "mediapipe", "--threads", 3, env=offline)
    )  # not one of the loaded networks
    assert "cannot be fetched" in refused and "--models knuckle" in refused
    done = run("track", clip, env=offline)
    assert done.returncode == 0 and "frames   30" in done.stdout
