"""NumPy arrays to and from the Open Inference Protocol's tensors.

Text and bytes travel as `BYTES`: an object array of `bytes` here. `BF16`, which NumPy lacks, is read into float32.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
"""An array of any of the protocol's datatypes."""

Tensors: TypeAlias = Mapping[str, npt.ArrayLike]
"""Arrays by name; whatever NumPy makes an array of will do, lists of `str` included."""

DATATYPES: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    "INT8": np.dtype("i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "UINT8": np.dtype("u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
_TYPED = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
_LENGTH = struct.Struct("<I")
_DIMENSIONS_MAX = 16
# The product of all dimensions but those of 0, which times an element's 8 bytes has to fit 63 bits.
_SPAN_MAX = 1 << 59


class TensorError(ValueError):
    """A tensor that contradicts itself: a wrong length, an unknown datatype, a number out of range."""


def to_array(value: npt.ArrayLike) -> Array:
    """An array of one of the protocol's datatypes, little-endian, in row-major order."""
    array = np.asarray(value)
    if array.dtype.kind in "USO":
        # From `value`: where NumPy made fixed-width text of it, `array` has lost zeros at the ends.
        flat = [_bytes(element) for element in np.asarray(value, dtype=object).ravel()]
        # Not `np.array(flat)`, which makes fixed-width bytes of them and drops zeros at their ends.
        texts = np.empty(len(flat), dtype=object)
        texts[:] = flat
        return texts.reshape(array.shape)
    datatype(array)
    return np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")


def arrays(tensors: Tensors) -> dict[str, Array]:
    """Arrays of the protocol's datatypes, by name."""
    return {name: to_array(value) for name, value in tensors.items()}


def datatype(array: Array) -> str:
    """The protocol's name of an array's datatype."""
    if array.dtype.kind == "O":
        return "BYTES"
    for name, known in DATATYPES.items():
        if known == array.dtype.newbyteorder("<"):
            return name
    raise TensorError(f"the protocol has no datatype for NumPy's {array.dtype}")


def to_raw(array: Array) -> bytes:
    """The elements as raw contents."""
    if array.dtype.kind != "O":
        return array.tobytes()
    return b"".join(_LENGTH.pack(len(element)) + element for element in array.ravel())


def from_raw(name: str, kind: str, shape: Iterable[int], data: bytes) -> Array:
    """A read-only array over raw contents."""
    dimensions, count = _shape(name, shape)
    if kind == "BYTES":
        return _texts(list(_split(name, data)), name, dimensions, count)
    if kind == "BF16":
        _expect(name, len(data), 2 * count)
        # A bfloat16 is the upper half of a float32.
        widened = np.frombuffer(data, "<u2").astype("<u4") << np.uint32(16)
        return widened.view("<f4").reshape(dimensions)
    known = _known(name, kind)
    _expect(name, len(data), known.itemsize * count)
    if kind == "BOOL" and any(byte > 1 for byte in data):
        raise TensorError(f"tensor {name!r}: a BOOL is 0 or 1")
    return np.frombuffer(data, known).reshape(dimensions)


def from_typed(name: str, kind: str, shape: Iterable[int], contents: Any) -> Array:
    """An array from an `InferTensorContents`."""
    dimensions, count = _shape(name, shape)
    if kind not in _TYPED:
        raise TensorError(f"tensor {name!r}: {kind} travels as raw contents only")
    filled = [field for field in sorted(set(_TYPED.values())) if len(getattr(contents, field))]
    if filled and filled != [_TYPED[kind]]:
        raise TensorError(f"tensor {name!r} of {kind} has {', '.join(filled)}")
    values = list(getattr(contents, _TYPED[kind]))
    if kind == "BYTES":
        return _texts(values, name, dimensions, count)
    if len(values) != count:
        raise TensorError(f"tensor {name!r}: {len(values)} elements, its shape asks for {count}")
    known = _known(name, kind)
    if known.kind in "iu" and values:
        limits = np.iinfo(known)
        # Older NumPys wrap such a number around, newer ones raise an `OverflowError`.
        if min(values) < limits.min or max(values) > limits.max:
            raise TensorError(f"tensor {name!r}: a number is no {kind}")
    return np.array(values, dtype=known).reshape(dimensions)


def read(tensors: Any, raw: Any) -> dict[str, Array]:
    """Reads a message's tensors, whose contents are raw or typed but not both."""
    if len(raw) not in (0, len(tensors)):
        raise TensorError(f"{len(tensors)} tensors but {len(raw)} entries of raw contents")
    found: dict[str, Array] = {}
    for position, tensor in enumerate(tensors):
        name, kind, shape = tensor.name, tensor.datatype, tensor.shape
        if name in found:
            raise TensorError(f"two tensors named {name!r}")
        if len(raw) == 0:
            found[name] = from_typed(name, kind, shape, tensor.contents)
        elif tensor.HasField("contents"):
            raise TensorError(f"tensor {name!r} has typed contents beside raw ones")
        else:
            found[name] = from_raw(name, kind, shape, raw[position])
    return found


def write(values: Tensors, tensors: Any, raw: Any, *, typed: bool = False) -> None:
    """Appends arrays to a message's tensors, as raw contents unless typed ones are asked for and there are such."""
    written = arrays(values)
    typed = typed and all(datatype(array) in _TYPED for array in written.values())
    for name, array in written.items():
        kind = datatype(array)
        tensor = tensors.add(name=name, datatype=kind, shape=array.shape)
        if typed:
            getattr(tensor.contents, _TYPED[kind]).extend(array.ravel().tolist())
        else:
            raw.append(to_raw(array))


def _bytes(element: Any) -> bytes:
    if isinstance(element, str):
        return element.encode()
    if isinstance(element, bytes):
        return element
    raise TensorError(f"an array of objects may hold str and bytes, not {type(element).__name__}")


def _shape(name: str, shape: Iterable[int]) -> tuple[tuple[int, ...], int]:
    dimensions = tuple(shape)
    if len(dimensions) > _DIMENSIONS_MAX:
        raise TensorError(f"tensor {name!r} has {len(dimensions)} dimensions, over the limit of {_DIMENSIONS_MAX}")
    count = span = 1
    for dimension in dimensions:
        if dimension < 0:
            raise TensorError(f"tensor {name!r} has a dimension of {dimension}")
        # Can't overflow: Python's integers grow with whatever a peer claims.
        count *= dimension
        span *= dimension or 1
    # NumPy refuses such a shape though it has no elements; where there are some, there are too few bytes.
    if count == 0 and span > _SPAN_MAX:
        raise TensorError(f"tensor {name!r} has the shape {list(dimensions)}, which no array has")
    return dimensions, count


def _known(name: str, kind: str) -> np.dtype[Any]:
    if kind not in DATATYPES:
        raise TensorError(f"tensor {name!r} has the unknown datatype {kind!r}")
    return DATATYPES[kind]


def _expect(name: str, actual: int, expected: int) -> None:
    if actual != expected:
        raise TensorError(f"tensor {name!r}: {actual} bytes, its shape asks for {expected}")


def _texts(values: list[bytes], name: str, dimensions: tuple[int, ...], count: int) -> Array:
    if len(values) != count:
        raise TensorError(f"tensor {name!r}: {len(values)} elements, its shape asks for {count}")
    texts = np.empty(count, dtype=object)
    texts[:] = values
    return texts.reshape(dimensions)


def _split(name: str, data: bytes) -> Iterable[bytes]:
    at = 0
    while at < len(data):
        if at + _LENGTH.size > len(data):
            raise TensorError(f"tensor {name!r}: its last element is cut short")
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + length > len(data):
            raise TensorError(f"tensor {name!r}: its last element is cut short")
        yield data[at : at + length]
        at += length
