"""`python -m weighhouse.serve FILE.py`: serves the models of a file."""

from __future__ import annotations

import sys
import traceback
from typing import Any

from ..loading import LoadError, classes, only, watch
from .base import Model
from .service import InferenceService, UnknownModel

_PROGRAM = "weighhouse.serve"
_PORT = 8001


def main(argv: list[str] | None = None) -> int:
    try:
        import grpc

        from .. import listening, wire
    except ImportError as error:
        print(f"{_PROGRAM}: error: {error}; install it with: pip install 'weighhouse[judge]'", file=sys.stderr)
        return 69
    parser = listening.arguments(_PROGRAM, "every model of a file by the Open Inference Protocol", _PORT)
    options = parser.parse_args(argv)
    try:
        service = InferenceService(_load(options))
        refusals: dict[type[Exception], grpc.StatusCode] = {
            UnknownModel: grpc.StatusCode.NOT_FOUND,
            ValueError: grpc.StatusCode.INVALID_ARGUMENT,
        }
        server, address = listening.serve(_PROGRAM, (wire.INFERENCE, service.methods()), refusals, options)
    except (LoadError, listening.ListenError) as error:
        return listening.fail(_PROGRAM, error)
    if options.reload:
        watch(options.file, lambda: _reload(service, options))
    listening.run(server, address, {"models": service.names}, options.json)
    return 0


def _load(options: Any) -> list[Model]:
    found = classes(options.file, Model)
    if options.name is not None:
        found = [only(found, options.name, options.file)]
    return [one() for one in found]


def _reload(service: InferenceService, options: Any) -> None:
    try:
        service.replace(_load(options))
    except Exception:
        traceback.print_exc()
        print(f"{_PROGRAM}: {options.file} can't be taken up; the models from before go on", file=sys.stderr)
    else:
        print(f"{_PROGRAM}: {options.file} taken up", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
