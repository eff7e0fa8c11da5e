"""Values that a judge is handed and gives back."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..tensors import Array, Tensors, arrays

MARK_SCALE = 1_000_000_000
_TEXT_CHARS_MAX = 200


class Malformed(Exception):
    """An answer that is none: the miner's fault. Any other exception is the judge's own and costs no miner anything."""

    def __init__(self, what: str, answer: Answer | None = None) -> None:
        super().__init__(what)
        self.answer = answer


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

    `earlier` holds the outputs of the exchanges before, where a challenge has several.
    """

    outputs: Mapping[str, Array]
    testimony: Mapping[str, Array] = field(default_factory=dict)
    earlier: Sequence[Mapping[str, Array]] = ()

    def __getitem__(self, name: str) -> Array:
        """An output; answers without it are malformed."""
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
    """A mark in [-1, 1] with its reason. Guessing should be worth 0; only what is accepted may be worth more."""

    mark: float
    outcome: Outcome = Outcome.ACCEPTED
    text: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mark) and -1 <= self.mark <= 1):
            raise ValueError(f"a mark of {self.mark} is outside [-1, 1]")
        if self.mark > 0 and self.outcome is not Outcome.ACCEPTED:
            raise ValueError(f"a mark of {self.mark} with the outcome {self.outcome.name}: only ACCEPTED may be above 0")
        object.__setattr__(self, "text", " ".join(self.text.split())[:_TEXT_CHARS_MAX])

    @property
    def billionths(self) -> int:
        """The mark as it is recorded."""
        return round(self.mark * MARK_SCALE)


def accepted(mark: float, text: str = "") -> Verdict:
    """The answer counts, by this mark. A NumPy scalar will do."""
    return Verdict(float(mark), Outcome.ACCEPTED, text)


def wrong(text: str = "", mark: float = 0.0) -> Verdict:
    """The answer has the right form and is wrong."""
    return Verdict(float(mark), Outcome.WRONG, text)


def malformed(text: str) -> Verdict:
    """The answer is none. `Malformed`, raised while judging, comes to the same."""
    return Verdict(0.0, Outcome.MALFORMED, text)
