"""The contract's methods over a judge: messages in, messages out, no sockets."""

from __future__ import annotations

import platform
import threading
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

import numpy as np
from google.protobuf.message import DecodeError

from .. import wire
from ..faults import Fault, line
from ..tensors import Array, TensorError, Tensors, read, write
from .base import Judge, generator
from .values import Answer, Attempt, Challenge, Malformed, Verdict, malformed

# pytest leaves frames of this module out, so that a traceback ends in the user's own lines.
__tracebackhide__ = True
PROTOCOL = 1
MESSAGE_BYTES_MAX = 64 << 20
_SEED_BYTES = 32
# A testimony of this name alone says that the answer was found malformed when it was looked at.
_FOUND_MALFORMED = "weighhouse.malformed"
_Result = TypeVar("_Result")


class RequestError(ValueError):
    """A request that the contract doesn't allow."""


class JudgeFault(Fault):
    """A judge that broke its promises, or raised an exception."""


class JudgeService:
    """Serves one judge; `replace` swaps it for another while calls come in."""

    def __init__(self, judge: Judge, digest: bytes) -> None:
        self._lock = threading.Lock()
        self._judge, self._digest = judge, digest

    def replace(self, judge: Judge, digest: bytes) -> None:
        """Takes up a judge whose files have changed, after the call that is under way."""
        with self._lock:
            self._judge, self._digest = judge, digest

    def methods(self) -> dict[str, Callable[[Any], Any]]:
        """The contract's methods by name."""
        return {
            "Describe": self.describe,
            "Draw": self.draw,
            "Testify": self.testify,
            "Resolve": self.resolve,
            "Judge": self.judge,
            "JudgeTogether": self.judge_together,
        }

    def describe(self, _request: Any) -> Any:
        # Without the lock, so that a judge at work still says that it is there.
        judge, digest = self._judge, self._digest
        response = wire.message("weighhouse.v1.JudgeServiceDescribeResponse")(
            protocol=PROTOCOL,
            name=judge.name or type(judge).__name__,
            version=judge.version,
            digest=digest,
            testifies=judge.overrides("testify"),
            together=judge.overrides("judge_together"),
            resolves=judge.overrides("resolve"),
            exchanges=judge.exchanges,
            runtime=f"python {platform.python_version()}, numpy {np.__version__}",
        )
        limits = response.limits
        limits.challenges_max, limits.attempts_max = judge.challenges_max, judge.attempts_max
        limits.together_max, limits.message_bytes_max = judge.together_max, MESSAGE_BYTES_MAX
        return response

    def draw(self, request: Any) -> Any:
        with self._lock:
            _within("seeds", len(request.seeds), self._judge.challenges_max)
            response = wire.message("weighhouse.v1.DrawResponse")()
            for seed in request.seeds:
                rng, items = _seeded(seed.seed), request.items
                earlier = [Answer(_outputs(answer)) for answer in seed.answers]
                if earlier:
                    challenge = self._follow_up(rng, items, earlier)
                else:
                    challenge = _run(self._judge.draw, rng, items)
                _write_challenge(challenge, items, response.challenges.add())
            return response

    def _follow_up(self, rng: np.random.Generator, items: int, earlier: Sequence[Answer]) -> Challenge:
        try:
            return _run(self._judge.follow_up, rng, items, earlier)
        except Malformed as error:
            # One miner's answer must not cost the others their round: it is asked this, and judged by what it sent.
            return Challenge({"malformed": [str(error)]})

    def testify(self, request: Any) -> Any:
        with self._lock:
            judge = self._judge
            _within("attempts", len(request.attempts), judge.attempts_max)
            told = _with_form(request.attempts, lambda asked: _each(judge.testify(asked), len(asked)))
            response = wire.message("weighhouse.v1.TestifyResponse")()
            for said in told:
                found: Tensors = {_FOUND_MALFORMED: [str(said)]} if isinstance(said, Malformed) else said
                response.testimonies.append(_pack(found))
            return response

    def resolve(self, request: Any) -> Any:
        with self._lock:
            _within("challenges", len(request.challenges), self._judge.challenges_max)
            response = wire.message("weighhouse.v1.ResolveResponse")()
            if len(request.seeds) != len(request.challenges):
                raise RequestError(f"{len(request.seeds)} seeds for {len(request.challenges)} challenges")
            for message, seed in zip(request.challenges, request.seeds, strict=True):
                truth = _run(self._judge.resolve, read_challenge(message), request.epochs, _seeded(seed))
                resolution = response.resolutions.add()
                if truth is not None:
                    resolution.truth = _pack(truth)
            return response

    def judge(self, request: Any) -> Any:
        with self._lock:
            judge = self._judge
            _within("attempts", len(request.attempts), judge.attempts_max)
            response = wire.message("weighhouse.v1.JudgeResponse")()
            for message in request.attempts:
                [verdict] = _with_form(
                    [message], lambda asked: [judge.judge(asked[0].challenge, asked[0].answer)]
                )
                _write_verdict(verdict, response.verdicts.add())
            return response

    def judge_together(self, request: Any) -> Any:
        with self._lock:
            judge = self._judge
            _within("attempts", len(request.attempts), judge.together_max)
            groups: list[list[Attempt]] = []

            def compare(asked: Sequence[Attempt]) -> Sequence[Verdict]:
                challenge, answers = asked[0].challenge, [attempt.answer for attempt in asked]
                verdicts = _each(judge.judge_together(challenge, answers), len(asked))
                # Attempts and not positions: those found malformed are left out of `asked`,
                # and positions with them.
                groups[:] = [[asked[at] for at in group] for group in judge.alike(challenge, answers)]
                return verdicts

            given: list[Attempt | None] = []
            told = _with_form(request.attempts, compare, given)
            response = wire.message("weighhouse.v1.JudgeTogetherResponse")()
            for verdict in told:
                _write_verdict(verdict, response.verdicts.add())
            for group in groups:
                positions = {at for at, attempt in enumerate(given) if any(attempt is one for one in group)}
                if len(positions) > 1:
                    response.alike.add(attempts=sorted(positions))
            return response


