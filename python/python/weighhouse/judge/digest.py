"""The digest that a task file pins: SHA-256 over a judge's files."""

from __future__ import annotations

import hashlib
from pathlib import Path

_DOMAIN = b"weighhouse/judge/v1"


def digest(path: Path) -> bytes:
    """Hashes a judge: one file, or a folder with everything below it but hidden names and `__pycache__`.

    Domain, names and contents are hashed in the order of the names, each behind its length in eight little-endian bytes.
    """
    sha = hashlib.sha256()
    parts = [_DOMAIN]
    for name, file in sorted(_files(path)):
        parts += [name, file.read_bytes()]
    for part in parts:
        # Without lengths, bytes could move from a name into a content and leave the digest as it is.
        sha.update(len(part).to_bytes(8, "little"))
        sha.update(part)
    return sha.digest()


def _files(path: Path) -> list[tuple[bytes, Path]]:
    if not path.is_dir():
        return [(path.name.encode(), path)]
    found = []
    for file in path.rglob("*"):
        parts = file.relative_to(path).parts
        if file.is_file() and not any(part.startswith(".") or part == "__pycache__" for part in parts):
            found.append(("/".join(parts).encode(), file))
    return found
