"""Tune and replay a subnet's scoring policy with the code that Weighhouse's validators run.

- `yuma_epoch`, `conform`, `max_upscale`: from weights to emissions, bit for bit the chain's.
- `Policy`, `Track`, `lint`, `schema`: how judgements become weights.
- `replay`, `replay_epochs`, `diff`, `explain`: a validator's journal under its own policies or another.
- `scenario`, `simulate`, `attack_matrix`, `profile`, `persona`, `attacks`: what a policy is worth.

Whatever is refused raises a `WeighhouseError`, which is a `ValueError`; files that can't be opened raise `OSError`.
"""

from . import types
from ._native import (
    ConformError,
    InputError,
    JournalError,
    Policy,
    PolicyError,
    ScenarioError,
    Track,
    WeighhouseError,
    __version__,
    attack_matrix,
    attacks,
    conform,
    diff,
    explain,
    lint,
    max_upscale,
    persona,
    profile,
    replay_epochs,
    scenario,
    schema,
    simulate,
)
from .arrow import replay
from .types import EpochInput
from .yuma import EpochOutput, yuma_epoch

__all__ = [
    "ConformError",
    "EpochInput",
    "EpochOutput",
    "InputError",
    "JournalError",
    "Policy",
    "PolicyError",
    "ScenarioError",
    "Track",
    "WeighhouseError",
    "__version__",
    "attack_matrix",
    "attacks",
    "conform",
    "diff",
    "explain",
    "lint",
    "max_upscale",
    "persona",
    "profile",
    "replay",
    "replay_epochs",
    "scenario",
    "schema",
    "simulate",
    "types",
    "yuma_epoch",
]
