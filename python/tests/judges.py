"""Judges and models that the tests share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from weighhouse.judge import (
    Answer,
    Attempt,
    Challenge,
    Judge,
    Malformed,
    Tensors,
    Verdict,
    accepted,
    scored,
    wrong,
)
from weighhouse.serve import Inputs, Model, TensorSpec


class Doubling(Judge):
    """Wants twice what it asks."""

    def draw(self, rng: np.random.Generator, items: int) -> Challenge:
        x = rng.random(items, dtype=np.float32)
        return Challenge({"x": x}, secret={"y": 2 * x})

    def judge(self, challenge: Challenge, answer: Answer) -> Verdict:
        y = answer.array("y", (challenge.items,))
        worst = float(np.abs(y - challenge.secret["y"]).max())
        return accepted(1) if worst < 1e-6 else wrong(f"off by {worst:.3f}")


class Ranking(Doubling):
    """Compares all answers: the nearest gets the full mark; equal ones are alike."""

    together_max = 8

    def judge_together(self, challenge: Challenge, answers: Sequence[Answer]) -> Sequence[Verdict]:
        y = np.stack([answer.array("y", (challenge.items,)) for answer in answers])
        distances = np.abs(y - challenge.secret["y"]).sum(axis=1)
        best = distances.min()
        return [accepted(1) if distance == best else wrong("not the nearest") for distance in distances]

    def alike(self, challenge: Challenge, answers: Sequence[Answer]) -> Sequence[Sequence[int]]:
        groups: dict[bytes, list[int]] = {}
        for position, answer in enumerate(answers):
            groups.setdefault(answer["y"].tobytes(), []).append(position)
        return list(groups.values())


class Measuring(Doubling):
    """Measures once and judges by what was measured."""

    def testify(self, attempts: Sequence[Attempt]) -> Sequence[Tensors]:
        return [{"length": len(attempt.answer.texts("text", 1)[0])} for attempt in attempts]

    def judge(self, challenge: Challenge, answer: Answer) -> Verdict:
        length = int(answer.testimony["length"])
        return scored(min(1, length / 10))


class Sealed(Doubling):
    """Two exchanges: the digest of an answer, then the answer; and truth after two epochs."""

    exchanges = 2

    def follow_up(self, rng: np.random.Generator, items: int, answers: Sequence[Answer]) -> Challenge:
        first = self.draw(rng, items)
        return Challenge({**first.inputs, "seal": answers[0]["seal"]}, first.secret)

    def resolve(self, challenge: Challenge, epochs: int, rng: np.random.Generator) -> Tensors | None:
        return {"y": 2 * challenge.inputs["x"]} if epochs >= 2 else None

    def judge(self, challenge: Challenge, answer: Answer) -> Verdict:
        if bytes(answer["y"].tobytes()) != answer.earlier[0]["seal"][0]:
            raise Malformed("the answer is not the sealed one", answer)
        return accepted(1) if (answer["y"] == answer.testimony["y"]).all() else wrong("not the truth")


class Honest(Model):
    inputs = {"x": TensorSpec("FP32", [-1])}
    outputs = {"y": TensorSpec("FP32", [-1])}

    def infer(self, inputs: Inputs) -> Tensors:
        return {"y": 2 * inputs["x"]}


class Lazy(Model):
    def infer(self, inputs: Inputs) -> Tensors:
        return {"y": np.zeros_like(inputs["x"])}


class NotANumber(Model):
    def infer(self, inputs: Inputs) -> Tensors:
        return {"y": np.full_like(inputs["x"], np.nan)}


class Sealing(Model):
    """Commits first."""

    def infer(self, inputs: Inputs) -> Tensors:
        y = 2 * inputs["x"]
        return {"y": y} if "seal" in inputs else {"seal": [y.tobytes()]}
