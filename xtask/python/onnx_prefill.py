"""onnxruntime's pass over a prompt, on the weights of a Llama folder.

The graph is written here, operator by operator, from config.json and model.safetensors. Reads orders `prefill TOKENS`
from standard input, a line each, and answers each with the wall and CPU seconds that it took.

Usage: onnx_prefill.py FOLDER THREADS
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


def read_weights(path: Path) -> dict[str, np.ndarray]:
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name] = np.frombuffer(data[start:end], np.float32).reshape(entry["shape"])
    return tensors


class Graph:
    def __init__(self, config: dict, weights: dict[str, np.ndarray], tokens: int) -> None:
        self.config, self.weights, self.tokens = config, weights, tokens
        self.nodes, self.initial = [], []

    def constant(self, value: np.ndarray) -> str:
        name = f"c{len(self.initial)}"
        self.initial.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, operator: str, *inputs: str, **attributes: object) -> str:
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def floats(self, value: object) -> str:
        return self.constant(np.array(value, np.float32))

    def shape(self, *sizes: int) -> str:
        return self.constant(np.array(sizes, np.int64))

    def linear(self, rows: str, name: str) -> str:
        return self.add("MatMul", rows, self.constant(self.weights[name].T))

    def normed(self, rows: str, name: str) -> str:
        # onnxruntime fuses this pattern into one kernel.
        square = self.add("Pow", rows, self.floats(2))
        mean = self.add("ReduceMean", square, self.shape(-1), keepdims=1)
        root = self.add("Sqrt", self.add("Add", mean, self.floats(self.config["rms_norm_eps"])))
        return self.add("Mul", self.add("Div", rows, root), self.constant(self.weights[name]))

    def heads(self, rows: str, count: int, width: int) -> str:
        split = self.add("Reshape", rows, self.shape(self.tokens, count, width))
        return self.add("Transpose", split, perm=[1, 0, 2])

    def rotated(self, heads: str, cosines: str, sines: str, width: int) -> str:
        first = self.add("Slice", heads, self.shape(0), self.shape(width // 2), self.shape(2))
        second = self.add("Slice", heads, self.shape(width // 2), self.shape(width), self.shape(2))
        turned = self.add("Concat", self.add("Neg", second), first, axis=2)
        return self.add("Add", self.add("Mul", heads, cosines), self.add("Mul", turned, sines))

    def build(self) -> bytes:
        config, tokens = self.config, self.tokens
        heads, kv_heads, width = config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]
        powers = np.arange(0, width, 2) / width
        angles = np.outer(np.arange(tokens), config["rope_theta"] ** -powers)
        angles = np.concatenate([angles, angles], axis=1)
        cosines, sines = self.floats(np.cos(angles)), self.floats(np.sin(angles))
        unseen = self.floats(np.triu(np.full((tokens, tokens), -1e9), 1))
        hidden = self.add("Gather", self.constant(self.weights["model.embed_tokens.weight"]), "tokens")
        for layer in range(config["num_hidden_layers"]):
            prefix = f"model.layers.{layer}."
            rows = self.normed(hidden, prefix + "input_layernorm.weight")
            part = lambda name, count: self.heads(  # noqa: E731
                self.linear(rows, f"{prefix}self_attn.{name}_proj.weight"), count, width
            )
            queries, keys, values = part("q", heads), part("k", kv_heads), part("v", kv_heads)
            queries = self.rotated(queries, cosines, sines, width)
            keys = self.add("Transpose", self.rotated(keys, cosines, sines, width), perm=[0, 2, 1])
            if heads != kv_heads:
                raise SystemExit("only as many heads of keys as of queries are written")
            scores = self.add("Mul", self.add("MatMul", queries, keys), self.floats(width**-0.5))
            shares = self.add("Softmax", self.add("Add", scores, unseen), axis=-1)
            attended = self.add("Transpose", self.add("MatMul", shares, values), perm=[1, 0, 2])
            attended = self.add("Reshape", attended, self.shape(tokens, heads * width))
            hidden = self.add("Add", hidden, self.linear(attended, prefix + "self_attn.o_proj.weight"))
            rows = self.normed(hidden, prefix + "post_attention_layernorm.weight")
            gate = self.linear(rows, prefix + "mlp.gate_proj.weight")
            gate = self.add("Mul", gate, self.add("Sigmoid", gate))
            inner = self.add("Mul", gate, self.linear(rows, prefix + "mlp.up_proj.weight"))
            hidden = self.add("Add", hidden, self.linear(inner, prefix + "mlp.down_proj.weight"))
        last = self.add("Slice", hidden, self.shape(tokens - 1), self.shape(tokens), self.shape(0))
        logits = self.linear(self.normed(last, "model.norm.weight"), "lm_head.weight")
        graph = helper.make_graph(
            self.nodes,
            "llama",
            [helper.make_tensor_value_info("tokens", TensorProto.INT64, [tokens])],
            [helper.make_tensor_value_info(logits, TensorProto.FLOAT, [1, config["vocab_size"]])],
            self.initial,
        )
        opset = [helper.make_opsetid("", 18)]
        return helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()


def main() -> None:
    folder, threads = Path(sys.argv[1]), int(sys.argv[2])
    config = json.loads((folder / "config.json").read_text())
    weights = read_weights(folder / "model.safetensors")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    sessions = {}
    for line in sys.stdin:
        order, tokens = line.split()
        if order != "prefill":
            raise SystemExit(f"no order: {line!r}")
        tokens = int(tokens)
        if tokens not in sessions:
            model = Graph(config, weights, tokens).build()
            sessions[tokens] = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        ids = (np.arange(tokens) * 7919 + 13) % config["vocab_size"]
        wall, cpu = time.perf_counter(), time.process_time()
        (logits,) = sessions[tokens].run(None, {"tokens": ids.astype(np.int64)})
        took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        print(json.dumps(took | {"largest": int(logits.argmax())}), flush=True)


main()
