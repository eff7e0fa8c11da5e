"""Models over the Open Inference Protocol, and both servers over sockets of this machine."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from judges import Honest, Lazy
from weighhouse import wire
from weighhouse.serve import Inputs, Model, Tensors
from weighhouse.serve.service import InferenceService, ModelFault, NoOutput, UnknownModel
from weighhouse.tensors import TensorError, from_raw, read, write
from weighhouse.testing import infer

PATIENCE_SECONDS = 30


def request(**inputs: Any) -> Any:
    message = wire.message("inference.ModelInferRequest")(model_name="honest", id="7")
    write(inputs, message.inputs, message.raw_input_contents)
    return message


@pytest.mark.parametrize(
    "value",
    [
        np.array([True, False]),
        *(np.array([0, 1, 100], kind) for kind in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")),
        np.array([[b"a", b""], ["ä", b"\x00"]], dtype=object),
        np.zeros((2, 0, 3), np.float32),
        np.float64(3.5),
        np.arange(6, dtype=">i4").reshape(2, 3).T,
    ],
)
@pytest.mark.parametrize("typed", [False, True])
def test_arrays_come_back_as_they_went(value: Any, typed: bool) -> None:
    message = wire.message("inference.ModelInferRequest")()
    write({"x": value}, message.inputs, message.raw_input_contents, typed=typed)
    if value.dtype != np.float16:
        assert (len(message.raw_input_contents) == 0) == typed
    parsed = type(message).FromString(message.SerializeToString())
    found = read(parsed.inputs, parsed.raw_input_contents)["x"]
    assert found.shape == value.shape
    if value.dtype == object:
        assert found.tolist() == [[b"a", b""], ["ä".encode(), b"\x00"]]
    else:
        np.testing.assert_array_equal(found, value)


def test_bfloat16_is_read_as_float32() -> None:
    np.testing.assert_array_equal(from_raw("x", "BF16", [2], b"\x80\x3f\x20\xc0"), np.array([1, -2.5], np.float32))


@pytest.mark.parametrize(
    ("kind", "shape", "data", "what"),
    [
        ("FP32", [2], b"\x00" * 7, "7 bytes"),
        ("FP32", [-1], b"", "dimension of -1"),
        ("INT9", [1], b"\x00", "unknown datatype"),
        ("BOOL", [1], b"\x02", "0 or 1"),
        ("BYTES", [1], b"\x05\x00\x00\x00abc", "cut short"),
        ("BYTES", [2], b"\x01\x00\x00\x00a", "1 elements"),
        ("FP32", [1] * 17, b"\x00" * 4, "17 dimensions"),
        ("FP32", [1 << 40, 1 << 40], b"", "0 bytes"),
    ],
)
def test_contents_that_contradict_their_shape_are_refused(kind: str, shape: list[int], data: bytes, what: str) -> None:
    with pytest.raises(TensorError, match=what):
        from_raw("x", kind, shape, data)


def test_typed_contents_are_held_against_their_datatype() -> None:
    message = request()
    tensor = message.inputs.add(name="x", datatype="INT8", shape=[1])
    tensor.contents.int_contents.append(200)
    with pytest.raises(TensorError, match="no INT8"):
        read(message.inputs, [])
    tensor.contents.fp32_contents.append(1.0)
    with pytest.raises(TensorError, match="fp32_contents"):
        read(message.inputs, [])
    with pytest.raises(TensorError, match="beside raw ones"):
        read(message.inputs, [b"\x01"])


def test_a_model_says_what_it_takes_and_holds_requests_against_it() -> None:
    service = InferenceService([Honest(), Lazy()])
    told = service.model_metadata(wire.message("inference.ModelMetadataRequest")(name="honest"))
    assert [(one.name, one.datatype, list(one.shape)) for one in told.inputs] == [("x", "FP32", [-1])]
    assert service.model_ready(wire.message("inference.ModelReadyRequest")(name="lazy")).ready
    assert not service.model_ready(wire.message("inference.ModelReadyRequest")(name="other")).ready
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "no input 'x'"),
        ({"x": np.zeros(2)}, "FP64, not FP32"),
        ({"x": np.zeros((1, 2), np.float32)}, "shape"),
        ({"x": np.zeros(2, np.float32), "z": 1}, "no input 'z'"),
    ]
    for inputs, what in cases:
        with pytest.raises(ValueError, match=what):
            service.model_infer(request(**inputs))
    unknown = request(x=np.zeros(2, np.float32))
    unknown.model_version = "2"
    with pytest.raises(UnknownModel, match="version"):
        service.model_infer(unknown)


def test_answers_take_the_form_of_the_question() -> None:
    service = InferenceService([Honest()])
    raw = service.model_infer(request(x=np.array([1, 2], np.float32)))
    assert (raw.id, list(raw.raw_output_contents)) == ("7", [np.array([2, 4], np.float32).tobytes()])
    typed = wire.message("inference.ModelInferRequest")(model_name="honest")
    write({"x": np.array([1, 2], np.float32)}, typed.inputs, typed.raw_input_contents, typed=True)
    assert list(service.model_infer(typed).outputs[0].contents.fp32_contents) == [2, 4]


def test_a_model_that_raises_is_at_fault() -> None:
    class Broken(Model):
        def infer(self, inputs: Inputs) -> Tensors:
            raise KeyError("weights")

    with pytest.raises(ModelFault, match=r"KeyError: 'weights' \(test_serve.py, line \d+, in infer\)"):
        infer(Broken(), {"x": [1.0]})


def test_an_output_that_a_model_does_not_give_is_named_with_those_that_it_gives() -> None:
    message = request(x=np.zeros(2, np.float32))
    message.outputs.add(name="z")
    with pytest.raises(NoOutput, match="model 'honest' gives no output 'z': its outputs are 'y'"):
        InferenceService([Honest()]).model_infer(message)


JUDGE = """
import numpy as np
from weighhouse.judge import Answer, Challenge, Judge, Verdict, scored

