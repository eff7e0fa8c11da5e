"""Consensus to the integer: the chain's own epochs, chained, and what is refused."""

from typing import Any

import pytest
from conftest import load_vectors

import weighhouse as wh
from weighhouse.yuma import Rules

SMALL: dict[str, Any] = {
    "block": 100,
    "stake": [1_000_000_000_000, 500_000_000_000, 0, 0],
    "weights": [[(2, 65535), (3, 32768)], [(2, 65535), (3, 65535)], [], []],
    "emission_rao": 1_000_000_000,
}

FIELDS = {
    "active": "active",
    "consensus": "consensus",
    "incentive": "incentive",
    "dividends": "dividends",
    "validator_trust": "validator_trust",
    "new_permits": "validator_permit",
    "new_bonds": "bonds",
    "server_emission": "server_emission_rao",
    "validator_emission": "validator_emission_rao",
    "stake_weight": "stake_weight",
}


def plain(value: Any) -> Any:
    """Integers where the file has decimal strings, lists where Python has tuples."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return int(value) if isinstance(value, str) else value


def test_every_integer_of_the_recorded_pallet_epochs() -> None:
    cases = load_vectors("yuma/pallet_epochs.json")["cases"]
    assert cases
    compared = 0
    for case in cases:
        state = dict(case["input"])
        rules: Rules = "spec425" if case.get("spec", 377) == 425 else "spec377"
        for number, expected in enumerate(case["epochs"]):
            output = wh.yuma_epoch(state, rules)
            for ours, theirs in FIELDS.items():
                if theirs in expected:
                    found = plain(getattr(output, ours))
                    assert found == plain(expected[theirs]), (case["seed"], number, ours)
                    compared += 1
            state |= {"bonds": output.new_bonds, "validator_permit": output.new_permits}
    assert compared >= 9 * len(cases)


def test_hyperparameters_may_be_nested_and_amounts_may_be_strings() -> None:
    flat = wh.yuma_epoch(SMALL | {"kappa": 65535, "bonds_penalty": 0})
    nested = SMALL | {"hyperparameters": {"kappa": 65535, "bonds_penalty": 0}, "emission_rao": "1000000000"}
    assert wh.yuma_epoch(nested) == flat
    assert flat != wh.yuma_epoch(SMALL)


def test_emission_is_shared_out_and_never_exceeded() -> None:
    output = wh.yuma_epoch(SMALL)
    paid = sum(output.server_emission) + sum(output.validator_emission)
    assert 999_999_990 < paid <= 1_000_000_000
    assert output.incentive[2] > output.incentive[3] > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"wieghts": []}, "unknown key 'wieghts'"),
        ({"stake": [1, -1, 0, 0]}, "`stake`"),
        ({"stake": ["1", "2x", "0", "0"]}, "`stake`"),
        ({"weights": [[(2, 65536)], [], [], []]}, "`weights`"),
        ({"weights": [[(9, 1)], [], [], []]}, "name uid 9 of 4"),
        ({"last_update": [1]}, "last_update has 1 entries for 4 uids"),
        ({"owner_uid": 4}, "owner uid 4"),
        ({"hyperparameters": {"capa": 1}}, "hyperparameters: unknown key 'capa'"),
        ({"n": 5}, "`n` is 5, there are 4 stakes"),
    ],
)
def test_what_no_chain_can_hold_is_refused_by_name(change: dict[str, Any], message: str) -> None:
    with pytest.raises(wh.InputError, match=message):
        wh.yuma_epoch(SMALL | change)


def test_a_missing_key_and_unknown_rules_are_named() -> None:
    with pytest.raises(wh.InputError, match="`weights` is missing"):
        wh.yuma_epoch({"block": 1, "stake": [], "emission_rao": 0})
    with pytest.raises(wh.InputError, match='known are "spec377" and "spec425"'):
        wh.yuma_epoch(SMALL, rules="spec1")  # type: ignore[arg-type]
