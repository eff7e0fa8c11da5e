"""Miners of the example: one that does the work, one that does it better, and three that try without."""

from collections.abc import Callable

import numpy as np

from weighhouse.serve import Array, Inputs, Model, Tensors


class Honest(Model):
    """Least squares."""

    def infer(self, inputs: Inputs) -> Tensors:
        return {"y": _fitted(inputs, _plane)}


class Better(Model):
    """Least squares with the bend."""

    def infer(self, inputs: Inputs) -> Tensors:
        return {"y": _fitted(inputs, lambda x: np.column_stack([_plane(x), np.square(x[:, 0])]))}


class Mean(Model):
    def infer(self, inputs: Inputs) -> Tensors:
        return {"y": np.full(len(inputs["ask"]), inputs["y"].mean(), np.float32)}


class Copycat(Model):
    """Repeats what it was shown."""

    def infer(self, inputs: Inputs) -> Tensors:
        return {"y": np.resize(inputs["y"], len(inputs["ask"]))}


class NotANumber(Model):
    def infer(self, inputs: Inputs) -> Tensors:
        return {"y": np.full(len(inputs["ask"]), np.nan, np.float32)}


def _plane(x: Array) -> Array:
    return np.column_stack([x, np.ones(len(x))])


def _fitted(inputs: Inputs, features: Callable[[Array], Array]) -> Array:
    solution, *_ = np.linalg.lstsq(features(inputs["x"]), inputs["y"], rcond=None)
    return np.asarray(features(inputs["ask"]) @ solution, np.float32)
