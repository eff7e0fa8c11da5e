"""Yuma consensus: one epoch of a subnet, bit for bit the chain's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from . import _native
from .types import EpochInput

Rules = Literal["spec377", "spec425"]


@dataclass(frozen=True)
class EpochOutput:
    """What an epoch leaves behind, an entry per uid; proportions are out of 65535, amounts in rao."""

    active: list[bool]
    stake_weight: list[int]
    consensus: list[int]
    incentive: list[int]
    dividends: list[int]
    validator_trust: list[int]
    server_emission: list[int]
    validator_emission: list[int]
    combined_emission: list[int]
    new_permits: list[bool]
    new_bonds: list[list[tuple[int, int]]]


def yuma_epoch(input: EpochInput | Mapping[str, Any], rules: Rules = "spec425") -> EpochOutput:
    """Run one epoch, in exact integers.

    The chain feeds `new_bonds` and `new_permits` into the next one's `bonds` and `validator_permit`. Raises InputError
    for what no chain state can hold, naming the key.
    """
    return EpochOutput(**_native.yuma_epoch(input, rules))
