"""The Python SDK and tritonclient against our miner and proxy. Prints one line per check: ok NAME, or FAIL NAME why."""

import argparse
import hashlib
import json
import queue
import sys
import threading
import time
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import numpy as np
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

import bittensor_core
from bittensor import http_auth

from gateway import gateway

INFER = "/inference.GRPCInferenceService/ModelInfer"
raw = lambda message: message


def check(name, run):
    try:
        run()
        print(f"ok {name}", flush=True)
    except Exception as error:  # every kind of failure is a failed check
        print(f"FAIL {name} {type(error).__name__}: {error}".replace("\n", " "), flush=True)


def framed(message):
    return b"\0" + len(message).to_bytes(4, "big") + message


def request():
    infer = service_pb2.ModelInferRequest(model_name="digits", id="interop")
    tensor = infer.inputs.add(name="pixels", datatype="FP32", shape=[2, 64])
    tensor.contents.fp32_contents.extend([0.0, 0.5] * 64)
    return infer.SerializeToString()


def call(address, message, headers):
    with grpc.insecure_channel(address) as channel:
        infer = channel.unary_unary(INFER, request_serializer=raw, response_deserializer=raw)
        metadata = [(name.lower(), value) for name, value in headers.items()]
        answer, state = infer.with_call(message, metadata=metadata, timeout=20)
        return answer, dict(state.trailing_metadata())


def refused(code, run, why=""):
    try:
        run()
    except grpc.RpcError as error:
        assert error.code() == code and why in error.details(), f"{error.code()} {error.details()}"
        return
    raise AssertionError("accepted")


