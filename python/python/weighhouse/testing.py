"""Judges and models run in this process, for pytest and pdb: no sockets, no validator, no chain.

    from weighhouse.testing import JudgeHarness

    def test_guessing_is_worth_nothing() -> None:
        harness = JudgeHarness(MyJudge())
        assert harness.mean_mark(Guessing(), rounds=50) < 0.05, harness.verdicts(Guessing())
        harness.check_repeatable()

Values pass through the same messages as between a validator and a judge, so that what works here works there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from . import wire
from .judge.base import Judge
from .judge.service import JudgeService, read_challenge
from .judge.values import MARK_SCALE, Challenge, Outcome, Verdict
from .serve.base import Model
from .serve.service import InferenceService, name_of
from .tensors import Tensors, read, write

# pytest leaves frames of this module out, so that a traceback ends in the user's own lines.
__tracebackhide__ = True
_TASK = bytes(32)
_REASONS_MAX = 3


@dataclass(frozen=True)
class Round:
    """One shared challenge, and a verdict for each of those who answered, in order."""

    challenge: Challenge
    verdicts: Sequence[Verdict]
    alike: Sequence[Sequence[int]]


class MeanMark(float):
    """A mean of marks, which in messages says why where every answer was malformed."""

    def __new__(cls, verdicts: Sequence[Verdict]) -> MeanMark:
        mean = super().__new__(cls, fmean(verdict.mark for verdict in verdicts))
        mean._verdicts = verdicts
        return mean

    _verdicts: Sequence[Verdict]

    def __repr__(self) -> str:
        if any(verdict.outcome is not Outcome.MALFORMED for verdict in self._verdicts):
            return float.__repr__(self)
        reasons = "; ".join(dict.fromkeys(verdict.text for verdict in self._verdicts[:_REASONS_MAX]))
        return f"{float.__repr__(self)} (every answer was malformed: {reasons})"


class JudgeHarness:
    """A judge under test, asked as a validator asks it.

    An exception of the judge arrives as `JudgeFault`, one of a model as `ModelFault` or `NoOutput`: in one line that names
    the line of the file, with the exception itself for its cause.
    """

    def __init__(self, judge: Judge, *, items: int = 16) -> None:
        self._service, self._items = JudgeService(judge, bytes(32)), items
        self._described = self._service.describe(None)

    def draw(self, seed: int = 0) -> Challenge:
        """The challenge of a seed, as `judge` will see it."""
        return read_challenge(self._draw(seed))

    def judge(self, answer: Tensors, *, seed: int = 0) -> Verdict:
        """The verdict on these tensors as the answer to the challenge of a seed."""
        response = wire.message("inference.ModelInferResponse")()
        write(answer, response.outputs, response.raw_output_contents)
        return self._verdicts([self._attempt(self._draw(seed), [response])])[0][0]

    def round(self, models: Iterable[Model], *, seed: int = 0, epochs: int = 1) -> Round:
        """Puts the challenge of a seed to every model, and judges their answers; truth that comes later comes now."""
        attempts = [self._answered(model, seed) for model in models]
        if self._described.resolves and attempts:
            truth = self._truth(attempts[0].challenge, epochs)
            for attempt in attempts:
                attempt.testimony = truth
        verdicts, alike = self._verdicts(attempts)
        return Round(self.draw(seed), verdicts, alike)

    def verdicts(self, model: Model, *, rounds: int = 32, beside: Sequence[Model] = ()) -> list[Verdict]:
        """A model's verdicts, marks with their reasons, on the seeds from 0 on, where these others are asked too."""
        return [self.round([model, *beside], seed=seed).verdicts[0] for seed in range(rounds)]

    def mean_mark(self, model: Model, *, rounds: int = 32, beside: Sequence[Model] = ()) -> float:
        """The mean of a model's marks, as `verdicts` has them. Printed, it says why where every answer was malformed."""
        return MeanMark(self.verdicts(model, rounds=rounds, beside=beside))

    def check_repeatable(self, models: Sequence[Model] = (), *, seeds: Iterable[int] = range(8)) -> None:
        """Raises an `AssertionError` where the same seed gives another challenge, or the same answer another verdict."""
        for seed in seeds:
            first, again = self._draw(seed), self._draw(seed)
            if wire.encode(first) != wire.encode(again):
                raise AssertionError(f"seed {seed} was drawn twice and gave two challenges: use only rng for chance")
            attempts = [self._answered(model, seed) for model in models]
            if attempts and self._verdicts(attempts) != self._verdicts(attempts):
                raise AssertionError(f"the answers to seed {seed} were judged twice and got two verdicts")

    def _draw(self, seed: int, answers: Sequence[Any] = ()) -> Any:
        data = hashlib.sha256(f"weighhouse.testing/{seed}".encode()).digest()
        request = wire.message("weighhouse.v1.DrawRequest")(task=_TASK, items=self._items)
        request.seeds.add(seed=data, answers=answers)
        [challenge] = self._service.draw(request).challenges
        return challenge

    def _answered(self, model: Model, seed: int) -> Any:
        """Leads a model through the exchanges of a challenge."""
        service, answers = InferenceService([model]), list[Any]()
        while True:
            challenge = self._draw(seed, answers)
            question = wire.message("inference.ModelInferRequest")()
            question.CopyFrom(challenge.question)
            question.model_name = name_of(model)
            answers.append(service.model_infer(question))
            if len(answers) == self._described.exchanges:
                # The first challenge again: all answers are judged by that one.
                return self._attempt(self._draw(seed), answers)

    def _attempt(self, challenge: Any, answers: Sequence[Any]) -> Any:
        return wire.message("weighhouse.v1.Attempt")(challenge=challenge, answers=answers)

    def _truth(self, challenge: Any, epochs: int) -> bytes:
        # A validator's follows from a beacon that comes later; here each challenge has one of its own.
        seed = hashlib.sha256(challenge.SerializeToString(deterministic=True)).digest()
        request = wire.message("weighhouse.v1.ResolveRequest")(
            task=_TASK, challenges=[challenge], epochs=epochs, seeds=[seed]
        )
        [resolution] = self._service.resolve(request).resolutions
        if not resolution.HasField("truth"):
            raise LookupError(f"nobody knows the truth after {epochs} epochs: pass a larger `epochs`")
        truth: bytes = resolution.truth
        return truth

    def _verdicts(self, attempts: Sequence[Any]) -> tuple[list[Verdict], list[list[int]]]:
        if self._described.testifies:
            asked = wire.message("weighhouse.v1.TestifyRequest")(task=_TASK, attempts=attempts)
            for attempt, said in zip(attempts, self._service.testify(asked).testimonies, strict=True):
                attempt.testimony = said
        if self._described.together:
            told = self._service.judge_together(
                wire.message("weighhouse.v1.JudgeTogetherRequest")(task=_TASK, attempts=attempts)
            )
            alike = [list(group.attempts) for group in told.alike]
        else:
            told = self._service.judge(wire.message("weighhouse.v1.JudgeRequest")(task=_TASK, attempts=attempts))
            alike = []
        verdicts = [
            Verdict(verdict.mark_billionths / MARK_SCALE, Outcome(verdict.outcome), verdict.text)
            for verdict in told.verdicts
        ]
        return verdicts, alike


def infer(model: Model, inputs: Tensors) -> Tensors:
    """One request to a model through the protocol's messages; what comes back, as a caller reads it."""
    request = wire.message("inference.ModelInferRequest")(model_name=name_of(model))
    write(inputs, request.inputs, request.raw_input_contents)
    response = InferenceService([model]).model_infer(request)
    return read(response.outputs, response.raw_output_contents)
