"""Judges in Python: what a subnet pays for, in one class.

    import numpy as np
    from weighhouse.judge import Answer, Challenge, Judge, Verdict, scored

    class Doubling(Judge):
        def draw(self, rng: np.random.Generator, items: int) -> Challenge:
            x = rng.random(items, dtype=np.float32)
            return Challenge({"x": x}, secret={"y": 2 * x})

        def judge(self, challenge: Challenge, answer: Answer) -> Verdict:
            y = answer.array("y", (challenge.items,))
            return scored(1 - min(1, float(np.abs(y - challenge.secret["y"]).max())))

`python -m weighhouse.judge FILE.py` serves the judge of a file to validators and auditors; `weighhouse.testing` runs it
without a network. Needs the extra packages of `pip install weighhouse[judge]`.
"""

from ..tensors import Array, Tensors
from .base import Judge, generator
from .values import (
    Answer,
    Attempt,
    Challenge,
    Malformed,
    Outcome,
    UnknownOutput,
    Verdict,
    accepted,
    malformed,
    scored,
    wrong,
)

__all__ = [
    "Answer",
    "Array",
    "Attempt",
    "Challenge",
    "Judge",
    "Malformed",
    "Outcome",
    "Tensors",
    "UnknownOutput",
    "Verdict",
    "accepted",
    "generator",
    "malformed",
    "scored",
    "wrong",
]
