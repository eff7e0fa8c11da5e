"""One run of a job: units handed to an executor, answers kept in a checkpoint."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from .._native import InputError, LabJob
from .executing import Executor

_FORMAT = "weighhouse lab checkpoint 1"
_SAVE_SECONDS = 2.0
_SAVE_SHARE = 20.0
"""Saving may take this part of the time: a long run's checkpoint is larger, and saved less often."""


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    answered: int
    """Units answered so far, those of the checkpoint included."""
    waiting: int
    """Units asked for and not answered yet; a search asks for one generation after the other."""
    evaluations: int
    """Evaluations of the search; 0 for attack."""
    best: float | None
    """The best figure so far: profit for redteam, the objective for tune; nothing for attack."""


class Result(dict[str, Any]):
    """A result as a dictionary; `json` is the text that the command prints."""

    json: str

    def __init__(self, text: str) -> None:
        super().__init__(json.loads(text))
        self.json = text


class _Checkpoint:
    """Answers by unit. Replaced as a whole, so that a file is either the one before or the one after."""

    def __init__(self, path: Path | None, job: str) -> None:
        self.path = path
        self.job = job
        self.answers: dict[str, str] = {}
        self.changed = False
        self.next_save = 0.0
        if path is not None and path.exists():
            self._read(path)

    def _read(self, path: Path) -> None:
        try:
            held = json.loads(path.read_bytes())
            found, job, answers = held["format"], held["job"], held["answers"]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} is no checkpoint of the lab") from error
        if found != _FORMAT:
            raise InputError(f"{path} is no checkpoint of this version")
        if job != self.job:
            raise InputError(f"{path} belongs to another job: the same arguments and version, or another file")
        self.answers = answers

    def add(self, unit: str, answer: str) -> None:
        if self.path is not None:
            self.answers[unit] = answer
            self.changed = True

    def save(self, *, last: bool = False) -> None:
        if self.path is None or not self.changed or not (last or time.monotonic() >= self.next_save):
            return
        began = time.monotonic()
        held = {"format": _FORMAT, "job": self.job, "answers": self.answers}
        aside = self.path.with_name(self.path.name + ".tmp")
        with aside.open("w", encoding="utf-8") as file:
            json.dump(held, file)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self.path)
        self.changed = False
        ended = time.monotonic()
        self.next_save = ended + max(_SAVE_SECONDS, _SAVE_SHARE * (ended - began))


def drive(
    job: LabJob,
    executor: Executor,
    checkpoint: str | PathLike[str] | None,
    progress: Callable[[Progress], object] | None,
    *,
    sign: float = 1.0,
) -> Result:
    """Runs a job to its end."""
    kept = _Checkpoint(None if checkpoint is None else Path(checkpoint), job.digest)
    run = job.start()
    answered = 0
    try:
        while (units := run.ask()) is not None:
            answers = {unit: kept.answers[unit] for unit in units if unit in kept.answers}
            missing = [unit for unit in dict.fromkeys(units) if unit not in answers]
            for at, replies in executor.answer(job, missing) if missing else ():
                for index, reply in zip(at, replies, strict=True):
                    answers[missing[index]] = reply
                    kept.add(missing[index], reply)
                kept.save()
                if progress is not None:
                    evaluations, best = run.progress() or (0, None)
                    waiting = sum(1 for unit in missing if unit not in answers)
                    now = sign * best if best is not None and abs(best) < 1e30 else None
                    progress(Progress(answered + len(answers), waiting, evaluations, now))
            answered += len(answers)
            run.tell([answers[unit] for unit in units])
    finally:
        kept.save(last=True)
    text = run.result()
    assert text is not None, "a run that asks for nothing more has a result"
    return Result(text)
