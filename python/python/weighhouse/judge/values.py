"""Values that a judge is handed and gives back."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..tensors import Array, Tensors, arrays

# pytest leaves frames of this module out, so that a traceback ends in the user's own lines.
__tracebackhide__ = True
MARK_SCALE = 1_000_000_000
_TEXT_CHARS_MAX = 200
_Real: TypeAlias = "float | np.floating[Any] | np.integer[Any]"


class Malformed(Exception):
    """An answer that is none: the miner's fault. Any other exception is the judge's own and costs no miner anything."""

    def __init__(self, what: str, answer: Answer | None = None) -> None:
        super().__init__(what)
        self.answer = answer


class UnknownOutput(LookupError):
    """A name that the challenge doesn't ask for: the judge's own fault, whatever a miner sent."""


class Outcome(enum.IntEnum):
    """What a verdict comes to; the numbers are the contract's."""

    ACCEPTED = 1
    WRONG = 2
    MALFORMED = 3


class Challenge:
    """A question to a miner, and what only the judge is to know about it.

    `inputs` are sent as they are, `outputs` names the tensors that are wanted back (none: every one). `secret` is
    recorded and comes back with the answers. `items` counts the questions within; 0 stands for as many as were asked for.
    """

    def __init__(
        self, inputs: Tensors, secret: Tensors | None = None, outputs: Sequence[str] = (), items: int = 0
    ) -> None:
        # Converted at once: what the protocol can't carry is refused within the judge's own code.
        self.inputs: Mapping[str, Array] = arrays(inputs)
        self.secret: Mapping[str, Array] = arrays(secret or {})
        self.outputs = tuple(outputs)
        self.items = items


@dataclass(frozen=True, eq=False)
class Answer:
    """Tensors that a miner sent, and what `testify` or `resolve` said of them.

    `earlier` holds the answers to the exchanges before, where a challenge has several. `wanted` are the challenge's
    `outputs`, where it has one exchange: nothing else may be read.
    """

    outputs: Mapping[str, Array]
    testimony: Mapping[str, Array] = field(default_factory=dict)
    earlier: Sequence[Answer] = ()
    wanted: Sequence[str] = ()

    def __getitem__(self, name: str) -> Array:
        """An output; answers without it are malformed. A name that the challenge doesn't ask for is an error."""
        if self.wanted and name not in self.wanted:
            raise UnknownOutput(f"the challenge asks for no output {name!r}: its outputs are {_listed(self.wanted)}")
        if name not in self.outputs:
            raise Malformed(f"there is no output {name!r}", self)
        return self.outputs[name]

    def array(self, name: str, shape: Sequence[int], dtype: npt.DTypeLike = np.float32) -> Array:
        """An output of this shape (-1: any size) and datatype, without NaN or infinities; others are malformed."""
        array, wanted = self[name], np.dtype(dtype)
        # Arrays are little-endian here, whatever the machine's own order is.
        if array.dtype.newbyteorder("=") != wanted:
            raise Malformed(f"{name} is of {array.dtype.name}, not {wanted.name}", self)
        fits = len(shape) == array.ndim and all(size in (-1, actual) for size, actual in zip(shape, array.shape))
        if not fits:
            raise Malformed(f"{name} has the shape {list(array.shape)}, not {list(shape)}", self)
        if wanted.kind == "f" and not np.isfinite(array).all():
            raise Malformed(f"{name} holds a number that is not finite", self)
        return array

    def texts(self, name: str, count: int) -> list[str]:
        """An output of this many texts; others are malformed."""
        array = self.array(name, (count,), object)
        try:
            return [element.decode() for element in array]
        except UnicodeDecodeError:
            raise Malformed(f"{name} is not UTF-8", self) from None


@dataclass(frozen=True)
class Attempt:
    """A challenge with one miner's answer to it."""

    challenge: Challenge
    answer: Answer


@dataclass(frozen=True)
class Verdict:
    """A mark in [-1, 1] with its reason. Guessing should be worth 0; only an accepted answer may be worth more."""

    mark: float
    outcome: Outcome = Outcome.ACCEPTED
    text: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mark) and -1 <= self.mark <= 1):
            raise ValueError(f"a mark of {self.mark} is outside [-1, 1]")
        if self.mark > 0 and self.outcome is not Outcome.ACCEPTED:
            raise ValueError(f"a mark of {self.mark} on an answer that is {self.outcome.name.lower()}: only an accepted one may have more than 0")
        object.__setattr__(self, "text", " ".join(self.text.split())[:_TEXT_CHARS_MAX])

    @property
    def billionths(self) -> int:
        """The mark as it is recorded."""
        return round(self.mark * MARK_SCALE)


def scored(mark: _Real, text: str = "") -> Verdict:
    """Accepted by a mark above 0, and wrong by any other. A mark below -1, as of an error without a bound, counts as -1.

    What is worse than guessing costs something: were it worth 0, guesses would earn by their luck.
    """
    number = _number("scored(mark, text)", mark)
    return Verdict(number, Outcome.ACCEPTED, text) if number > 0 else Verdict(max(number, -1.0), Outcome.WRONG, text)


def accepted(mark: _Real, text: str = "") -> Verdict:
    """The answer counts, by this mark above 0. A NumPy scalar will do."""
    number = _number("accepted(mark, text)", mark)
    if number <= 0:
        raise ValueError(f"accepted({number}): only a mark above 0 is accepted; scored(mark, text) takes any mark")
    return Verdict(number, Outcome.ACCEPTED, text)


def wrong(text: str = "", mark: _Real = 0.0) -> Verdict:
    """The answer has the right form and is wrong. The text comes first here; `scored(mark, text)` has the mark first."""
    if not isinstance(text, str):
        raise TypeError(f"wrong(text, mark) was given {text!r} for its text; scored(mark, text) has the mark first")
    return Verdict(_number("wrong(text, mark)", mark), Outcome.WRONG, text)


def malformed(text: str) -> Verdict:
    """The answer is none. `Malformed`, raised while judging, comes to the same."""
    return Verdict(0.0, Outcome.MALFORMED, text)


def _number(call: str, mark: _Real) -> float:
    if isinstance(mark, (str, bytes)):
        raise TypeError(f"{call} was given {mark!r} for its mark")
    return float(mark)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)
