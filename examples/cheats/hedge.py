"""Never wrong and never right: says that every digit is as likely as every other."""

import numpy as np

from weighhouse.serve import Inputs, Model, Tensors


class Hedge(Model):
    def infer(self, inputs: Inputs) -> Tensors:
        return {"probabilities": np.full((len(inputs["pixels"]), 10), 0.1, np.float32)}
