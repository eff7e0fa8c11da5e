"""The tensors of a model's folder, in float32."""

import json
import struct

import numpy as np

DTYPES = {"F32": "<f4", "F16": "<f2"}


def tensors(folder):
    raw = (folder / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header, data = json.loads(raw[8 : 8 + length]), raw[8 + length :]
    header.pop("__metadata__", None)
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        if entry["dtype"] == "BF16":
            values = (np.frombuffer(data[begin:end], "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(data[begin:end], DTYPES[entry["dtype"]]).astype(np.float32)
        yield name, values.reshape(entry["shape"])
