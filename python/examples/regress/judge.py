"""Tabular regression: a table to learn from, rows to predict, and R squared for a mark.

Predicting the mean is worth 0, so guessing earns nothing, and a model better than least squares earns more.
"""

from math import fsum

import numpy as np

from weighhouse.judge import Answer, Challenge, Judge, Verdict, scored

COLUMNS = 4
ROWS = 64
NOISE = 0.1


class Regress(Judge):
    def draw(self, rng: np.random.Generator, items: int) -> Challenge:
        x = rng.random((ROWS + items, COLUMNS), dtype=np.float32)
        weights = rng.random(COLUMNS, dtype=np.float32) - np.float32(0.5)
        # With a bend, so that there is something to find beyond a plane.
        # Summed in a written order, for `x @ weights` may differ in its last bits on an auditor's machine.
        truth = sum((x[:, column] * weights[column] for column in range(COLUMNS)), start=np.square(x[:, 0] - 0.5))
        seen = truth[:ROWS] + NOISE * (rng.random(ROWS, dtype=np.float32) - np.float32(0.5))
        inputs = {"x": x[:ROWS], "y": seen.astype(np.float32), "ask": x[ROWS:]}
        return Challenge(inputs, secret={"truth": truth[ROWS:]}, outputs=["y"])

    def judge(self, challenge: Challenge, answer: Answer) -> Verdict:
        truth = challenge.secret["truth"].astype(np.float64)
        y = answer.array("y", (challenge.items,)).astype(np.float64)
        mean = fsum(truth) / len(truth)
        score = 1 - fsum(np.square(truth - y)) / fsum(np.square(truth - mean))
        return scored(score, f"R squared {score:.3f}")
