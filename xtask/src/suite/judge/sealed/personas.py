import numpy as np
from miner import Honest

from weighhouse.serve import Inputs, Model, Tensors


class Further(Honest):
    factor = 2.1


class Changing(Model):
    """Seals one answer and reveals another."""

    def infer(self, inputs: Inputs) -> Tensors:
        return {"y": 2 * inputs["x"]} if "seal" in inputs else {"seal": [np.zeros_like(inputs["x"]).tobytes()]}
