"""Those who would earn without the work, each a model of its own. Add the one that you fear most."""

import numpy as np

from weighhouse.serve import Inputs, Model, Tensors


class Straight(Model):
    """Does half of the work: fits a straight line."""

    def infer(self, inputs: Inputs) -> Tensors:
        line = np.polyfit(inputs["x"], inputs["y"], 1)
        return {"y": np.polyval(line, inputs["ask"]).astype(np.float32)}


class Mean(Model):
    """Always says the mean of what it was shown."""

    def infer(self, inputs: Inputs) -> Tensors:
        return {"y": np.full(len(inputs["ask"]), inputs["y"].mean(), np.float32)}


class Echo(Model):
    """Repeats what it was shown."""

    def infer(self, inputs: Inputs) -> Tensors:
        return {"y": np.resize(inputs["y"], len(inputs["ask"]))}


class NotANumber(Model):
    """Tries what a judge makes of an answer that is none."""

    def infer(self, inputs: Inputs) -> Tensors:
        return {"y": np.full(len(inputs["ask"]), np.nan, np.float32)}
