"""`python -m weighhouse.judge FILE.py`: serves the judge of a file."""

from __future__ import annotations

import sys
import traceback
from typing import Any

from ..loading import LoadError, classes, only, watch
from .base import Judge
from .digest import digest
from .service import JudgeService, RequestError

_PROGRAM = "weighhouse.judge"
_PORT = 7711


def main(argv: list[str] | None = None) -> int:
    try:
        import grpc

        from .. import listening, wire
    except ImportError as error:
        print(f"{_PROGRAM}: error: {error}; install it with: pip install 'weighhouse[judge]'", file=sys.stderr)
        # EX_UNAVAILABLE of sysexits.h, as the program weighhouse uses it.
        return 69
    parser = listening.arguments(_PROGRAM, "a judge to validators and auditors", _PORT)
    parser.add_argument("--digest", action="store_true", help="print the digest that a task file pins, and end")
    options = parser.parse_args(argv)
    try:
        judge = _load(options)
        if options.digest:
            print(f"sha256:{digest(options.file).hex()}")
            return 0
        service = JudgeService(judge, digest(options.file))
        refusals = {
            RequestError: grpc.StatusCode.INVALID_ARGUMENT,
            NotImplementedError: grpc.StatusCode.UNIMPLEMENTED,
        }
        server, address = listening.serve(_PROGRAM, (wire.JUDGE, service.methods()), refusals, options)
    except (LoadError, listening.ListenError) as error:
        return listening.fail(_PROGRAM, error)
    if options.reload:
        watch(options.file, lambda: _reload(service, options))
    told = {"judge": judge.name or type(judge).__name__, "digest": f"sha256:{digest(options.file).hex()}"}
    listening.run(server, address, told, options.json)
    return 0


def _load(options: Any) -> Judge:
    return only(classes(options.file, Judge), options.name, options.file)()


def _reload(service: JudgeService, options: Any) -> None:
    try:
        service.replace(_load(options), digest(options.file))
    except Exception:
        traceback.print_exc()
        print(f"{_PROGRAM}: {options.file} can't be taken up; the judge from before goes on", file=sys.stderr)
    else:
        print(f"{_PROGRAM}: {options.file} taken up, sha256:{digest(options.file).hex()}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
