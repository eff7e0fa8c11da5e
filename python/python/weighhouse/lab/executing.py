"""Who answers units: this machine's threads, or a Ray cluster."""

import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from .._native import LabJob

TASK_SECONDS = 0.25
"""About how long a task is: long beside what sending it costs, short beside what is lost with a worker."""

Answered = tuple[Sequence[int], Sequence[str]]


class Executor(Protocol):
    """Answers units of a job, in any order and grouping: places in `units`, and the answers to those."""

    def answer(self, job: LabJob, units: Sequence[str]) -> Iterator[Answered]: ...


class Local:
    """This process's threads: as many as there are cores if not given."""

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads
        self._seconds = 0.0

    def answer(self, job: LabJob, units: Sequence[str]) -> Iterator[Answered]:
        begin = 0
        while begin < len(units):
            size = _size(self._seconds, len(units)) if self._seconds else 32
            part = units[begin : begin + size]
            began = time.monotonic()
            answers = job.answer(part, threads=self.threads)
            self._seconds = (time.monotonic() - began) / len(part)
            yield range(begin, begin + len(part)), answers
            begin += len(part)


class RayExecutor:
    """A Ray cluster: the one that `ray.init` connected to, else one of this machine.

    retries: how often a task is begun again whose worker died.
    """

    def __init__(self, *, retries: int = 16) -> None:
        self._ray = _ray()
        if not self._ray.is_initialized():
            self._ray.init(log_to_driver=False)
        options = self._ray.remote(num_cpus=1, max_retries=retries, retry_exceptions=False)
        self._task = options(_answer)
        self._specs: dict[str, Any] = {}
        self._seconds = 0.0

    def answer(self, job: LabJob, units: Sequence[str]) -> Iterator[Answered]:
        digest = job.digest
        if digest not in self._specs:
            self._specs = {digest: self._ray.put(job.spec)}
        spec = self._specs[digest]
        workers = max(int(self._ray.cluster_resources().get("CPU", 1)), 1)
        # How long a unit takes is measured by the first few, before a long list is cut into tasks.
        few = 0 if self._seconds else min(len(units), workers)
        yield from self._all(digest, spec, units, range(few), 1)
        # No worker without a task, and none that waits for one long task of another.
        size = min(_size(self._seconds, len(units)), -(-len(units) // workers))
        yield from self._all(digest, spec, units, range(few, len(units)), size)

    def _all(
        self, digest: str, spec: Any, units: Sequence[str], places: range, size: int
    ) -> Iterator[Answered]:
        pending: dict[Any, range] = {}
        for begin in range(places.start, places.stop, size):
            at = range(begin, min(begin + size, places.stop))
            pending[self._task.remote(digest, spec, [units[place] for place in at])] = at
        try:
            while pending:
                for task in self._ray.wait(list(pending), num_returns=1)[0]:
                    seconds, answers = self._ray.get(task)
                    at = pending.pop(task)
                    self._seconds = seconds / len(at)
                    yield at, answers
        finally:
            # Left early, by Ctrl-C for one: nobody waits for the others.
            for task in pending:
                self._ray.cancel(task)


_jobs: dict[str, LabJob] = {}
"""The job that this worker made ready last."""


def _answer(digest: str, spec: str, units: list[str]) -> tuple[float, list[str]]:
    job = _jobs.get(digest)
    if job is None:
        _jobs.clear()
        job = _jobs[digest] = LabJob(spec)
        if job.digest != digest:
            raise RuntimeError("this worker has another version of weighhouse than the one that asks")
    began = time.monotonic()
    answers = job.answer(units, threads=1)
    return time.monotonic() - began, answers


def _size(seconds: float, most: int) -> int:
    return max(1, min(int(TASK_SECONDS / seconds), most)) if seconds > 0 else 1


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        message = "Ray is not installed: pip install 'weighhouse[ray]'"
        raise ImportError(message, name="ray") from error
    return ray
