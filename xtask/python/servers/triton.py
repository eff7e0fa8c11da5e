"""Triton with models of ours: triton.py FOLDER GRPC HTTP METRICS

`language` is decoupled and tells token ids, `whole` answers once, `batched` has a batch dimension and tells a text alone; they
are the folder's model, in numpy. `insists` wants an input that no completion has. `double` is a model of numbers.
"""

import json
import sys
from pathlib import Path

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig
from tokenizers import Tokenizer
from weights import tensors

FOLDER = Path(sys.argv[1])
GRPC, HTTP, METRICS = (int(port) for port in sys.argv[2:5])
CONFIG = json.loads((FOLDER / "config.json").read_text())
TOKENIZER = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
HEADS, KEY_HEADS = CONFIG["num_attention_heads"], CONFIG["num_key_value_heads"]
CONTEXT = CONFIG["max_position_embeddings"]
WEIGHTS = {name.removeprefix("model."): values for name, values in tensors(FOLDER)}


def norm(x, weight):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + CONFIG["rms_norm_eps"]) * weight


def rotated(x):
    half = x.shape[-1] // 2
    speeds = CONFIG["rope_theta"] ** (-np.arange(half) / half)
    angles = np.arange(x.shape[1])[:, None] * speeds
    cos, sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
    left, right = x[..., :half], x[..., half:]
    return np.concatenate([left * cos - right * sin, right * cos + left * sin], -1)


def attention(x, layer):
    def heads(name, count):
        projected = x @ WEIGHTS[f"{layer}.self_attn.{name}_proj.weight"].T
        return projected.reshape(len(x), count, -1).swapaxes(0, 1)

    keys, values = (np.repeat(heads(name, KEY_HEADS), HEADS // KEY_HEADS, 0) for name in "kv")
    queries, keys = rotated(heads("q", HEADS)), rotated(keys)
    scores = queries @ keys.swapaxes(1, 2) / np.float32(np.sqrt(queries.shape[-1]))
    scores = np.where(np.tri(len(x), dtype=bool), scores, np.float32(-np.inf))
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    mixed = (shares / shares.sum(-1, keepdims=True)) @ values
    return mixed.swapaxes(0, 1).reshape(len(x), -1) @ WEIGHTS[f"{layer}.self_attn.o_proj.weight"].T


def logits(tokens):
    """Of the token behind the last."""
    x = WEIGHTS["embed_tokens.weight"][tokens]
    for index in range(CONFIG["num_hidden_layers"]):
        layer = f"layers.{index}"
        x = x + attention(norm(x, WEIGHTS[f"{layer}.input_layernorm.weight"]), layer)
        inner = norm(x, WEIGHTS[f"{layer}.post_attention_layernorm.weight"])
        gate = inner @ WEIGHTS[f"{layer}.mlp.gate_proj.weight"].T
        up = inner @ WEIGHTS[f"{layer}.mlp.up_proj.weight"].T
        x = x + (gate / (1 + np.exp(-gate)) * up) @ WEIGHTS[f"{layer}.mlp.down_proj.weight"].T
    return norm(x[-1], WEIGHTS["norm.weight"]) @ WEIGHTS["embed_tokens.weight"].T


def first(request, name, default):
    return np.asarray(request[name]).reshape(-1)[0] if name in request else default


def generated(request):
    """Yields (text so far, token, log-probability, finish reason)."""
    prompt = first(request, "text_input", b"").decode()
    wanted, go_on = int(first(request, "max_tokens", 16)), bool(first(request, "ignore_end", False))
    tokens = TOKENIZER.encode(prompt).ids
    if len(tokens) + wanted > CONTEXT:
        raise ValueError(f"{len(tokens)} prompt tokens and {wanted} more exceed the context length of {CONTEXT}")
    begun = len(tokens)
    for count in range(1, wanted + 1):
        row = logits(tokens)
        token = int(row.argmax())
        log_prob = float(row[token] - row.max() - np.log(np.exp(row - row.max()).sum()))
        tokens.append(token)
        ended = token == CONFIG["eos_token_id"] and not go_on
        reason = "end" if ended else "length" if count == wanted else ""
        # The prompt's part is decoded too: what a token means may hang on the one before it.
        text = TOKENIZER.decode(tokens).removeprefix(TOKENIZER.decode(tokens[:begun]))
        yield text, token, log_prob, reason
        if ended:
            return


def outputs(text, tokens, log_probs, reason):
    return {
        "text_output": np.array([text.encode()], dtype=bytes),
        "token_ids": np.array(tokens, dtype=np.int32),
        "log_probs": np.array(log_probs, dtype=np.float32),
        "finish_reason": np.array([reason.encode()], dtype=bytes),
    }


def pieces(requests):
    (request,) = requests
    sent = ""
    for text, token, log_prob, reason in generated(request):
        # A character that a token's end cuts in two decodes as U+FFFD until its rest has come.
        held = text if reason else text.rstrip("\ufffd")
        piece, sent = held[len(sent) :], max(sent, held, key=len)
        yield [outputs(piece, [token], [log_prob], reason)]


def whole(requests):
    answers = []
    for request in requests:
        steps = list(generated(request))
        text, _, _, reason = steps[-1]
        answers.append(outputs(text, [step[1] for step in steps], [step[2] for step in steps], reason))
    return answers


@batch
def batched(**inputs):
    rows = range(len(inputs["text_input"]))
    texts = [list(generated({name: values[row] for name, values in inputs.items()}))[-1][0] for row in rows]
    return {"text_output": np.array([[text.encode()] for text in texts], dtype=object)}


@batch
def double(x):
    return {"y": x * 2}


def one(name, dtype, optional=True):
    return Tensor(name=name, dtype=dtype, shape=(1,), optional=optional)


TEXT, VOICE = one("text_input", bytes, False), one("voice", np.int32, False)
SETTINGS = [one("max_tokens", np.int32), one("ignore_end", np.bool_), one("repetition_penalty", np.float32)]
ONLY_TEXT = [Tensor(name="text_output", dtype=bytes, shape=(1,))]
ANSWER = ONLY_TEXT + [
    Tensor(name="token_ids", dtype=np.int32, shape=(-1,)),
    Tensor(name="log_probs", dtype=np.float32, shape=(-1,)),
    Tensor(name="finish_reason", dtype=bytes, shape=(1,)),
]
NUMBERS = [[Tensor(name=name, dtype=np.float32, shape=(-1,))] for name in "xy"]
ADDRESSES = {"grpc_port": GRPC, "http_port": HTTP, "metrics_port": METRICS}
HOSTS = {"grpc_address": "127.0.0.1", "http_address": "127.0.0.1", "metrics_address": "127.0.0.1"}
with Triton(config=TritonConfig(**ADDRESSES, **HOSTS)) as triton:
    once = ModelConfig(batching=False)
    triton.bind("language", pieces, [TEXT, *SETTINGS], ANSWER, config=ModelConfig(batching=False, decoupled=True))
    triton.bind("whole", whole, [TEXT, *SETTINGS], ANSWER, config=once)
    triton.bind("batched", batched, [TEXT, *SETTINGS], ONLY_TEXT, config=ModelConfig(max_batch_size=8))
    triton.bind("insists", whole, [TEXT, VOICE, *SETTINGS], ANSWER, config=once)
    triton.bind("double", double, *NUMBERS, config=ModelConfig(max_batch_size=8))
    triton.serve()
