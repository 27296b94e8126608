"""Writes the page and a bundle as files, for apps that show the page in a WebView.

    python mobile/make_page.py android/app/src/main/assets

The page asks its server for the list of bundles at `models/`. In an app the list is the file `models/index.json`, which
the app returns for that address; docs/mobile.md says how.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from knuckle.models import catalogue
from knuckle.serve.files import PAGE


def make_page(out: Path, name: str = "knuckle") -> None:
    """Copy the built page into a folder, without the compressed forms that only servers use, and a bundle beside it.

    Raises:
        SystemExit: the page is not built.
    """
    if not (PAGE / "index.html").is_file():
        sys.exit(f"{PAGE} holds no page; run `make web` first")
    shutil.copytree(PAGE, out, ignore=shutil.ignore_patterns("*.br", "*.gz"), dirs_exist_ok=True)
    bundle = catalogue.find(name)
    description = json.loads(bundle.to_json())
    networks = [bundle.folder / network.file for network in bundle.files()]
    folder = out / "models" / bundle.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bundle.json").write_text(bundle.to_json())
    for path in networks:
        shutil.copyfile(path, folder / path.name)
    row = {**description, "bytes": sum(path.stat().st_size for path in networks)}
    (out / "models" / "index.json").write_text(json.dumps({"default": bundle.name, "bundles": [row]}))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python mobile/make_page.py FOLDER")
    make_page(Path(sys.argv[1]))
