"""Python files given on the command line: their classes, and what to do when they are saved."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from .faults import own_frame

_Base = TypeVar("_Base")
_POLL_SECONDS = 0.3


class LoadError(Exception):
    """A file without the class that was looked for."""


def classes(path: Path, base: type[_Base]) -> list[type[_Base]]:
    """Runs a file, or a folder's `__init__.py`, and returns its own subclasses of `base`, in the order of the file.

    Modules that lie beside the file can be imported by it, and are read anew each time.
    """
    file = path / "__init__.py" if path.is_dir() else path
    if not file.is_file():
        raise LoadError(f"there is no file {file}")
    folder = file.parent.resolve()
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    _forget_siblings(folder)
    importlib.invalidate_caches()
    name = path.resolve().stem
    spec = importlib.util.spec_from_file_location(
        name, file, submodule_search_locations=[str(folder)] if path.is_dir() else None
    )
    if spec is None or spec.loader is None:
        raise LoadError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    # Before it runs: dataclasses and pickle look a class's module up by its name.
    sys.modules[name] = module
    # Saved twice within a second and of equal length, a file would be taken for what was compiled of it before.
    sys.dont_write_bytecode = True
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise LoadError(f"{file} can't be run: {_account(error)}") from error
    # The module name keeps out classes that the file only imports, such as `base` itself.
    own = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, base) and value.__module__ == name
    ]
    if not own:
        raise LoadError(f"{file} has no class derived from weighhouse.{base.__module__.split('.')[1]}.{base.__name__}")
    return own


def _account(error: Exception) -> str:
    """The exception, with the last line of the user's own that it came through."""
    frame = own_frame(error)
    where = "" if frame is None else f"\n  File {frame.filename}, line {frame.lineno}: {frame.line}"
    return "".join(traceback.format_exception_only(error)).strip() + where


def _forget_siblings(folder: Path) -> None:
    """Drops modules that lie in this folder itself; an environment below it keeps its packages."""
    siblings = set()
    for name, module in sys.modules.items():
        origin = getattr(module, "__file__", None)
        if origin and Path(origin).resolve() in (folder / f"{name}.py", folder / name / "__init__.py"):
            siblings.add(name)
    # Neither the running program nor this package, should the file lie beside one of them.
    siblings -= {"__main__", __package__}
    for name in list(sys.modules):
        if name.partition(".")[0] in siblings:
            del sys.modules[name]


def only(found: list[type[_Base]], wanted: str | None, path: Path) -> type[_Base]:
    """Picks the class that was asked for by name, or the one that there is."""
    named = [one for one in found if wanted in (None, one.__name__)]
    if len(named) == 1:
        return named[0]
    names = ", ".join(one.__name__ for one in found)
    if wanted is None:
        raise LoadError(f"{path} has several classes ({names}): say which with --class")
    raise LoadError(f"{path} has no class {wanted}: there are {names}")


def watch(path: Path, changed: Callable[[], None]) -> None:
    """Calls `changed` in a thread of its own whenever a Python file beside this one, or below this folder, is saved."""
    folder = path if path.is_dir() else path.parent

    def stamps() -> dict[Path, int]:
        files = folder.rglob("*.py") if path.is_dir() else folder.glob("*.py")
        found = {}
        for file in files:
            try:
                found[file] = file.stat().st_mtime_ns
            except OSError:
                # Editors replace files; the next look finds the new one.
                continue
        return found

    def poll() -> None:
        seen, pause = stamps(), threading.Event()
        while True:
            pause.wait(_POLL_SECONDS)
            now = stamps()
            if now != seen:
                # Before the call: what is saved during it counts as a change at the next look.
                seen = now
                changed()

    threading.Thread(target=poll, daemon=True, name="watch").start()
