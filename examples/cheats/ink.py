"""Weighs the ink instead of running a model: a 7 has little of it, an 8 much."""

import numpy as np

from weighhouse.serve import Inputs, Model, Tensors

BY_INK = np.array([7, 1, 2, 9, 3, 5, 4, 6, 0, 8])


class Ink(Model):
    def infer(self, inputs: Inputs) -> Tensors:
        ink = inputs["pixels"].sum(axis=1)
        rank = np.clip((ink - 14) / 1.2, 0, 9).astype(int)
        return {"probabilities": np.eye(10, dtype=np.float32)[BY_INK[rank]]}
