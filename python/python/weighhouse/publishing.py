"""Weights of your own code, published by the `weighhouse` command as a validator publishes its own.

The command is what holds the key, the journal and the connection to the chain: it checks what the chain would refuse, hides the
weights where the chain asks for it, tries again, and says `published` once the chain shows them.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

_PROGRAM = "weighhouse"
_PROGRAM_VARIABLE = "WEIGHHOUSE"

Weights = Mapping[int, float] | Mapping[str, float] | Sequence[tuple[int | str, float]]


class PublishError(RuntimeError):
    """Weights that were not published, with the command's own words and its exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Published:
    """What became of the weights of an epoch."""

    epoch: int
    intent: str
    #: `published`, or `committed` where that was waited for.
    state: str
    block: int | None
    #: By uid, as they were sent.
    weights: dict[int, int]


def publish(
    weights: Weights,
    *,
    config: str | os.PathLike[str] = "validator.toml",
    journal: str | os.PathLike[str] | None = None,
    until: Literal["published", "committed"] = "published",
    program: str | os.PathLike[str] | None = None,
) -> Published:
    """Publish relative weights by uid or hotkey in the chain's present epoch, and wait until the chain shows them.

    config: the validator's file, whose wallet signs on its chain.
    journal: the folder of the journal; `journal.dir` of the file where not given.
    until: `committed` returns once hidden weights are committed to; the next call goes on with them.
    program: the command; `WEIGHHOUSE` of the environment, else `weighhouse` on the path.

    Raises PublishError where they are refused, or were not shown.
    """
    pairs: Sequence[tuple[int | str, float]]
    pairs = [*weights.items()] if isinstance(weights, Mapping) else weights
    table = [[_name(whose), _weight(whose, weight)] for whose, weight in pairs]
    arguments = [_found(program), "weights", "put", "-", "--json", "--config", os.fspath(config), "--until", until]
    if journal is not None:
        arguments += ["--journal", os.fspath(journal)]
    # Its last line on standard error is why it failed; those before tell how far it is.
    ended = subprocess.run(arguments, input=json.dumps(table), capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        said = ended.stderr.strip().splitlines()
        raise PublishError(said[-1].removeprefix("error: ") if said else "no word of why", ended.returncode)
    told = json.loads(ended.stdout)
    sent = {int(uid): int(weight) for uid, weight in told["weights"]}
    return Published(told["epoch"], told["intent"], told["state"], told["block"], sent)


def _name(whose: int | str) -> int | str:
    # Integers of numpy and its like are no `int`, and have an index.
    return whose if isinstance(whose, str) else int(whose.__index__())


def _weight(whose: int | str, weight: float) -> float:
    number = float(weight)
    if not math.isfinite(number):
        raise PublishError(f"the weight of {whose} is no finite number", 65)
    return number


def _found(program: str | os.PathLike[str] | None) -> str:
    named = os.fspath(program) if program is not None else os.environ.get(_PROGRAM_VARIABLE, _PROGRAM)
    found = shutil.which(named)
    if found is None:
        raise PublishError(f"{named}: there is no such command; install weighhouse, or name it in {_PROGRAM_VARIABLE}", 66)
    return found
