"""Models in Python: what a miner serves, in one method.

    from weighhouse.serve import Model, Tensors

    class Doubling(Model):
        def infer(self, inputs):
            return {"y": 2 * inputs["x"]}

`python -m weighhouse.serve FILE.py` serves every model of a file by the Open Inference Protocol, version 2: the gRPC
contract of Triton and KServe. A miner of Weighhouse in front of it (`backend = "oip"`) admits, signs and meters; this
server itself asks nobody who they are and listens on the loopback unless told otherwise. Needs the extra packages of
`pip install weighhouse[judge]`.
"""

from ..tensors import Array, Tensors
from .base import Inputs, Model, TensorSpec

__all__ = ["Array", "Inputs", "Model", "TensorSpec", "Tensors"]
