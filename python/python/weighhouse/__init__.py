"""Tune and replay a subnet's scoring policy with the code that Weighhouse's validators run.

- `yuma_epoch`, `conform`, `max_upscale`: from weights to emissions, bit for bit the chain's.
- `Policy`, `Track`, `lint`, `schema`: how judgements become weights.
- `replay`, `replay_epochs`, `diff`, `explain`: a validator's journal under its own policies or another.
- `scenario`, `simulate`, `attack_matrix`, `profile`, `persona`, `attacks`: what a policy is worth.
- `publish`: weights of your own code on the chain, by the `weighhouse` command.

Whatever is refused raises a `WeighhouseError`, which is a `ValueError`; files that can't be opened raise `OSError`.

All but `publish` are in a compiled module, loaded with the first of them that is asked for. `publish`, `weighhouse.judge`,
`weighhouse.serve` and `weighhouse.testing` are pure Python and work without it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from .publishing import Published, PublishError, publish
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
    "PublishError",
    "Published",
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
    "publish",
    "replay",
    "replay_epochs",
    "scenario",
    "schema",
    "simulate",
    "types",
    "yuma_epoch",
]

_ELSEWHERE = {
    "EpochInput": ".types",
    "EpochOutput": ".yuma",
    "PublishError": ".publishing",
    "Published": ".publishing",
    "publish": ".publishing",
    "replay": ".arrow",
    "yuma_epoch": ".yuma",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "types":
        return import_module(".types", __name__)
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_ELSEWHERE.get(name, "._native"), __name__), name)
    # Kept, so that each name comes here once.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
