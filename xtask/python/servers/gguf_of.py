"""A folder of the Llama family with a byte-level BPE tokenizer as GGUF, in float32: gguf_of.py FOLDER OUT"""

import json
import sys
from pathlib import Path

import gguf
import numpy as np
from weights import tensors

FOLDER, OUT = Path(sys.argv[1]), sys.argv[2]
CONFIG = json.loads((FOLDER / "config.json").read_text())
TOKENIZER = json.loads((FOLDER / "tokenizer.json").read_text())
HEADS, KEY_HEADS = CONFIG["num_attention_heads"], CONFIG["num_key_value_heads"]
OF_MODEL = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
OF_LAYER = {
    "self_attn.q_proj.weight": "attn_q.weight",
    "self_attn.k_proj.weight": "attn_k.weight",
    "self_attn.v_proj.weight": "attn_v.weight",
    "self_attn.o_proj.weight": "attn_output.weight",
    "mlp.gate_proj.weight": "ffn_gate.weight",
    "mlp.up_proj.weight": "ffn_up.weight",
    "mlp.down_proj.weight": "ffn_down.weight",
    "input_layernorm.weight": "attn_norm.weight",
    "post_attention_layernorm.weight": "ffn_norm.weight",
}


def interleaved(values, heads):
    """Rotations of neighbours, as llama.cpp turns them, in place of rotations of halves."""
    halves = values.reshape(heads, 2, -1, values.shape[1])
    return halves.swapaxes(1, 2).reshape(values.shape)


def renamed(name):
    if name in OF_MODEL:
        return OF_MODEL[name]
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{OF_LAYER[rest]}"


def add_tokenizer(writer):
    special = {token["id"]: token["content"] for token in TOKENIZER["added_tokens"]}
    texts = {index: text for text, index in TOKENIZER["model"]["vocab"].items()} | special
    ids = range(CONFIG["vocab_size"])
    kind = gguf.TokenType
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([texts.get(index, f"[unused{index}]") for index in ids])
    writer.add_token_types([kind.CONTROL if i in special else kind.NORMAL if i in texts else kind.UNUSED for i in ids])
    # llama.cpp wants one at least, which a tokenizer of whole words doesn't have.
    merges = TOKENIZER["model"].get("merges", ["w w"])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_eos_token_id(CONFIG["eos_token_id"])
    writer.add_bos_token_id(CONFIG["eos_token_id"])
    writer.add_add_bos_token(False)


WRITER = gguf.GGUFWriter(OUT, "llama")
WRITER.add_name("language")
WRITER.add_context_length(CONFIG["max_position_embeddings"])
WRITER.add_embedding_length(CONFIG["hidden_size"])
WRITER.add_block_count(CONFIG["num_hidden_layers"])
WRITER.add_feed_forward_length(CONFIG["intermediate_size"])
WRITER.add_head_count(HEADS)
WRITER.add_head_count_kv(KEY_HEADS)
WRITER.add_layer_norm_rms_eps(CONFIG["rms_norm_eps"])
WRITER.add_rope_freq_base(CONFIG["rope_theta"])
WRITER.add_vocab_size(CONFIG["vocab_size"])
WRITER.add_file_type(gguf.LlamaFileType.ALL_F32)
add_tokenizer(WRITER)
for name, values in tensors(FOLDER):
    if "q_proj" in name:
        values = interleaved(values, HEADS)
    if "k_proj" in name:
        values = interleaved(values, KEY_HEADS)
    WRITER.add_tensor(renamed(name), np.ascontiguousarray(values))
WRITER.write_header_to_file()
WRITER.write_kv_data_to_file()
WRITER.write_tensors_to_file()
WRITER.close()