def length_prefixed(parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()


def miner(args, keypair):
    message = request()
    sign = lambda **over: http_auth.sign(
        keypair, **{"method": "POST", "path": INFER, "body": framed(message), "receiver_ss58": args.miner_hotkey, **over}
    )

    def accepted():
        answer, trailers = call(args.miner, message, sign())
        outputs = service_pb2.ModelInferResponse.FromString(answer)
        rows = np.frombuffer(outputs.raw_output_contents[0], dtype="<f4").reshape(2, 10)
        assert np.allclose(rows.sum(axis=1), 1.0, atol=1e-4), rows
        model = bytes.fromhex(trailers["weighhouse-model"])
        signature = bytes.fromhex(trailers["weighhouse-signature"])
        assert signature[:2] == b"\x01\x00" and len(signature) == 66, signature.hex()
        sha = lambda data: hashlib.sha256(data).digest()
        signed = length_prefixed([b"weighhouse/answer/v1", sha(framed(message)), sha(framed(answer)), model])
        assert bittensor_core.verify(signed, signature[2:], args.miner_hotkey, 1)

    def replayed():
        headers = sign()
        call(args.miner, message, headers)
        refused(grpc.StatusCode.UNAUTHENTICATED, lambda: call(args.miner, message, headers))

    unauthenticated = grpc.StatusCode.UNAUTHENTICATED
    other = bittensor_core.Keypair.create_from_uri("//Nobody")
    check("sdk-signed-request-accepted-and-answer-verified", accepted)
    check("replay-refused", replayed)
    check("unsigned-refused", lambda: refused(unauthenticated, lambda: call(args.miner, message, {})))
    check(
        "other-body-refused",
        lambda: refused(unauthenticated, lambda: call(args.miner, message, sign(body=framed(message + b"x")))),
    )
    check(
        "other-receiver-refused",
        lambda: refused(unauthenticated, lambda: call(args.miner, message, sign(receiver_ss58=other.ss58_address))),
    )
    check(
        "unbound-refused",
        lambda: refused(unauthenticated, lambda: call(args.miner, message, sign(receiver_ss58=None))),
    )
    check(
        "stale-refused",
        lambda: refused(
            # A second beyond the ten that a nonce may be old.
            unauthenticated, lambda: call(args.miner, message, sign(nonce_ns=time.time_ns() - 11 * 10**9))
        ),
    )

    def empty_signature():
        headers = sign()
        headers["X-Bittensor-Signature"] = "0x"
        refused(unauthenticated, lambda: call(args.miner, message, headers))

    check("empty-signature-refused", empty_signature)

    def stranger():
        headers = http_auth.sign(
            other, method="POST", path=INFER, body=framed(message), receiver_ss58=args.miner_hotkey
        )
        refused(grpc.StatusCode.PERMISSION_DENIED, lambda: call(args.miner, message, headers))

    check("unknown-hotkey-refused", stranger)


def encrypted(args, keypair):
    with open(args.certificate) as file:
        told = json.load(file)
    pem, name = told["certificate"].encode(), told["server_name"]
    named = [("grpc.ssl_target_name_override", name)]

    def signed():
        message = request()
        headers = http_auth.sign(
            keypair, method="POST", path=INFER, body=framed(message), receiver_ss58=args.miner_hotkey
        )
        with grpc.secure_channel(args.miner, grpc.ssl_channel_credentials(pem), options=named) as channel:
            infer = channel.unary_unary(INFER, request_serializer=raw, response_deserializer=raw)
            assert infer(message, metadata=[(header.lower(), value) for header, value in headers.items()], timeout=20)

    def other_name():
        options = [("grpc.ssl_target_name_override", "b" + name[1:])]
        with grpc.secure_channel(args.miner, grpc.ssl_channel_credentials(pem), options=options) as channel:
            infer = channel.unary_unary(INFER, request_serializer=raw, response_deserializer=raw)
            refused(grpc.StatusCode.UNAVAILABLE, lambda: infer(b"", timeout=5))

    def tritonclient():
        credentials = grpc.ssl_channel_credentials(pem)
        client = triton.InferenceServerClient(args.miner, creds=credentials, channel_args=named)
        assert client.is_server_live() and client.is_model_ready("digits")

    check("grpcio-over-the-published-key", signed)
    check("grpcio-refuses-another-name", other_name)
    check("tritonclient-over-the-published-key", tritonclient)


def infer_inputs():
    tensor = triton.InferInput("pixels", [2, 64], "FP32")
    tensor.set_data_from_numpy(np.full((2, 64), 0.25, dtype=np.float32))
    return [tensor]


def tritons(args):
    direct = triton.InferenceServerClient(args.miner)
    proxied = triton.InferenceServerClient(args.proxy)
    proxied_channel = grpc.insecure_channel(args.proxy)

    def open_calls():
        assert direct.is_server_live() and direct.is_server_ready() and direct.is_model_ready("digits")
        assert direct.get_server_metadata().name
        metadata = direct.get_model_metadata("digits")
        assert metadata.inputs[0].name == "pixels", metadata

    def unsigned():
        try:
            direct.infer("digits", infer_inputs())
        except InferenceServerException as error:
            assert "UNAUTHENTICATED" in str(error), error
            return
        raise AssertionError("accepted")

    def through_proxy():
        assert proxied.is_server_live()
        rows = proxied.infer("digits", infer_inputs()).as_numpy("probabilities")
        assert rows.shape == (2, 10) and np.allclose(rows.sum(axis=1), 1.0, atol=1e-4), rows

    def told_by_their_status():
        """What the miner says, as grpc-core reads it behind our proxy: a code and a text."""
        stub = service_pb2_grpc.GRPCInferenceServiceStub(proxied_channel)
        named = lambda kind: kind(model_name="nope") if kind is service_pb2.ModelInferRequest else kind(name="nope")
        cases = [
            (stub.ModelMetadata, named(service_pb2.ModelMetadataRequest), "NOT_FOUND", "no such model"),
            (stub.ModelConfig, service_pb2.ModelConfigRequest(name="digits"), "UNIMPLEMENTED", ""),
            (stub.ModelInfer, named(service_pb2.ModelInferRequest), "NOT_FOUND", "no such model"),
            (stub.ModelInfer, service_pb2.ModelInferRequest(model_name="digits"), "INVALID_ARGUMENT", "pixels"),
            (stub.ModelInfer, service_pb2.ModelInferRequest(id="x" * (5 << 20)), "RESOURCE_EXHAUSTED", "cap"),
        ]
        for method, asked, code, why in cases:
            refused(grpc.StatusCode[code], lambda: method(asked, timeout=20), why)
        ask = lambda **options: list(stub.ModelStreamInfer(iter([named(service_pb2.ModelInferRequest)]), **options))
        [answer] = ask(timeout=20)
        assert "status 5" in answer.error_message, answer
        # Triton's header of clients that want a status instead.
        asked = lambda: ask(timeout=20, metadata=[("triton_grpc_error", "true")])
        refused(grpc.StatusCode.NOT_FOUND, asked, "no such model")

    check("refusals-through-the-proxy-have-their-status", told_by_their_status)
    check("tritonclient-open-calls", open_calls)
    check("tritonclient-unsigned-refused", unsigned)
    check("tritonclient-through-proxy-accepted", through_proxy)


class Completions(BaseHTTPRequestHandler):
    """An OpenAI-compatible server: gives the prompt's words back, a chunk each; the word "break" hangs up."""

    def log_message(self, *_):
        pass

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if not isinstance(asked["prompt"], str):
            return self.refuse("prompts are texts")
        assert self.path == "/v1/completions" and asked["stream"] and asked["temperature"] == 0, asked
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        words = asked["prompt"].split()[: asked["max_tokens"]]
        for at, word in enumerate(words):
            if word == "break":
                return
            choice = {"index": 0, "text": f" {word}", "finish_reason": "length" if at + 1 == len(words) else None}
            if "logprobs" in asked:
                name = f"token_id:{len(word)}"
                choice["logprobs"] = {"tokens": [name], "token_logprobs": [-0.5], "top_logprobs": [{name: -0.5}]}
            try:
                self.wfile.write(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n")
            except BrokenPipeError:  # a question about what this server can do, answered with its first chunk
                return
            time.sleep(0.05)
        self.wfile.write(b"data: [DONE]\n\n")

    def refuse(self, why):
        body = json.dumps({"error": {"message": why, "type": "invalid_request_error"}}).encode()
        self.send_response(400)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def text_inputs(prompt, max_tokens):
    text = triton.InferInput("text_input", [1], "BYTES")
    text.set_data_from_numpy(np.array([prompt.encode()], dtype=object))
    count = triton.InferInput("max_tokens", [1], "INT32")
    count.set_data_from_numpy(np.array([max_tokens], dtype=np.int32))
    told = triton.InferInput("return_log_probs", [1], "BOOL")
    told.set_data_from_numpy(np.array([True]))
    return [text, count, told]


def streams(args):
    """tritonclient's own streaming, unmodified, through our proxy to our miner to a server that isn't ours."""
    client = triton.InferenceServerClient(args.proxy)
    came = queue.Queue()
    client.start_stream(callback=lambda result, error: came.put((result, error, time.monotonic())))

    def pieces(id, prompt, max_tokens=16):
        client.async_stream_infer("tale", text_inputs(prompt, max_tokens), request_id=id)
        found = []
        while True:
            result, error, at = came.get(timeout=20)
            if error is not None:
                raise error
            assert result.get_response().id == id, result.get_response()
            found.append((result, at))
            if result.as_numpy("finish_reason")[0]:
                return found

    def text(found):
        return b"".join(result.as_numpy("text_output")[0] for result, _ in found)

    def one_by_one():
        found = pieces("a", "once upon a time")
        assert len(found) == 4 and text(found) == b" once upon a time", text(found)
        # Four pieces, 0.05 s apart.
        assert found[-1][1] - found[0][1] > 0.1, "the pieces came together"
        assert [result.as_numpy("token_ids")[0] for result, _ in found] == [4, 4, 1, 4]
        assert all(result.as_numpy("log_probs")[0] == -0.5 for result, _ in found)
        assert found[-1][0].as_numpy("finish_reason")[0] == b"length"

    def several_on_one_stream():
        for at in range(4):
            client.async_stream_infer("tale", text_inputs(f"answer {at} of four", 16), request_id=str(at))
        texts = {str(at): b"" for at in range(4)}
        for _ in range(16):
            result, error, _ = came.get(timeout=20)
            assert error is None, error
            texts[result.get_response().id] += result.as_numpy("text_output")[0]
        assert texts == {str(at): f" answer {at} of four".encode() for at in range(4)}, texts

    def failures_leave_the_stream_open():
        for prompt, max_tokens, why in [("a b", 0, "max_tokens"), ("a break b", 16, "status 14")]:
            try:
                pieces("x", prompt, max_tokens)
            except InferenceServerException as error:
                assert why in str(error), error
            else:
                raise AssertionError(f"{prompt} accepted")
        assert text(pieces("y", "and on it goes")) == b" and on it goes"

    def whole():
        answer = client.infer("tale", text_inputs("all at once", 16))
        assert answer.as_numpy("text_output")[0] == b" all at once"

    check("tritonclient-streams-token-by-token", one_by_one)
    check("tritonclient-several-requests-on-one-stream", several_on_one_stream)
    check("tritonclient-stream-survives-failures", failures_leave_the_stream_open)
    client.stop_stream()
    check("tritonclient-whole-completion", whole)


def our_signatures(args, keypair):
    """Our proxy signs; the SDK, behind a server of its own, checks."""
    seen = {}

    class Handler(grpc.GenericRpcHandler):
        def service(self, details):
            headers = {key: value for key, value in details.invocation_metadata}

            def answer(body, context):
                seen["caller"] = http_auth.verify(
                    headers, framed(body), method="POST", path=details.method, self_hotkey_ss58=args.echo_hotkey
                )
                return body

            return grpc.unary_unary_rpc_method_handler(answer, request_deserializer=raw, response_serializer=raw)

    server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[Handler()])
    assert server.add_insecure_port(args.echo), args.echo
    server.start()

    def verified():
        for _ in range(3):
            answer, _ = call(args.echo_proxy, b"payload", {})
            assert answer == b"payload"
        assert seen["caller"].hotkey_ss58 == keypair.ss58_address, seen

    check("our-signature-accepted-by-the-sdk", verified)
    server.stop(None)


def keyfiles(args, keypair):
    def plain():
        data = open(args.hotkey_file, "rb").read()
        ours = bittensor_core.deserialize_keypair_from_keyfile_data(data)
        assert ours.ss58_address == keypair.ss58_address

    def encrypted():
        data = open(args.coldkey_file, "rb").read()
        opened = bittensor_core.decrypt_keyfile_data(data, password=args.password)
        ours = bittensor_core.deserialize_keypair_from_keyfile_data(opened)
        assert ours.ss58_address == args.coldkey, ours.ss58_address

    check("our-hotkey-file-read-by-the-sdk", plain)
    check("our-encrypted-coldkey-read-by-the-sdk", encrypted)


def health(args):
    def status(address, service):
        with grpc.insecure_channel(address) as channel:
            asked = health_pb2.HealthCheckRequest(service=service)
            return health_pb2_grpc.HealthStub(channel).Check(asked, timeout=20).status

    def serves(address, service):
        # It is told every second.
        for _ in range(50):
            if status(address, service) == health_pb2.HealthCheckResponse.SERVING:
                return
            time.sleep(0.1)
        raise AssertionError(f"{service!r} doesn't serve")

    def of_the_axon():
        for service in ("", "inference.GRPCInferenceService"):
            serves(args.miner, service)
        refused(grpc.StatusCode.NOT_FOUND, lambda: status(args.miner, "nobody.Knows"))

    def of_the_metrics_port():
        serves(args.metrics, "")
        with grpc.insecure_channel(args.metrics) as channel:
            described = ProtoReflectionDescriptorDatabase(channel)
            services = set(described.get_services())
            known = {"inference.GRPCInferenceService", "weighhouse.v1.Miner", "grpc.health.v1.Health"}
            assert known <= services, services
            service = DescriptorPool(described).FindServiceByName("weighhouse.v1.VerdictsService")
            assert [method.name for method in service.methods] == ["Explain", "Reach"]

    check("grpcio-health-checking", of_the_axon)
    check("health-and-reflection-on-the-metrics-port", of_the_metrics_port)


def main():
    parser = argparse.ArgumentParser()
    for name in (
        "metrics miner miner-hotkey proxy gateway gateway-key text echo echo-hotkey echo-proxy hotkey-file coldkey-file coldkey password certificate".split()
    ):
        parser.add_argument(f"--{name}", required=True)
    args = parser.parse_args()
    keypair = bittensor_core.deserialize_keypair_from_keyfile_data(open(args.hotkey_file, "rb").read())
    miner(args, keypair)
    encrypted(args, keypair)
    host, port = args.text.rsplit(":", 1)
    server = ThreadingHTTPServer((host, int(port)), Completions)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ready = triton.InferenceServerClient(args.miner).is_server_ready
    # The miner looks for the server every few seconds, and asks it first what it can do.
    for _ in range(300):
        if ready():
            break
        time.sleep(0.2)
    health(args)
    tritons(args)
    streams(args)
    gateway(args.gateway, args.gateway_key, check)
    server.shutdown()
    our_signatures(args, keypair)
    keyfiles(args, keypair)
    sys.stdout.flush()


main()
