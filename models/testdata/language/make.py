"""Makes the golden figures of this folder with transformers and sentence-transformers.

    pip install torch transformers sentence-transformers tokenizers safetensors
    python make.py [FOLDER]

Each case is a model folder as Hugging Face publishes it, with random weights, and golden.json: the logits of a prompt's
last rows, the greedy continuation, or the embeddings of some texts. The seeds are fixed, so the files come out the same
with the same versions of the packages.
"""

import json
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, Qwen2Config
from transformers import Qwen2ForCausalLM

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
TEXT = [
    "A weighhouse was the public building where goods were weighed before a fair price was paid.",
    "This one weighs machine-learning answers: miners serve them, validators judge them, a chain pays for them.",
    "Numbers like 3.14159 and signs like {x} => [y] have tokens too, and so have naïve words and 数 in other scripts.",
]
SHAPE = dict(
    vocab_size=320,
    hidden_size=32,
    intermediate_size=88,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=256,
    rms_norm_eps=1e-5,
    initializer_range=0.3,
    eos_token_id=0,
    bos_token_id=None,
)
LANGUAGE = {
    "llama": (LlamaConfig, LlamaForCausalLM, dict(tie_word_embeddings=True), "float32"),
    "llama-sharded-f16": (LlamaConfig, LlamaForCausalLM, dict(rope_theta=5e5, head_dim=12), "float16"),
    "llama3-bf16": (
        LlamaConfig,
        LlamaForCausalLM,
        dict(
            attention_bias=True,
            mlp_bias=True,
            rope_scaling=dict(
                rope_type="llama3",
                factor=8.0,
                low_freq_factor=1.0,
                high_freq_factor=4.0,
                original_max_position_embeddings=64,
            ),
        ),
        "bfloat16",
    ),
    "llama-linear": (
        LlamaConfig,
        LlamaForCausalLM,
        dict(num_key_value_heads=4, rope_scaling=dict(rope_type="linear", factor=4.0)),
        "bfloat16",
    ),
    "llama-yarn": (
        LlamaConfig,
        LlamaForCausalLM,
        dict(
            num_key_value_heads=1,
            rope_scaling=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=64),
        ),
        "bfloat16",
    ),
    "llama-dynamic": (
        LlamaConfig,
        LlamaForCausalLM,
        dict(rope_scaling=dict(rope_type="dynamic", factor=2.0)),
        "bfloat16",
    ),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM, dict(tie_word_embeddings=True, rope_theta=1e6), "float32"),
}
KEPT = 4
NEW = 24


def byte_level(folder):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=320, special_tokens=["<|end|>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer


def randomise(model):
    # Norms and biases start as ones and zeros, which would hide a swapped or missing one.
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if "norm" in name.lower() and name.endswith("weight"):
                tensor.copy_(1 + 0.2 * torch.randn_like(tensor))
            elif name.endswith("bias"):
                tensor.copy_(0.2 * torch.randn_like(tensor))


def language(name, config_class, model_class, more, dtype):
    folder = ROOT / name
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(len(name) * 1000 + sum(name.encode()))
    model = model_class(config_class(**{**SHAPE, **more})).eval()
    randomise(model)
    model = model.to(getattr(torch, dtype))
    model.save_pretrained(folder, max_shard_size="40KB" if "sharded" in name else "5GB")
    # Read again: converting a model also rounds its table of frequencies, reading one does not.
    model = model_class.from_pretrained(folder, dtype=torch.float32).eval()
    (folder / "generation_config.json").unlink(missing_ok=True)
    tokenizer = byte_level(folder)
    cases = []
    for text in TEXT[:2]:
        ids = tokenizer.encode(text).ids
        tokens = torch.tensor([ids])
        with torch.no_grad():
            logits = model(tokens).logits[0, -KEPT:]
            out = list(ids)
            for _ in range(NEW):
                out.append(int(model(torch.tensor([out])).logits[0, -1].argmax()))
        cases.append(dict(text=text, tokens=ids, logits=logits.tolist(), greedy=out[len(ids):]))
    (folder / "golden.json").write_text(json.dumps(dict(kind="language", cases=cases)))


def encoder(name):
    folder = ROOT / name
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(TEXT, trainers.WordPieceTrainer(vocab_size=300, special_tokens=special))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=300,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.3,
    )
    model = BertModel(config, add_pooling_layer=True).eval()
    randomise(model)
    model.save_pretrained(folder)
    embeddings = []
    for text in TEXT:
        tokens = torch.tensor([tokenizer.encode(text).ids])
        with torch.no_grad():
            embeddings.append(model(tokens).last_hidden_state[0].mean(0).tolist())
    golden = dict(kind="encoder", texts=TEXT, embeddings=embeddings)
    (folder / "golden.json").write_text(json.dumps(golden))


for name, case in LANGUAGE.items():
    language(name, *case)
encoder("bert")
