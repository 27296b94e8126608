"""What the documentation site adds to the pages in docs/: README, CONTRIBUTING and CHANGELOG become pages of it.

The Mermaid block of a page, which GitHub draws, is replaced by the picture docs/images/graph.svg: Mermaid would be
loaded from another host. Links are written as they work in the repository. On the site, links to pages lead to pages,
and links to other files of the repository become plain text, because the site does not contain those files.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

logger = logging.getLogger("mkdocs.hooks.site")
ROOT = Path(__file__).resolve().parents[1]
PAGES = {"index.md": "README.md", "contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
PAGES["security.md"] = "SECURITY.md"
MERMAID = re.compile(r"^```mermaid\n.*?^```$", re.S | re.M)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that lie in the repository's root."""
    for page, source in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Rewrite the links of one page from places in the repository to places on the site."""
    place = ROOT if page.file.src_uri in PAGES else (ROOT / "docs" / page.file.src_uri).parent

    def rewrite(found: re.Match[str]) -> str:
        mark, text, target = found.groups()
        path, hash_, anchor = target.partition("#")
        if "://" in target or not path:
            return found.group()
        file = (place / path).resolve()
        for name, source in PAGES.items():
            if file == ROOT / source:
                return f"{mark}[{text}]({name}{hash_}{anchor})"
        if file.is_relative_to(ROOT / "docs"):
            return f"{mark}[{text}]({file.relative_to(ROOT / 'docs').as_posix()}{hash_}{anchor})"
        if not file.exists():
            logger.warning("%s links to %s, which is not in the repository", page.file.src_uri, target)  # strict: fails
        return text

    return LINK.sub(rewrite, MERMAID.sub("![The tracking graph](images/graph.svg)", markdown))
