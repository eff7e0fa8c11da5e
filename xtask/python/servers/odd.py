"""Odd models out of a plain folder: odd.py FOLDER OUT

`pieces` has a tokenizer in the manner of sentencepiece, `ends` names other end tokens in generation_config.json than in
config.json, `penalty` has a repetition penalty there.
"""

import json
import shutil
import sys
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, trainers

FOLDER, OUT = Path(sys.argv[1]), Path(sys.argv[2])
CONFIG = json.loads((FOLDER / "config.json").read_text())
TEXT = "the model reads a text and the text goes on with the words that came before in other texts of the same kind "


def copied(name, generation):
    shutil.copytree(FOLDER, OUT / name)
    if generation:
        (OUT / name / "generation_config.json").write_text(json.dumps(generation))
    return OUT / name


def sentencepiece_like(size):
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    special = ["<|end|>", "<unk>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    # Words of every two and three letters, so that the vocabulary is as large as the model's.
    letters = "etaoinshrdlucmfw"
    words = [a + b + c for a in letters for b in letters for c in letters]
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=[AddedToken(text, special=False) for text in special])
    tokenizer.train_from_iterator([TEXT] * 50 + [" ".join(words)] * 3, trainer)
    tokenizer.add_special_tokens(["<|end|>"])
    kept = json.loads(tokenizer.to_str())
    # Bytes are pieces of the vocabulary, no tokens that are looked for in a text.
    kept["added_tokens"] = [token for token in kept["added_tokens"] if token["content"] in special[:2]]
    return kept


PIECES = copied("pieces", None)
(PIECES / "tokenizer.json").write_text(json.dumps(sentencepiece_like(CONFIG["vocab_size"])))
VOCABULARY = json.loads((FOLDER / "tokenizer.json").read_text())["model"]["vocab"]
# A token that comes often, so that some completions end at it.
ENDS = [CONFIG["eos_token_id"], VOCABULARY["."]]
copied("ends", {"eos_token_id": ENDS})
copied("penalty", {"repetition_penalty": 1.5, "eos_token_id": CONFIG["eos_token_id"]})
