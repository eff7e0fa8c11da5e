"""The judge: what this subnet pays for. Here: values of a curve of which miners see some points, with noise."""

from math import fsum

import numpy as np

from weighhouse.judge import Answer, Challenge, Judge, Verdict, scored

SEEN = 64
NOISE = 0.1


class Curve(Judge):
    def draw(self, rng: np.random.Generator, items: int) -> Challenge:
        """All chance comes from `rng`: an auditor draws the same bits again."""
        x = rng.random(SEEN + items, dtype=np.float32)
        slope, bend = rng.random(2, dtype=np.float32)
        truth = slope * x - (1 + bend) * x * x
        seen = truth[:SEEN] + NOISE * (rng.random(SEEN, dtype=np.float32) - np.float32(0.5))
        inputs = {"x": x[:SEEN], "y": seen.astype(np.float32), "ask": x[SEEN:]}
        return Challenge(inputs, secret={"truth": truth[SEEN:]}, outputs=["y"])

    def judge(self, challenge: Challenge, answer: Answer) -> Verdict:
        """R squared: 1 for the truth itself, 0 for its mean, less for worse. `answer.array` finds other forms malformed."""
        truth = challenge.secret["truth"].astype(np.float64)
        y = answer.array("y", (challenge.items,)).astype(np.float64)
        mean = fsum(truth) / len(truth)
        score = 1 - fsum(np.square(truth - y)) / fsum(np.square(truth - mean))
        return scored(score, f"R squared {score:.3f}")