def _with_form(
    messages: Sequence[Any],
    run: Callable[[Sequence[Attempt]], Sequence[_Result]],
    given: list[Attempt | None] | None = None,
) -> list[_Result | Malformed]:
    """Runs `run` over the attempts whose form is right; what it raises `Malformed` about is left out from then on."""
    results: list[_Result | Malformed] = []
    attempts: list[Attempt | None] = []
    for message in messages:
        try:
            attempts.append(_read_attempt(message))
        except (TensorError, Malformed) as error:
            attempts.append(None)
            results.append(Malformed(str(error)))
        else:
            results.append(Malformed("not judged"))
    if given is not None:
        given[:] = attempts
    left = [at for at, attempt in enumerate(attempts) if attempt is not None]
    while left:
        asked = [attempt for at in left if (attempt := attempts[at]) is not None]
        try:
            found = _run(run, asked)
        except Malformed as error:
            # By identity: equal answers of two miners are two answers.
            named = [at for at in left if (one := attempts[at]) is not None and _has(one.answer, error.answer)]
            at = named[0] if named else (left[0] if len(left) == 1 else _unnamed(error))
            results[at] = error
            left.remove(at)
            continue
        for at, result in zip(left, found, strict=True):
            results[at] = result
        break
    return results


def _has(answer: Answer, part: Answer | None) -> bool:
    return any(part is one for one in (answer, *answer.earlier))


def _unnamed(error: Malformed) -> NoReturn:
    raise JudgeFault(f"Malformed({str(error)!r}) doesn't say which answer: pass it as the second argument")


def _run(function: Callable[..., _Result], *arguments: Any) -> _Result:
    try:
        return function(*arguments)
    except (Malformed, JudgeFault):
        raise
    except Exception as error:
        raise JudgeFault(line(error)) from error


def _each(results: Sequence[_Result], count: int) -> Sequence[_Result]:
    if len(results) != count:
        raise JudgeFault(f"{len(results)} results for {count} answers")
    return results


def _seeded(seed: bytes) -> np.random.Generator:
    if len(seed) != _SEED_BYTES:
        raise RequestError(f"a seed of {len(seed)} bytes instead of {_SEED_BYTES}")
    return generator(seed)


def _within(what: str, count: int, limit: int) -> None:
    if count > limit:
        raise RequestError(f"{count} {what} in one call, over the limit of {limit}")


def _outputs(answer: Any) -> dict[str, Array]:
    return read(answer.outputs, answer.raw_output_contents)


def _pack(tensors: Tensors) -> bytes:
    """Tensors as the bytes of a `ModelInferResponse`: secrets, testimonies and truths are kept in this form."""
    if not tensors:
        return b""
    message = wire.message("inference.ModelInferResponse")()
    write(tensors, message.outputs, message.raw_output_contents)
    return wire.encode(message)


def _unpack(data: bytes) -> dict[str, Array]:
    """Tensors that `_pack` packed; broken ones are the caller's fault."""
    try:
        return _outputs(wire.message("inference.ModelInferResponse").FromString(data))
    except (TensorError, DecodeError) as error:
        raise RequestError(f"no bytes of this judge: {error}") from error


def _write_challenge(challenge: Challenge, items: int, message: Any) -> None:
    if not isinstance(challenge, Challenge):
        raise JudgeFault(f"draw returned a {type(challenge).__name__}, not a Challenge")
    question = message.question
    write(challenge.inputs, question.inputs, question.raw_input_contents)
    for name in challenge.outputs:
        question.outputs.add(name=name)
    message.secret = _pack(challenge.secret)
    message.items = challenge.items or items


def read_challenge(message: Any) -> Challenge:
    """Reads back a challenge that a judge has drawn; a broken one is the caller's fault."""
    question = message.question
    try:
        inputs = read(question.inputs, question.raw_input_contents)
    except TensorError as error:
        raise RequestError(f"no challenge of this judge: {error}") from error
    wanted = [output.name for output in question.outputs]
    return Challenge(inputs, _unpack(message.secret), wanted, message.items)


def _read_attempt(message: Any) -> Attempt:
    if not message.answers:
        raise RequestError("an attempt without an answer")
    challenge, testimony = read_challenge(message.challenge), _unpack(message.testimony)
    if _FOUND_MALFORMED in testimony:
        raise Malformed(b"".join(testimony[_FOUND_MALFORMED]).decode())
    *earlier, outputs = (_outputs(answer) for answer in message.answers)
    # What later exchanges ask for isn't in the challenge.
    wanted = () if earlier else challenge.outputs
    return Attempt(challenge, Answer(outputs, testimony, [Answer(sent) for sent in earlier], wanted))


def _write_verdict(verdict: Verdict | Malformed, message: Any) -> None:
    if isinstance(verdict, Malformed):
        verdict = malformed(str(verdict))
    if not isinstance(verdict, Verdict):
        raise JudgeFault(f"the judge returned a {type(verdict).__name__}, not a Verdict")
    message.mark_billionths, message.outcome, message.text = verdict.billionths, verdict.outcome, verdict.text
