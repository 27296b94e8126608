"""A wheel from the Python package index that pip or uv is configured for. A configured index needs neither of them.

Reads the simple index (PEP 503 and PEP 691).
"""

from __future__ import annotations

import base64
import configparser
import hashlib
import importlib
import json
import logging
import os
import shutil
import ssl
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urljoin, urlsplit

import platformdirs
from rich.console import Console
from rich.progress import wrap_file

from knuckle.errors import BundleError

logger = logging.getLogger("knuckle")
FORMATS = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Link:
    """A file that an index offers: its name, its address, and its sha256 where the index gives it."""

    name: str
    url: str
    sha256: str | None = None


def download_wheel(requirement: str, folder: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Download the wheel of a requirement such as "mediapipe==0.10.21" into a folder.

    Any platform will do, because only data files are taken from the wheel; Linux on x86-64 is preferred.

    Raises:
        BundleError: no configured index can be reached or has the wheel, or the download is damaged.
    """
    name, _, version = requirement.partition("==")
    links, reasons = list[Link](), list[str]()
    for index in configured_indexes(environment):
        try:
            links = [link for link in links_of(index, name) if link.name.startswith(f"{name}-{version}-")]
        except (OSError, ValueError) as error:
            reasons.append(f"{without_password(index)}: {getattr(error, 'reason', error)}")
            continue
        wheels = [link for link in links if link.name.endswith(".whl")]
        if wheels:
            return _download(min(wheels, key=lambda link: "manylinux" not in link.name), folder)
        reasons.append(f"{without_password(index)} has no wheel of {requirement}")
    raise BundleError("; ".join(reasons) or f"{requirement}: no package index may be used (no-index is set)")


def configured_indexes(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Addresses of the package indexes to ask, in order of priority; empty if pip is configured to use none.

    From PIP_INDEX_URL, UV_DEFAULT_INDEX or UV_INDEX_URL, else from pip's configuration files, else the one that
    pip asks by default; then the extra indexes of all of these.

    Raises:
        BundleError: no index is configured and pip, which knows a default, is not installed.
    """
    section = pip_configuration(environment)
    if environment.get("PIP_NO_INDEX", section.get("no-index", "")).lower() in ("1", "true", "yes", "on"):
        return []
    variables = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL")
    chosen = next((environment[name] for name in variables if environment.get(name)), section.get("index-url"))
    first = chosen or default_index()
    extra = [environment.get(name, "") for name in ("PIP_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL")]
    extra.append(section.get("extra-index-url", ""))
    return list(dict.fromkeys([first.strip(), *" ".join(extra).split()]))


def default_index() -> str:
    """The index that pip asks if none is configured, as the installed pip says.

    Raises:
        BundleError: pip is not installed.
    """
    try:
        address: str = importlib.import_module("pip._internal.models.index").PyPI.simple_url
    except (ImportError, AttributeError) as error:
        raise BundleError("no package index is configured: set PIP_INDEX_URL or UV_INDEX_URL") from error
    return address


def pip_configuration(environment: Mapping[str, str] = os.environ) -> Mapping[str, str]:
    """The section [global] of pip's configuration files; files of the user and the environment come last and win.

    As with pip, no file is read if PIP_CONFIG_FILE is the null device.
    """
    if environment.get("PIP_CONFIG_FILE") == os.devnull:
        return {}
    file = "pip.ini" if os.name == "nt" else "pip.conf"
    paths = [
        Path("/etc") / file,
        platformdirs.site_config_path("pip", appauthor=False) / file,
        Path.home() / ".pip" / file,
        platformdirs.user_config_path("pip", appauthor=False) / file,
        Path(sys.prefix) / file,
        Path(environment.get("PIP_CONFIG_FILE", os.devnull)),
    ]
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    for path in paths:
        try:
            parser.read(path)
        except (configparser.Error, UnicodeDecodeError, OSError) as error:
            logger.warning("%s cannot be read: %s", path, error)
    return parser["global"] if parser.has_section("global") else {}


def links_of(index: str, project: str) -> list[Link]:
    """The files that an index offers of a project.

    Raises:
        OSError, ValueError: the index cannot be reached, or its answer is not a page of a simple index.
    """
    page = f"{index.rstrip('/')}/{project}/" + ("index.html" if index.startswith("file:") else "")
    with opened(page, Accept=FORMATS) as answer:
        base, text = answer.url, answer.read().decode()
        if answer.headers.get_content_type().endswith("json"):
            files = json.loads(text)["files"]
            return [Link(f["filename"], urljoin(base, f["url"]), f.get("hashes", {}).get("sha256")) for f in files]
    parser = _Links()
    parser.feed(text)
    links = []
    for href in parser.hrefs:
        url = urlsplit(urljoin(base, href))
        sha256 = url.fragment.removeprefix("sha256=") if url.fragment.startswith("sha256=") else None
        links.append(Link(unquote(url.path.rpartition("/")[2]), url._replace(fragment="").geturl(), sha256))
    return links


class _Links(HTMLParser):
    """Collects the addresses that a page links to."""

    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hrefs += [value for name, value in attrs if tag == "a" and name == "href" and value]


@contextmanager
def opened(url: str, timeout_s: float = TIMEOUT_S, **headers: str) -> Iterator[Any]:
    """The answer to a request; a user name and a password in the address become a header.

    Raises:
        OSError, ValueError: the address cannot be reached or is not one.
    """
    parts = urlsplit(url)
    if parts.username:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
        url = without_password(url)
    certificates = os.environ.get("PIP_CERT") or pip_configuration().get("cert")
    context = ssl.create_default_context(cafile=certificates) if certificates else None
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=timeout_s, context=context) as answer:
        yield answer


def without_password(url: str) -> str:
    """The address without user name and password, as it may be shown."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return scheme + separator + host.rpartition("@")[2] + slash + path


def copy_with_progress(source: Any, target: BinaryIO, total: int, label: str) -> None:
    """Copy a download to a file, with a progress bar if this runs in a terminal.

    Raises:
        BundleError: the download broke off.
    """
    console = Console(stderr=True)
    with wrap_file(source, total, description=label, console=console, disable=not console.is_terminal) as reader:
        shutil.copyfileobj(reader, target)
    if total and target.tell() != total:
        raise BundleError(f"{label}: the download broke off after {target.tell()} of {total} bytes")


def _download(link: Link, folder: Path) -> Path:
    logger.info("downloading %s, from which two network files are kept", link.name)
    target = folder / link.name
    try:
        with opened(link.url) as answer, target.open("wb") as out:
            copy_with_progress(answer, out, int(answer.headers.get("Content-Length") or 0), link.name)
    except (OSError, ValueError) as error:
        raise BundleError(f"{without_password(link.url)}: {getattr(error, 'reason', error)}") from error
    if link.sha256 and hashlib.sha256(target.read_bytes()).hexdigest() != link.sha256:
        raise BundleError(f"{link.name} is not the file that the index names (wrong sha256)")
    return target
