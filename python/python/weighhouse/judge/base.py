"""The class that judges derive from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from ..tensors import Tensors
from .values import Answer, Attempt, Challenge, Verdict


class Judge:
    """Draws a task's challenges and judges the answers. A subclass needs `draw` and `judge`.

    One call is under way at a time. Nothing may depend on earlier calls: they are repeated after a fault and shared
    with other processes that run the same files. `draw`, `follow_up`, `judge`, `judge_together` and `alike` must give
    the same result for the same arguments on every machine, for an auditor runs them again; `testify` need not, since
    what it returns is recorded. A truth that `resolve` told once it has to tell again, or return None when asked later.
    """

    name: ClassVar[str] = ""
    """For people; the class's name if left empty."""
    version: ClassVar[int] = 1
    """To be raised when the same answer may get another mark."""
    exchanges: ClassVar[int] = 1
    """Questions that one challenge puts to a miner, one after the other."""
    challenges_max: ClassVar[int] = 64
    """Most challenges in one call."""
    attempts_max: ClassVar[int] = 256
    """Most answers in one call of `testify`, and in one message to `judge`."""
    together_max: ClassVar[int] = 1_024
    """Most answers to one challenge that `judge_together` is to compare."""

    def draw(self, rng: np.random.Generator, items: int) -> Challenge:
        """Draws a challenge of `items` questions. All chance must come from `rng`."""
        raise NotImplementedError("a judge needs a method draw(self, rng, items)")

    def judge(self, challenge: Challenge, answer: Answer) -> Verdict:
        """Marks one answer. Raise `Malformed`, or let `answer.array` raise it, where the answer's form is wrong."""
        raise NotImplementedError("a judge needs a method judge(self, challenge, answer)")

    def testify(self, attempts: Sequence[Attempt]) -> Sequence[Tensors]:
        """Runs models or measurements over answers, in a batch; what it says is in `answer.testimony` when judging."""
        raise NotImplementedError

    def judge_together(self, challenge: Challenge, answers: Sequence[Answer]) -> Sequence[Verdict]:
        """Marks all answers to one shared challenge, in order, in place of `judge`."""
        raise NotImplementedError

    def alike(self, challenge: Challenge, answers: Sequence[Answer]) -> Sequence[Sequence[int]]:
        """Groups positions of answers that are too alike to be each miner's own work. Called with `judge_together`."""
        return []

    def follow_up(self, rng: np.random.Generator, items: int, answers: Sequence[Answer]) -> Challenge:
        """Draws the next question, with `rng` as `draw` was given it and the answers so far. For `exchanges` above 1.

        All answers are judged by the challenge that `draw` gave: what later questions ask for stands in its secret. After
        `Malformed` the miner is asked an empty question, and judged by what it sent, which is in `answer.earlier` then.
        """
        raise NotImplementedError("a judge of several exchanges needs a method follow_up(self, rng, items, answers)")

    def resolve(self, challenge: Challenge, epochs: int, rng: np.random.Generator) -> Tensors | None:
        """The truth, `epochs` epochs after the challenge; None while nobody knows. It becomes `answer.testimony`.

        `rng` is chance that nobody knew when the challenge was drawn, the validator included: a truth that must not leak
        is drawn of it.
        """
        raise NotImplementedError

    def overrides(self, method: str) -> bool:
        """Tells whether a subclass defines an optional method."""
        return getattr(type(self), method) is not getattr(Judge, method)


def generator(seed: bytes) -> np.random.Generator:
    """The generator that `draw` is given for a seed of 32 bytes.

    NumPy keeps the bits of PCG64 for good; a distribution such as `normal` may change with NumPy's minor version. Pin
    NumPy's version where audits must draw again years later.
    """
    return np.random.Generator(np.random.PCG64(int.from_bytes(seed, "little")))
