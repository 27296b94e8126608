"""Changes inputs at random, knowing how they are built: JSON trees, zip members, lines and numbers of text, bytes."""

from __future__ import annotations

import io
import json
import random
import re
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

Random = random.Random
NUMBERS: tuple[Any, ...] = (0, -1, 1, 2, 63, 255, 256, 65536, 2**31, -(2**31), 2**32, 2**63, 10**30, 0.5, -0.0)
FLOATS: tuple[Any, ...] = (1e-320, 1e300, -1e300, float("nan"), float("inf"), float("-inf"))
PATHS = ("../../../../etc/passwd", "/etc/passwd")
TEXTS = ("", "x", "\0", "a\nb", *PATHS, "\ud800", "é" * 300, "9" * 5000, "1e999", "Left")
OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [[]], [None], {"a": 1}, [0] * 21, [[0, 0]] * 21, [1, 2, 3, 4])
WEIRD = (*NUMBERS, *FLOATS, *TEXTS, *OTHERS)
WORDS = re.compile(rb"[A-Za-z_]+|-?[0-9.]+(?:e[+-]?[0-9]+)?|[^\sA-Za-z0-9]")
TOKENS = (b"0", b"-1", b"nan", b"inf", b"1e999", b"9" * 20, b"null", b"[", b"{", b"<", b"&a;", b"\0", b"\xff")


def mutated(data: bytes, rng: Random, keep: int = 0, most: int = 1 << 16) -> bytes:
    """A changed copy; the first `keep` bytes mostly stay, since they say which file of a folder the rest is."""
    head, body = data[:keep], data[keep:]
    if keep and rng.random() < 0.03:
        head = bytes([rng.randrange(8)])
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        body = _changed(body, rng)
    return (head + body)[:most]


def _changed(body: bytes, rng: Random) -> bytes:
    ways: list[Callable[[bytes, Random], bytes]] = [change_bytes]
    if body[:2] == b"PK":
        ways += [change_zip] * 3
    elif is_text(body):
        ways += [change_words, change_words, change_lines]
        if body.lstrip()[:1] in (b"{", b"["):
            ways += [change_json] * 6
    way = rng.choice(ways)
    try:
        return way(body, rng)
    except Exception:  # it is damaged too much for this way
        return change_bytes(body, rng)


def is_text(body: bytes) -> bool:
    """Whether the start is text."""
    return b"\0" not in body[:200] and not body.startswith((b"\x89PNG", b"\xff\xd8"))


def change_json(body: bytes, rng: Random) -> bytes:
    """Change one node of a JSON document, or of one line of JSON lines."""
    lines = body.split(b"\n")
    whole = len([line for line in lines if line.strip()]) == 1 or lines[0].strip() in (b"{", b"[")
    if whole:
        return dumped(change_tree(json.loads(body), rng))
    number = rng.randrange(len(lines))
    lines[number] = dumped(change_tree(json.loads(lines[number]), rng))
    return b"\n".join(lines)


def dumped(tree: Any) -> bytes:
    return json.dumps(tree).encode()


def change_tree(tree: Any, rng: Random) -> Any:
    """A tree with one node changed; deep nodes are as likely as those near the root."""
    if isinstance(tree, dict) and tree and rng.random() < 0.85:
        key = rng.choice(list(tree))
        return {**tree, key: change_tree(tree[key], rng)}
    if isinstance(tree, list) and tree and rng.random() < 0.85:
        at = rng.randrange(min(len(tree), 70))
        return [*tree[:at], change_tree(tree[at], rng), *tree[at + 1 :]]
    return change_node(tree, rng)


def change_node(node: Any, rng: Random) -> Any:
    """Another value for a node: a strange one, a part of it, more of it, or deep nesting."""
    chance = rng.random()
    if isinstance(node, dict) and node and chance < 0.5:
        key = rng.choice(list(node))
        rest = {name: value for name, value in node.items() if name != key}
        return rng.choice([rest, {**rest, key + "_": node[key]}, {**node, "": node[key]}, node[key]])
    if isinstance(node, list) and node and chance < 0.5:
        return rng.choice([node[1:], node * 2, [*node, rng.choice(WEIRD)], node[0], [node]])
    if isinstance(node, (int, float)) and chance < 0.3:
        return rng.choice([-node, str(node), [node], node * 1e6])
    if chance > 0.98:
        for _ in range(rng.choice((10, 200, 2000))):
            node = [node]
        return node
    return rng.choice(WEIRD)


def change_zip(body: bytes, rng: Random) -> bytes:
    """Change a member of a zip file: its name, its bytes, its number of copies; or the directory at the end."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    at = rng.randrange(len(members))
    name, data = members[at]
    members[at] = rng.choice(
        [
            lambda: (name, _changed(data, rng)),
            lambda: (name, _changed(data, rng)),
            lambda: (rng.choice(("../x", "/x", "a/../../x", "", name.upper(), name + "/")), data),
            lambda: (name, data[: rng.randrange(len(data) + 1)]),
            lambda: (name, bytes(rng.choice((0, 1 << 10, 1 << 16)))),
        ]
    )()
    if rng.random() < 0.1:
        members.append(rng.choice(members))
    if rng.random() < 0.1:
        members.pop(rng.randrange(len(members)))
    if rng.random() < 0.01:
        members[at] = (name, bytes(1 << 24))  # slow to make, so it is rare
    out, kind = io.BytesIO(), rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    if max(len(data) for _, data in members) > 1 << 16:
        kind = zipfile.ZIP_DEFLATED  # a stored one would be cut off
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", kind, compresslevel=1) as archive:
        warnings.simplefilter("ignore")  # names that occur twice are wanted
        for name, data in members:
            info = zipfile.ZipInfo(name or "x")
            info.compress_type = kind
            archive.writestr(info, data, compresslevel=1)
    return out.getvalue()


def change_words(body: bytes, rng: Random) -> bytes:
    """Replace a word or number of a text by another of it, or by a strange one."""
    words = list(WORDS.finditer(body))
    word = rng.choice(words)
    new = rng.choice([rng.choice(words).group(), rng.choice(TOKENS), b"", word.group() * 2])
    return body[: word.start()] + new + body[word.end() :]


def change_lines(body: bytes, rng: Random) -> bytes:
    """Repeat, drop, move or cut a line."""
    lines = body.split(b"\n")
    at = rng.randrange(len(lines))
    line = lines.pop(at)
    where = rng.randrange(len(lines) + 1)
    lines[where:where] = rng.choice([[], [line, line], [line], [line[: len(line) // 2]]])
    return b"\n".join(lines)


def change_bytes(body: bytes, rng: Random) -> bytes:
    """Flip, set, insert, drop or copy bytes."""
    if not body:
        return bytes(rng.randrange(256) for _ in range(8))
    at, length = rng.randrange(len(body)), rng.choice((1, 1, 2, 4, 8, 64))
    new = rng.choice(
        [
            bytes([body[at] ^ (1 << rng.randrange(8))]),
            rng.choice((b"\0", b"\xff", b"\x7f", b"\x80")) * length,
            rng.choice((2**31 - 1, 2**32 - 1, 2**31, 65535, 0, 1)).to_bytes(4, rng.choice(("little", "big"))),
            b"",
            body[rng.randrange(len(body)) :][:length],
        ]
    )
    return body[:at] + new + body[at + rng.choice((len(new), length, 0)) :]
