"""The miner: what somebody who does the work serves. A model is a class with one method."""

import numpy as np

from weighhouse.serve import Inputs, Model, Tensors


class Honest(Model):
    """Fits a parabola to the points that it was shown."""

    def infer(self, inputs: Inputs) -> Tensors:
        curve = np.polyfit(inputs["x"], inputs["y"], 2)
        return {"y": np.polyval(curve, inputs["ask"]).astype(np.float32)}
