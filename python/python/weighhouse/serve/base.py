"""The class that models derive from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from ..tensors import Array, Tensors

Inputs: TypeAlias = Mapping[str, Array]
"""Arrays by name, as they came; they can't be written to."""


@dataclass(frozen=True)
class TensorSpec:
    """A tensor as metadata describes it; -1 in a shape stands for any size."""

    datatype: str
    shape: Sequence[int]


class Model:
    """One model. Calls of `infer` come one at a time; a `ValueError` refuses a request, other exceptions are ours."""

    name: ClassVar[str] = ""
    """As callers say it; the class's name in lower case if left empty."""
    inputs: ClassVar[Mapping[str, TensorSpec]] = {}
    """Told to callers, and held against requests; nothing is held against them if left empty."""
    outputs: ClassVar[Mapping[str, TensorSpec]] = {}
    """Told to callers."""

    def infer(self, inputs: Inputs) -> Tensors:
        """Answers one request."""
        raise NotImplementedError("a model needs a method infer(self, inputs)")
