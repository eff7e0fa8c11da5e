"""A gRPC server as the commands of this package run it: its address, its TLS, its end."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

from . import wire
from .faults import Fault, Teller, own_frame

# A judge works on one call at a time; the other threads answer Describe meanwhile.
_THREADS = 8
_GRACE_SECONDS = 5
MESSAGE_BYTES_MAX = 64 << 20

Method = Callable[[Any], Any]
"""A unary method of a service: a message in, a message out."""


def arguments(program: str, what: str, port: int) -> argparse.ArgumentParser:
    """The options that both commands have."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=f"Serves {what}.")
    parser.add_argument("file", type=Path, metavar="FILE.py", help="a Python file, or a folder with __init__.py")
    parser.add_argument("--class", dest="name", help="the class to serve, where the file has several")
    parser.add_argument(
        "--listen",
        default=f"127.0.0.1:{port}",
        metavar="ADDRESS",
        help="HOST:PORT (port 0: any that is free) or unix:/PATH; default %(default)s",
    )
    parser.add_argument("--reload", action="store_true", help="take up the file again whenever it is saved")
    parser.add_argument("--tls-cert", type=Path, metavar="PEM", help="certificate chain; clients then speak TLS")
    parser.add_argument("--tls-key", type=Path, metavar="PEM", help="the certificate's private key")
    parser.add_argument("--quiet", action="store_true", help="print no faults of the file: callers are told of them")
    parser.add_argument("--json", action="store_true", help="say in one line of JSON where the server listens")
    return parser


class ListenError(Exception):
    """An address that can't be listened at, or TLS files that don't fit."""


def serve(
    program: str,
    contract: tuple[str, Mapping[str, Method]],
    refusals: Mapping[type[Exception], grpc.StatusCode],
    options: Any,
) -> tuple[grpc.Server, str]:
    """Starts a server; its address with the port that it was given."""
    server = grpc.server(
        ThreadPoolExecutor(max_workers=_THREADS),
        options=[
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
            ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
            # Two servers at one port would share its callers.
            ("grpc.so_reuseport", 0),
        ],
    )
    (service, methods), teller = contract, Teller(program, quiet=options.quiet)
    guarded = {name: _guarded(method, refusals, teller) for name, method in methods.items()}
    server.add_generic_rpc_handlers((wire.handler(service, guarded),))
    address = _bind(server, options)
    server.start()
    return server, address


def _bind(server: grpc.Server, options: Any) -> str:
    if (options.tls_cert is None) != (options.tls_key is None):
        raise ListenError("--tls-cert and --tls-key belong together")
    try:
        if options.tls_cert is None:
            port = server.add_insecure_port(options.listen)
        else:
            pair = (options.tls_key.read_bytes(), options.tls_cert.read_bytes())
            port = server.add_secure_port(options.listen, grpc.ssl_server_credentials([pair]))
    except (RuntimeError, ValueError, OSError) as error:
        raise ListenError(f"can't listen at {options.listen}: {error}") from error
    if options.listen.startswith("unix:"):
        return str(options.listen)
    return f"{options.listen.rpartition(':')[0]}:{port}"


def _guarded(
    method: Method, refusals: Mapping[type[Exception], grpc.StatusCode], teller: Teller
) -> Callable[[Any, Any], Any]:
    def guarded(request: Any, context: Any) -> Any:
        try:
            return method(request)
        except Exception as error:
            code = next((code for kind, code in refusals.items() if isinstance(error, kind)), None)
            text = str(error) or type(error).__name__
            # A caller's own mistakes are told to the caller alone.
            if code is None or isinstance(error, Fault) or own_frame(error) is not None:
                told = teller.tell(error)
                text = told if code is None else text
            # Never returns: it raises, which ends the call.
            context.abort(code or grpc.StatusCode.INTERNAL, text)

    return guarded


def run(server: grpc.Server, address: str, told: dict[str, Any], as_json: bool) -> None:
    """Says where the server listens, and serves until the process is interrupted or told to end."""
    line = json.dumps({"address": address, **told}) if as_json else _sentence(address, told)
    # Flushed, since whoever started the server reads the port from this line.
    print(line, flush=True)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()
    server.stop(_GRACE_SECONDS).wait()


def _sentence(address: str, told: dict[str, Any]) -> str:
    return f"listening at {address}: " + ", ".join(f"{name} {value}" for name, value in told.items())


def fail(program: str, error: Exception) -> int:
    """One line on standard error, and an exit code for a bad configuration."""
    print(f"{program}: error: {error}", file=sys.stderr)
    # EX_USAGE of sysexits.h, as the program weighhouse uses it.
    return 64