class Adding(Judge):
    def draw(self, rng: np.random.Generator, items: int) -> Challenge:
        return Challenge({"x": np.full(items, 3, np.int64)})

    def judge(self, challenge: Challenge, answer: Answer) -> Verdict:
        return scored(1 if (answer["y"] == challenge.inputs["x"] + 1).all() else 0)
"""
MODEL = """
from weighhouse.serve import Model

class Adding(Model):
    def infer(self, inputs):
        return {"y": inputs["x"] + 1}
"""


class Process:
    """A server of this package in a process of its own, with what it says on standard error."""

    def __init__(self, module: str, file: Path, *options: str) -> None:
        command = [sys.executable, "-m", module, str(file), "--json", "--listen", "127.0.0.1:0", *options]
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        watchdog = threading.Timer(PATIENCE_SECONDS, self.child.kill)
        watchdog.daemon = True
        watchdog.start()
        assert self.child.stdout is not None and self.child.stderr is not None
        line = self.child.stdout.readline()
        assert line, self.child.stderr.read()
        self.told: dict[str, Any] = json.loads(line)

    def says(self, text: str) -> str:
        """Waits for a line on standard error that has this text."""
        assert self.child.stderr is not None
        for line in self.child.stderr:
            if text in line:
                return line
        raise AssertionError(f"the process ended without saying {text!r}")


@contextmanager
def serving(module: str, file: Path, *options: str) -> Iterator[tuple[Process, Any]]:
    process = Process(module, file, *options)
    try:
        with grpc.insecure_channel(process.told["address"]) as channel:
            yield process, channel
    finally:
        process.child.terminate()
        process.child.communicate(timeout=PATIENCE_SECONDS)
    assert process.child.returncode == 0


def test_a_ten_line_file_is_a_server(tmp_path: Path) -> None:
    file = tmp_path / "model.py"
    file.write_text(MODEL)
    with serving("weighhouse.serve", file) as (_, channel):
        ask = wire.call(channel, wire.INFERENCE, "ModelInfer")
        message = request(x=[1, 2])
        message.model_name = "adding"
        response = ask(message)
        assert read(response.outputs, response.raw_output_contents)["y"].tolist() == [2, 3]
        message.model_name = "other"
        with pytest.raises(grpc.RpcError) as refused:
            ask(message)
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_judge_is_taken_up_again_when_it_is_saved(tmp_path: Path) -> None:
    file = tmp_path / "judge.py"
    file.write_text(JUDGE)
    with serving("weighhouse.judge", file, "--reload") as (process, channel):
        describe = wire.call(channel, wire.JUDGE, "Describe")
        asked = wire.message("weighhouse.v1.JudgeServiceDescribeRequest")()
        first = describe(asked)
        assert process.told["digest"] == f"sha256:{first.digest.hex()}"
        assert (first.name, first.protocol, first.exchanges, first.testifies) == ("Adding", 1, 1, False)
        file.write_text(JUDGE + "    version = 2\n")
        process.says("taken up")
        second = describe(asked)
        assert second.version == 2 and second.digest != first.digest
        file.write_text(JUDGE + "    version = ,\n")
        process.says("can't be taken up")
        assert describe(asked).version == 2


def test_each_fault_of_a_judge_is_told_once_and_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "judge.py"
    file.write_text(JUDGE.replace("np.full(", "np.ful(").replace("1 if (answer", "1 if (anser"))
    with serving("weighhouse.judge", file) as (process, channel):
        draw = wire.message("weighhouse.v1.DrawRequest")(items=1, seeds=[{"seed": bytes(32)}])
        attempt = {"challenge": {"items": 1}, "answers": [{}]}
        judge = wire.message("weighhouse.v1.JudgeRequest")(attempts=[attempt])
        for method, message in (("Draw", draw), ("Judge", judge)) * 2:
            with pytest.raises(grpc.RpcError):
                wire.call(channel, wire.JUDGE, method)(message)
        process.child.terminate()
        _, said = process.child.communicate(timeout=PATIENCE_SECONDS)
    lines = said.splitlines()
    assert len(lines) == 2, said
    assert lines[0].endswith("(judge.py, line 7, in draw)") and "AttributeError" in lines[0], said
    assert lines[1].endswith("(judge.py, line 10, in judge)") and lines[1].startswith("weighhouse.judge: "), said


def test_a_syntax_error_is_told_without_frames_of_the_library(tmp_path: Path) -> None:
    (tmp_path / "judge.py").write_text(JUDGE.replace("def judge(self,", "def judge(self"))
    command = [sys.executable, "-m", "weighhouse.judge", "judge.py"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert ended.returncode == 64
    assert "SyntaxError" in ended.stderr and "importlib" not in ended.stderr, ended.stderr


def test_what_the_contract_forbids_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "judge.py"
    file.write_text(JUDGE)
    with serving("weighhouse.judge", file) as (_, channel):
        draw = wire.call(channel, wire.JUDGE, "Draw")
        short = wire.message("weighhouse.v1.DrawRequest")(items=1)
        short.seeds.add(seed=b"short")
        many = wire.message("weighhouse.v1.DrawRequest")(items=1)
        for _ in range(65):
            many.seeds.add(seed=bytes(32))
        for message, what in ((short, "5 bytes"), (many, "65 seeds")):
            with pytest.raises(grpc.RpcError, match=what) as refused:
                draw(message)
            assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        with pytest.raises(grpc.RpcError) as refused:
            wire.call(channel, wire.JUDGE, "Resolve")(
                wire.message("weighhouse.v1.ResolveRequest")(
                    challenges=[{"items": 1}], epochs=1, seeds=[bytes(32)]
                )
            )
        assert refused.value.code() is grpc.StatusCode.INTERNAL


@pytest.mark.parametrize("shape", [[0, 2**63 - 1], [0, 2**62, 2**62], [2**40, 0, 2**20]])
def test_a_shape_that_no_array_has_is_the_senders_fault(shape: list[int]) -> None:
    for kind in ("FP32", "BF16", "BYTES"):
        with pytest.raises(TensorError, match="no array has"):
            from_raw("y", kind, shape, b"")
    assert from_raw("y", "FP32", [0, 2**20], b"").shape == (0, 2**20)


def test_a_file_without_a_judge_ends_with_one_line(tmp_path: Path) -> None:
    file = tmp_path / "model.py"
    file.write_text(MODEL)
    ended = subprocess.run([sys.executable, "-m", "weighhouse.judge", str(file)], capture_output=True, text=True)
    assert ended.returncode == 64
    assert ended.stderr.count("\n") == 1 and "no class derived from weighhouse.judge.Judge" in ended.stderr


def test_the_compiled_module_is_not_needed() -> None:
    script = (
        "import sys; import weighhouse.judge, weighhouse.serve, weighhouse.testing; "
        "assert 'weighhouse._native' not in sys.modules and 'grpc' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
