"""A completion server that is not ours: `transformers` with continuous batching, in OpenAI's form as vLLM extends it.

Serves POST /v1/completions on the loopback: greedy, streamed, chosen tokens by id with their log-probabilities; with
`echo`, the log-probabilities of the prompt. Prints its port once it listens.
"""

import argparse
import asyncio
import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, ContinuousBatchingConfig, GenerationConfig

PARSER = argparse.ArgumentParser(description=__doc__)
PARSER.add_argument("model")
PARSER.add_argument("--dtype", default="bfloat16")
PARSER.add_argument("--threads", type=int, default=1)
PARSER.add_argument("--port", type=int, default=0)
ARGS = PARSER.parse_args()

torch.set_num_threads(ARGS.threads)
TOKENIZER = AutoTokenizer.from_pretrained(ARGS.model)


def load():
    dtype = getattr(torch, ARGS.dtype)
    return AutoModelForCausalLM.from_pretrained(ARGS.model, dtype=dtype, attn_implementation="sdpa").eval()


# The manager changes its model's attention: prompts are scored by a copy.
SERVED, SCORER = load(), load()
ENDS = SERVED.config.eos_token_id
ENDS = set(ENDS if isinstance(ENDS, list) else [ENDS]) - {None}
LOOP = asyncio.new_event_loop()
threading.Thread(target=LOOP.run_forever, daemon=True).start()
MANAGER = SERVED.init_continuous_batching(
    # No end tokens of its own: each request says whether its text goes on past them.
    generation_config=GenerationConfig(do_sample=False, eos_token_id=-1, max_new_tokens=4096),
    continuous_batching_config=ContinuousBatchingConfig(
        return_logprobs=True, num_blocks=256, max_batch_tokens=512, page_size=32, use_cuda_graph=False,
        use_async_batching=False, max_requests_per_batch=64, allow_block_sharing=False,
    ),
)
MANAGER.start()
COUNT = iter(range(1 << 60))


def tokens(prompt, max_tokens, stop_at_end):
    """Yields (token, log-probability) as they are generated."""
    results = queue.SimpleQueue()
    name = f"r{next(COUNT)}"

    async def begin():
        MANAGER.register_result_handler(name, results.put)
        ends = list(ENDS) if stop_at_end and ENDS else [-1]
        MANAGER.add_request(prompt, name, max_new_tokens=max_tokens, streaming=True, eos_token_id=ends)

    asyncio.run_coroutine_threadsafe(begin(), LOOP).result()
    sent = 0
    try:
        while True:
            result = results.get(timeout=120)
            if result.error:
                raise RuntimeError(result.error)
            # Each result holds all tokens so far.
            for at in range(sent, len(result.generated_tokens)):
                yield result.generated_tokens[at], result.logprobs[at]
            sent = max(sent, len(result.generated_tokens))
            if result.is_finished():
                return
    finally:
        # A caller that hung up would keep its place in the batch.
        MANAGER.cancel_request(name)


@torch.no_grad()
def scored(prompt):
    """For each token of a prompt its log-probability and the likeliest token's; none for the first."""
    logits = SCORER(torch.tensor([prompt])).logits[0].float()
    log_probs = torch.log_softmax(logits, -1)
    best, which = log_probs.max(-1)
    chosen = [None] + [log_probs[at, token].item() for at, token in enumerate(prompt[1:])]
    top = [None] + [{f"token_id:{which[at].item()}": best[at].item()} for at in range(len(prompt) - 1)]
    return chosen, top


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path != "/v1/completions" or asked.get("temperature", 1) != 0:
            return self.whole(400, {"error": {"message": "greedy completions only"}})
        prompt = asked["prompt"]
        prompt = TOKENIZER.encode(prompt) if isinstance(prompt, str) else prompt
        # The last token is never fed back, so it takes no place in the context.
        if len(prompt) + asked.get("max_tokens", 16) > SERVED.config.max_position_embeddings + 1:
            return self.whole(400, {"error": {"message": "over the model's context"}})
        usage = {"prompt_tokens": len(prompt)}
        if asked.get("echo"):
            chosen, top = scored(prompt)
            found = {"tokens": [f"token_id:{token}" for token in prompt], "token_logprobs": chosen, "top_logprobs": top}
            choice = {"index": 0, "text": "", "finish_reason": "length", "logprobs": found}
            return self.whole(200, {"choices": [choice], "usage": usage})
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        try:
            self.stream(asked, prompt, usage)
        except (BrokenPipeError, ConnectionResetError):
            pass
        self.close_connection = True

    def stream(self, asked, prompt, usage):
        stop_at_end = not asked.get("ignore_eos")
        wanted, seen, text = asked["max_tokens"], [], ""
        for token, log_prob in tokens(prompt, wanted, stop_at_end):
            seen.append(token)
            ended = stop_at_end and token in ENDS
            decoded = TOKENIZER.decode(seen, skip_special_tokens=True)
            last = ended or len(seen) == wanted
            # A character that a token's end cuts in two decodes as U+FFFD until its rest has come.
            piece = decoded[len(text):] if last or not decoded.endswith("\ufffd") else ""
            text += piece
            reason = "stop" if ended else "length" if last else None
            found = {"tokens": [f"token_id:{token}"], "token_logprobs": [log_prob], "top_logprobs": None}
            choice = {"index": 0, "text": piece, "logprobs": found, "finish_reason": reason, "stop_reason": None}
            event = json.dumps({"choices": [choice], "usage": usage})
            self.wfile.write(f"data: {event}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def whole(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


SERVER = ThreadingHTTPServer(("127.0.0.1", ARGS.port), Handler)
print(SERVER.server_address[1], flush=True)
SERVER.serve_forever()
