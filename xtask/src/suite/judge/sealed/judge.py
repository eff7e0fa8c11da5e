"""A judge that uses all that a judge may do: a seal and its reveal, truth an epoch later, answers judged together."""

from collections.abc import Sequence

import numpy as np

from weighhouse.judge import Answer, Challenge, Judge, Malformed, Tensors, Verdict, accepted, wrong


class Sealed(Judge):
    exchanges = 2

    def draw(self, rng: np.random.Generator, items: int) -> Challenge:
        return Challenge({"x": rng.random(items, dtype=np.float32)}, outputs=["seal"])

    def follow_up(self, rng: np.random.Generator, items: int, answers: Sequence[Answer]) -> Challenge:
        return Challenge({**self.draw(rng, items).inputs, "seal": answers[0].array("seal", (1,), object)}, outputs=["y"])

    def resolve(self, challenge: Challenge, epochs: int, rng: np.random.Generator) -> Tensors | None:
        return {"y": 2 * challenge.inputs["x"]}

    def judge_together(self, challenge: Challenge, answers: Sequence[Answer]) -> Sequence[Verdict]:
        errors = []
        for answer in answers:
            y = answer.array("y", (challenge.items,))
            if y.tobytes() != answer.earlier[0]["seal"][0]:
                raise Malformed("the answer is not the sealed one", answer)
            errors.append(float(np.abs(y - answer.testimony["y"]).max()))
        return [accepted(1) if error == min(errors) else wrong("another was closer") for error in errors]
