"""OpenAI's own client, unmodified, and curl against our gateway. Prints one line per check, as interop.py does."""

import json
import math
import subprocess

import openai

TEXT = "language"
TOKENS = 12


def plain(address, path, *options):
    """A call by curl: the status and the body."""
    command = ["curl", "--silent", "--show-error", "--max-time", "30", "--write-out", "\n%{http_code}", *options]
    said = subprocess.run([*command, f"http://{address}{path}"], capture_output=True, text=True, check=True).stdout
    body, _, status = said.rpartition("\n")
    return int(status), body


def raises(kind, run, **expected):
    try:
        run()
    except kind as error:
        found = {name: getattr(error, name) for name in expected}
        assert found == expected, f"{found}: {error}"
        return error
    raise AssertionError("accepted")


def gateway(address, key, check):
    client = openai.OpenAI(base_url=f"http://{address}/v1", api_key=key, max_retries=0, timeout=30)
    complete = lambda **asked: client.completions.create(
        **{"model": TEXT, "prompt": "The model", "max_tokens": TOKENS, **asked}
    )
    messages = [{"role": "user", "content": "What does a miner do?"}]
    chat = lambda **asked: client.chat.completions.create(
        **{"model": TEXT, "messages": messages, "max_tokens": TOKENS, **asked}
    )

    def models():
        assert {model.id for model in client.models.list()} == {TEXT, "tale", "vectors"}
        assert client.models.retrieve(TEXT).id == TEXT

    def completions():
        whole = complete()
        assert whole.choices[0].text and whole.choices[0].finish_reason in ("length", "stop"), whole
        assert whole.usage.completion_tokens <= TOKENS and whole.usage.prompt_tokens > 0, whole.usage
        chunks = list(complete(stream=True, stream_options={"include_usage": True}))
        assert len(chunks) > 3 and chunks[-1].usage == whole.usage and not chunks[-1].choices, chunks[-1]
        text = "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)
        assert text == whole.choices[0].text, text
        middle = text[len(text) // 2 :][:3]
        stopped = complete(stop=[middle]).choices[0]
        assert stopped.text == text.partition(middle)[0] and stopped.finish_reason == "stop", stopped

    def sampled():
        one, again = (complete(temperature=1.0, top_p=0.9, seed=5).choices[0].text for _ in range(2))
        assert one == again != complete(temperature=1.0, top_p=0.9, seed=6).choices[0].text, one

    def logprobs():
        found = complete(logprobs=3).choices[0].logprobs
        assert len(found.tokens) == len(found.token_logprobs) == len(found.top_logprobs) <= TOKENS, found
        for name, value, top in zip(found.tokens, found.token_logprobs, found.top_logprobs):
            assert len(top) == 3 and math.isclose(max(top.values()), value) and name in top, (name, value, top)

    def chats():
        whole = chat(logprobs=True, top_logprobs=2)
        assert whole.choices[0].message.content and whole.choices[0].message.role == "assistant", whole
        assert len(whole.choices[0].logprobs.content[0].top_logprobs) == 2, whole
        chunks = list(chat(stream=True))
        assert chunks[0].choices[0].delta.role == "assistant", chunks[0]
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        assert text == whole.choices[0].message.content, text
        assert chunks[-1].choices[0].finish_reason == whole.choices[0].finish_reason, chunks[-1]

    def embeddings():
        texts = ["one", "another text", "one"]
        # The client asks for base64 by itself.
        rows = [row.embedding for row in client.embeddings.create(model="vectors", input=texts).data]
        numbers = client.embeddings.create(model="vectors", input=texts, encoding_format="float").data
        assert rows == [row.embedding for row in numbers] and len(rows) == 3, rows
        assert rows[0] == rows[2] != rows[1], rows

    def refusals():
        raises(openai.NotFoundError, lambda: complete(model="nope"), code="model_not_found", param="model")
        raises(openai.BadRequestError, lambda: complete(n=2), param="n", type="invalid_request_error")
        error = raises(openai.BadRequestError, lambda: complete(max_tokens=100_000))
        assert "max_tokens" in error.message, error
        stranger = openai.OpenAI(base_url=f"http://{address}/v1", api_key="another", max_retries=0)
        raises(openai.AuthenticationError, lambda: stranger.models.list(), code="invalid_api_key")

    def broken():
        """The server behind the miner hangs up after the first word."""
        stream = complete(model="tale", prompt="once break", stream=True)
        assert next(stream).choices[0].text == " once"
        raises(openai.APIError, lambda: list(stream), type="server_error")

    def curl():
        bearer = ("--header", f"Authorization: Bearer {key}")
        status, body = plain(address, "/v1/models", *bearer)
        assert status == 200 and json.loads(body)["object"] == "list", body
        assert plain(address, "/v1/models")[0] == 401
        asked = {"model": TEXT, "prompt": "The model", "max_tokens": 3, "stream": True}
        status, body = plain(address, "/v1/completions", *bearer, "--no-buffer", "--json", json.dumps(asked))
        events = [line for line in body.split("\n") if line]
        assert status == 200 and all(line.startswith("data: ") for line in events), body
        assert events[-1] == "data: [DONE]" and len(events) > 3, body
        status, body = plain(address, "/v1/completions", *bearer, "--json", "{")
        assert status == 400 and json.loads(body)["error"]["type"] == "invalid_request_error", body
        assert plain(address, "/v1/nothing", *bearer)[0] == 404

    check("openai-models", models)
    check("openai-completions-whole-and-streamed", completions)
    check("openai-completions-sampled-by-their-seed", sampled)
    check("openai-log-probabilities", logprobs)
    check("openai-chats-whole-and-streamed", chats)
    check("openai-embeddings", embeddings)
    check("openai-errors-are-the-clients-own", refusals)
    check("openai-stream-that-breaks-off", broken)
    check("curl-to-the-gateway", curl)
