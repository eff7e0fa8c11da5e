"""llama.cpp's decoding speed by orders on standard input: llama_peer.py FOLDER THREADS

An order is `decode BATCH PROMPT STEPS`. Its server is asked over HTTP, so many at a time; the CPU time is that of the whole
process, prompts and HTTP included, and the wall time that of llama.cpp's own clock for the tokens behind the prompt.
"""

import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import Request, urlopen

import xllamacpp

BATCH_MAX, CONTEXT = 16, 256
FOLDER, THREADS = Path(sys.argv[1]), int(sys.argv[2])
CONFIG = json.loads((FOLDER / "config.json").read_text())


def serve(weights):
    params = xllamacpp.CommonParams()
    params.model.path, params.port, params.warmup = str(weights), 0, False
    params.n_parallel, params.n_ctx, params.n_gpu_layers = BATCH_MAX, BATCH_MAX * CONTEXT, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = THREADS
    return xllamacpp.Server(params)


def complete(url, prompt, steps):
    asked = {
        "prompt": prompt,
        "n_predict": steps + 1,
        "temperature": 0,
        "samplers": ["top_k"],
        "top_k": 1,
        "ignore_eos": True,
        "cache_prompt": False,
    }
    request = Request(f"{url}/completion", json.dumps(asked).encode(), {"content-type": "application/json"})
    with urlopen(request) as answer:
        timings = json.load(answer)["timings"]
    assert timings["predicted_n"] == steps + 1, timings
    return timings["predicted_ms"] / 1e3


def main():
    with tempfile.TemporaryDirectory() as scratch:
        weights = Path(scratch) / "model.gguf"
        subprocess.run([sys.executable, Path(__file__).with_name("gguf_of.py"), FOLDER, weights], check=True)
        server = serve(weights)
        for line in sys.stdin:
            order, *numbers = line.split()
            if order != "decode":
                raise SystemExit(f"no order: {line!r}")
            batch, prompt, steps = map(int, numbers)
            ids = [(at * 7919 + 13) % CONFIG["vocab_size"] for at in range(batch * prompt)]
            prompts = [ids[at : at + prompt] for at in range(0, len(ids), prompt)]
            begun = time.process_time()
            with ThreadPoolExecutor(batch) as pool:
                walls = list(pool.map(lambda ids: complete(server.listening_address, ids, steps), prompts))
            cpu = time.process_time() - begun
            print(json.dumps({"wall": max(walls) / steps, "cpu": cpu / steps}), flush=True)


main()
