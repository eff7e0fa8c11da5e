import numpy as np

from weighhouse.serve import Inputs, Model, Tensors


class Honest(Model):
    factor = 2.0

    def infer(self, inputs: Inputs) -> Tensors:
        y = (self.factor * inputs["x"]).astype(np.float32)
        return {"y": y} if "seal" in inputs else {"seal": [y.tobytes()]}
