"""What Knuckle depends on: licences, known weaknesses, pinned actions, list of parts (SBOM). `make check` runs it.

    python .ci/audit.py             everything; what needs a service that cannot be reached is reported as "not checked"
    python .ci/audit.py --offline   without the known weaknesses
    python .ci/audit.py --sbom FILE also write what an installation with all extras consists of (CycloneDX, JSON)

It ends with 1 if something is wrong, and never because a service is out of reach.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
# Parts of names of licences that permit use, change and redistribution with Apache-2.0. LGPL and MPL ask for their own
# source only; the packages under them are separate files.
PERMITTED = ("Apache", "BSD", "MIT", "ISC", "PSF", "Python Software Foundation", "MPL", "Mozilla", "HPND", "Zlib")
PERMITTED += ("0BSD", "LGPL", "Lesser General Public", "Unlicense", "CC0", "CNRI", "ZPL", "Zope", "EPL", "Eclipse")
PERMITTED += ("CMU", "BSL-1.0")
# What a package's own words leave open, looked up in its repository.
LOOKED_UP = {"anny": "Apache-2.0", "flatbuffers": "Apache-2.0", "jaxtyping": "MIT", "roma": "MIT", "mcap": "MIT"}
LOOKED_UP |= {"daft": "Apache-2.0", "torchao": "BSD-3-Clause", "pose-format": "MIT", "python-osc": "Unlicense"}
# Packages of an extra that ask for more than ours: nothing of them is shipped, and users install them by choice.
CHOSEN = {"pyvirtualcam": "GPL-2.0, extra virtual-camera; docs/stream.md says so"}
PINNED = re.compile(r"[0-9a-f]{40}")


def required(package: str, extras: frozenset[str] = frozenset(), seen: set[str] | None = None) -> set[str]:
    """The installed packages that a package needs, directly or through others, extras included."""
    seen = set() if seen is None else seen
    try:
        lines = importlib.metadata.requires(package) or []
    except importlib.metadata.PackageNotFoundError:
        return seen
    for line in lines:
        one = Requirement(line)
        environments = [{**default_environment(), "extra": extra} for extra in (extras or {""})]
        if one.marker is None or any(one.marker.evaluate(environment) for environment in environments):
            name = one.name.lower().replace("_", "-")
            if name not in seen:
                seen.add(name)
                required(name, frozenset(one.extras), seen)
    return seen


def licence_of(package: str) -> str:
    """The licence that a package states; "" if it states none."""
    about = importlib.metadata.metadata(package)
    if package in LOOKED_UP:
        return LOOKED_UP[package]
    kinds = [one.rpartition("::")[2].strip() for one in about.get_all("Classifier") or [] if one.startswith("License")]
    text = about.get("License-Expression") or " ".join(kinds) or (about.get("License") or "").strip().split("\n")[0]
    return text.removeprefix("OSI Approved").strip()


def licence_problems() -> Iterator[str]:
    """Packages of an installation with all extras whose licence is unknown or asks for more than ours gives."""
    whole = importlib.metadata.metadata("knuckle").get_all("Provides-Extra") or []
    names = sorted(required("knuckle", frozenset(whole)) - {"knuckle"})
    there = [name for name in names if installed(name) and name not in CHOSEN]
    print(f"licences: {len(there)} packages checked, {len(names) - len(there)} are not installed here and not checked")
    for name in there:
        licence = licence_of(name)
        if not any(part in licence for part in PERMITTED):
            yield f"licences: {name} states {licence or 'no licence'!r}; look it up and add it here, or drop it"


def installed(package: str) -> bool:
    """Whether a package is there."""
    try:
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def action_problems() -> Iterator[str]:
    """Steps of workflows that name a tag or branch of an action, which its owner can move, and not a commit."""
    steps = 0
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if found := re.search(r"uses:\s*([^\s#]+)", line):
                steps += 1
                if not PINNED.fullmatch(found[1].rpartition("@")[2]) or "#" not in line:
                    yield f"{path.name}:{number}: {found[1]} is not pinned to a commit, with its version behind #"
    print(f"actions: {steps} steps of workflows checked")


def sbom_problems(file: Path) -> Iterator[str]:
    """Write the list of parts (SBOM) of an installation with all extras; a part without its version is a problem."""
    if importlib.util.find_spec("cyclonedx_py") is None:
        print("parts: NOT WRITTEN, cyclonedx-bom is not installed")
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject", str(ROOT / "pyproject.toml")]
    done = subprocess.run([*command, "--output-file", str(file)], capture_output=True, text=True)
    if done.returncode:
        yield f"parts: cyclonedx-py ended with {done.returncode}: {done.stderr.strip()[-300:]}"
        return
    whole = importlib.metadata.metadata("knuckle").get_all("Provides-Extra") or []
    needed = {name for name in required("knuckle", frozenset(whole)) if installed(name)} - {"knuckle"}
    listed = json.loads(file.read_text())
    # The environment has tools of developers too, which are no part of Knuckle.
    listed["components"] = [one for one in listed["components"] if normal(one["name"]) in map(normal, needed)]
    file.write_text(json.dumps(listed, indent=1) + "\n")
    print(f"parts: {len(listed['components'])} packages listed in {file}")
    versions = {normal(one["name"]): one.get("version") for one in listed["components"]}
    for name in sorted(needed):
        if not versions.get(normal(name)):
            yield f"parts: {name} has no version in {file}"


def normal(name: str) -> str:
    """The name of a package as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def known_weaknesses() -> Iterator[str]:
    """What the Python Packaging Advisory Database says about the installed packages that Knuckle needs."""
    if importlib.util.find_spec("pip_audit") is None:
        print("known weaknesses: NOT CHECKED, pip-audit is not installed")
        return
    whole = importlib.metadata.metadata("knuckle").get_all("Provides-Extra") or []
    ours = required("knuckle", frozenset(whole))
    command = [sys.executable, "-m", "pip_audit", "--local", "--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run([*command, "--timeout", "10"], capture_output=True, text=True, timeout=600)
        rows = [row for row in json.loads(done.stdout)["dependencies"] if row["name"].lower() in ours]
    except (ValueError, KeyError, OSError, subprocess.TimeoutExpired) as error:
        print(f"known weaknesses: NOT CHECKED, the service cannot be reached ({type(error).__name__})")
        return
    checked = [row for row in rows if "vulns" in row]
    if not checked:
        print("known weaknesses: NOT CHECKED, the service knows none of the packages")
        return
    print(f"known weaknesses: {len(checked)} packages checked, {len(rows) - len(checked)} NOT CHECKED")
    for row in checked:
        for found in row["vulns"]:
            fixed = ", ".join(found["fix_versions"]) or "no version yet"
            yield f"known weaknesses: {row['name']} {row['version']} has {found['id']}, fixed in {fixed}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--offline", action="store_true", help="ask no service")
    parser.add_argument("--sbom", type=Path, metavar="FILE", help="write the list of parts, and check it")
    options = parser.parse_args()
    problems = [*licence_problems(), *action_problems()]
    if options.sbom:
        problems += sbom_problems(options.sbom)
    if not options.offline:
        problems += known_weaknesses()
    print(*problems, sep="\n", end="\n" if problems else "")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
