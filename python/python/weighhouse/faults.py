"""Exceptions in a user's file, as one line says them: what was raised, and the line of the file that it came through."""

from __future__ import annotations

import sys
import sysconfig
import threading
import traceback
from pathlib import Path

_LIBRARIES = (Path(__file__).resolve().parent, Path(sysconfig.get_path("stdlib")).resolve())
_INSTALLED = ("site-packages", "dist-packages")
_TOLD_MAX = 64
_WHAT_CHARS_MAX = 200


class Fault(Exception):
    """A fault of a user's file; its text says all that there is to say."""


def line(error: BaseException) -> str:
    """The exception with the last line of the user's own that it came through, where there is one."""
    what = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")[:_WHAT_CHARS_MAX]
    frame = own_frame(error)
    return what if frame is None else f"{what} ({Path(frame.filename).name}, line {frame.lineno}, in {frame.name})"


def own_frame(error: BaseException) -> traceback.FrameSummary | None:
    """The innermost frame outside of Python's library, of installed packages and of this one."""
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame for frame in reversed(frames) if _is_own(frame.filename)), None)


def _is_own(file: str) -> bool:
    # Code without a file is the interpreter's, such as <frozen importlib._bootstrap>, or was generated.
    if file.startswith("<"):
        return False
    resolved = Path(file).resolve()
    is_installed = any(part in _INSTALLED for part in resolved.parts)
    return not is_installed and not any(resolved.is_relative_to(folder) for folder in _LIBRARIES)


class Teller:
    """Prints faults on standard error, each place in a file once: callers repeat a call that failed."""

    def __init__(self, program: str, *, quiet: bool = False) -> None:
        self._program, self._quiet = program, quiet
        self._told: set[tuple[str, object]] = set()
        self._lock = threading.Lock()

    def tell(self, error: Exception) -> str:
        """The fault's one line, printed if it is new."""
        text = str(error) if isinstance(error, Fault) else line(error)
        cause = error.__cause__ or error
        frame = own_frame(cause)
        key = (type(cause).__name__, text if frame is None else (frame.filename, frame.lineno))
        with self._lock:
            is_new = key not in self._told and len(self._told) < _TOLD_MAX
            if is_new:
                self._told.add(key)
        if is_new and not self._quiet:
            print(f"{self._program}: {' '.join(text.split())}", file=sys.stderr, flush=True)
        return text
