"""The Open Inference Protocol's methods over models: messages in, messages out, no sockets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from .. import wire
from ..faults import Fault, line
from ..tensors import Array, datatype, read, write
from .base import Model, TensorSpec

# pytest leaves frames of this module out, so that a traceback ends in the user's own lines.
__tracebackhide__ = True
_VERSION = "1"


class UnknownModel(LookupError):
    """A model, or a version of it, that isn't served."""


class ModelFault(Fault):
    """A model that raised an exception."""


class NoOutput(ValueError, Fault):
    """A model that doesn't give an output that was asked for."""


class InferenceService:
    """Serves models by name; `replace` swaps them while calls come in."""

    def __init__(self, models: Sequence[Model]) -> None:
        self._lock = threading.Lock()
        self.replace(models)

    def replace(self, models: Sequence[Model]) -> None:
        """Takes up models whose files have changed, after the call that is under way."""
        named = {name_of(model): model for model in models}
        if len(named) < len(models):
            raise ValueError("two models of one name")
        with self._lock:
            self._models = named

    @property
    def names(self) -> list[str]:
        return list(self._models)

    def methods(self) -> dict[str, Callable[[Any], Any]]:
        """The protocol's methods by name."""
        return {
            "ServerLive": lambda _: wire.message("inference.ServerLiveResponse")(live=True),
            "ServerReady": lambda _: wire.message("inference.ServerReadyResponse")(ready=True),
            "ModelReady": self.model_ready,
            "ServerMetadata": self.server_metadata,
            "ModelMetadata": self.model_metadata,
            "ModelInfer": self.model_infer,
        }

    def model_ready(self, request: Any) -> Any:
        ready = request.name in self._models and request.version in ("", _VERSION)
        return wire.message("inference.ModelReadyResponse")(ready=ready)

    def server_metadata(self, _request: Any) -> Any:
        try:
            installed = version("weighhouse")
        except PackageNotFoundError:
            installed = ""
        return wire.message("inference.ServerMetadataResponse")(name="weighhouse.serve", version=installed)

    def model_metadata(self, request: Any) -> Any:
        model = self._find(request.name, request.version)
        response = wire.message("inference.ModelMetadataResponse")(
            name=request.name, versions=[_VERSION], platform="python"
        )
        for field, specs in ((response.inputs, model.inputs), (response.outputs, model.outputs)):
            for name, spec in specs.items():
                field.add(name=name, datatype=spec.datatype, shape=spec.shape)
        return response

    def model_infer(self, request: Any) -> Any:
        model = self._find(request.model_name, request.model_version)
        inputs = read(request.inputs, request.raw_input_contents)
        _held_against(model.inputs, inputs)
        with self._lock:
            outputs = _run(model, inputs)
        # A request that names no outputs wants all.
        wanted = [output.name for output in request.outputs] or list(outputs)
        missing = [name for name in wanted if name not in outputs]
        if missing:
            given = ", ".join(repr(name) for name in outputs) or "none"
            raise NoOutput(f"model {request.model_name!r} gives no output {missing[0]!r}: its outputs are {given}")
        response = wire.message("inference.ModelInferResponse")(
            model_name=request.model_name, model_version=_VERSION, id=request.id
        )
        # Answers take the form that the question has.
        typed = len(request.raw_input_contents) == 0 and len(request.inputs) > 0
        chosen = {name: outputs[name] for name in wanted}
        write(chosen, response.outputs, response.raw_output_contents, typed=typed)
        return response

    def _find(self, name: str, version: str) -> Model:
        # Without the lock: `replace` puts a whole new mapping in place.
        model = self._models.get(name)
        if model is None:
            raise UnknownModel(f"there is no model {name!r}: there is {', '.join(self._models)}")
        if version not in ("", _VERSION):
            raise UnknownModel(f"model {name!r} has no version {version!r}")
        return model


def name_of(model: Model) -> str:
    """The name under which a model is served."""
    return model.name or type(model).__name__.lower()


def _run(model: Model, inputs: Mapping[str, Array]) -> Mapping[str, Any]:
    try:
        return model.infer(inputs)
    except ValueError:
        raise
    except Exception as error:
        raise ModelFault(line(error)) from error


def _held_against(specs: Mapping[str, TensorSpec], inputs: Mapping[str, Array]) -> None:
    if not specs:
        return
    for name, spec in specs.items():
        if name not in inputs:
            raise ValueError(f"there is no input {name!r}")
        array = inputs[name]
        if datatype(array) != spec.datatype:
            raise ValueError(f"input {name!r} is {datatype(array)}, not {spec.datatype}")
        fits = len(spec.shape) == array.ndim and all(
            size in (-1, actual) for size, actual in zip(spec.shape, array.shape)
        )
        if not fits:
            raise ValueError(f"input {name!r} has the shape {list(array.shape)}, not {list(spec.shape)}")
    unknown = [name for name in inputs if name not in specs]
    if unknown:
        raise ValueError(f"there is no input {unknown[0]!r} in this model")
