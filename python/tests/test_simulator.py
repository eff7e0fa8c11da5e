"""The simulator: the same figures from the same seed, whatever the threads; attacks; interrupts."""

import json
import os
import signal
import threading
import time
from typing import Any, get_type_hints

import pytest

import weighhouse as wh


@pytest.fixture(scope="module")
def world(profile: str) -> dict[str, Any]:
    world = wh.scenario(profile, miners=12, validators=3, epochs=30)
    world["miners"][0]["operators"] = 8
    attackers = {"name": "lazy", "attacker": True, "strategy": wh.persona("lazy"), "operators": 4}
    world["miners"].append(attackers)
    return world


def test_the_same_seed_gives_the_same_figures_on_any_number_of_threads(world: dict[str, Any]) -> None:
    one = wh.simulate(world, seeds=[1, 2, 3], threads=1)
    many = wh.simulate(world, seeds=[1, 2, 3], threads=3)
    assert one == many
    assert [outcome["seed"] for outcome in one] == [1, 2, 3]
    assert one[0]["miners"] != one[1]["miners"]
    assert wh.simulate(world, seeds=[3])[0] == one[2]


def test_the_lazy_earn_less_than_the_honest(world: dict[str, Any]) -> None:
    (outcome,) = wh.simulate(world, seeds=[1])
    honest, lazy = outcome["miners"]
    assert (honest["name"], lazy["attacker"]) == ("honest", True)
    assert lazy["emission_rao"] / 4 < honest["emission_rao"] / 8
    assert outcome["vtrust_mean"] > 0.9


def test_a_scenario_may_be_a_dictionary_json_or_toml(world: dict[str, Any], profile: str) -> None:
    expected = wh.simulate(world, seeds=[5])
    assert wh.simulate(json.dumps(world), seeds=[5]) == expected
    head = "epochs = 5\n[[miners]]\nname = 'honest'\noperators = 4\n"
    validators = "[[validators]]\nname = 'v'\npersona = { kind = 'honest' }\ncount = 2\nstake_rao = 1000\n"
    nested = profile.replace("[cost]", "[profile.cost]").replace("[[persona]]", "[[profile.persona]]")
    text = head + validators + "[profile]\n" + nested
    assert wh.simulate(text, seeds=[1])[0]["epochs"] == 5


def test_outcomes_and_matrices_have_the_documented_keys(world: dict[str, Any]) -> None:
    (outcome,) = wh.simulate(world, seeds=[1])
    assert set(outcome) == set(get_type_hints(wh.types.Outcome))
    assert set(outcome["miners"][0]) == set(get_type_hints(wh.types.MinerOutcome))
    assert set(outcome["validators"][0]) == set(get_type_hints(wh.types.ValidatorOutcome))
    assert set(outcome["newcomers"]) == set(get_type_hints(wh.types.Newcomers))
    matrix = wh.attack_matrix(world, attacks=["lazy"], fractions=[0.2], seeds=[1, 2])
    with pytest.raises(wh.ScenarioError, match="1 seeds"):
        wh.attack_matrix(world, attacks=["lazy"], fractions=[0.2], seeds=[1])
    with pytest.raises(wh.ScenarioError, match="`fractions` is 2"):
        wh.attack_matrix(world, attacks=["lazy"], fractions=[2.0], seeds=[1, 2])
    assert set(matrix) == set(get_type_hints(wh.types.AttackMatrix))
    assert set(matrix["matrix"][0]) == set(get_type_hints(wh.types.AttackRow))


def test_an_attack_matrix_compares_policies(profile: str) -> None:
    base = wh.scenario(profile, miners=16, validators=3, epochs=40)
    own = {"name": "half-lazy", "detectable": True, "strategy": wh.persona("lazy") | {"work": {"honest": 1, "lazy": 1}}}
    generous = wh.Policy.default().replace({"metrics.mark": 0.0, "metrics.answered": 1.0})
    matrix = wh.attack_matrix(
        base,
        policies={"default": wh.Policy.default(), "generous": generous},
        attacks=["lazy", "sybil-4", own],
        fractions=[0.25],
        seeds=[1, 2],
    )
    ratio = {(row["attack"], row["policy"]): row["profit_ratio"] for row in matrix["matrix"]}
    assert len(ratio) == 6
    lazy, paid = ratio["lazy", "default"], ratio["lazy", "generous"]
    assert lazy is not None and paid is not None
    assert lazy < 1 < paid
    flags = {row["attack"]: row["detectable"] for row in matrix["matrix"]}
    assert flags == {"lazy": True, "sybil-4": False, "half-lazy": True}


def test_what_cannot_be_simulated_is_refused_by_name(world: dict[str, Any], profile: str) -> None:
    with pytest.raises(wh.ScenarioError, match="`judging.common` is 2"):
        wh.simulate(world | {"judging": {"common": 2.0}}, seeds=[1])
    with pytest.raises(wh.ScenarioError, match="unknown field `epoch`"):
        wh.simulate(world | {"epoch": 3}, seeds=[1])
    with pytest.raises(wh.InputError, match="NaN is not a finite number"):
        wh.simulate(world | {"judging": {"noise": float("nan")}}, seeds=[1])
    with pytest.raises(wh.InputError, match='no attack is called "nonsense"'):
        wh.attack_matrix(world, attacks=["nonsense"], seeds=[1])
    with pytest.raises(wh.InputError, match="no persona is called"):
        wh.persona("nonsense")
    with pytest.raises(wh.ScenarioError, match="ships"):
        wh.profile("nonsense")
    with pytest.raises(wh.PolicyError):
        wh.scenario(profile, policy="version = 3")
    with pytest.raises(ValueError, match="threads"):
        wh.simulate(world, seeds=[1], threads=0)


def test_the_catalogue_lists_what_leaves_traces() -> None:
    attacks = wh.attacks()
    assert attacks["lazy"] is True
    assert attacks["sybil"] is False
    assert all(wh.persona(name)["name"] == name for name in attacks)


def test_other_threads_run_while_a_world_is_simulated(world: dict[str, Any]) -> None:
    done = threading.Event()
    counted = 0

    def count() -> None:
        nonlocal counted
        while not done.is_set():
            counted += 1

    counter = threading.Thread(target=count)
    counter.start()
    wh.simulate(world, seeds=list(range(8)))
    done.set()
    counter.join()
    assert counted > 0


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_an_interrupt_ends_a_long_run(world: dict[str, Any]) -> None:
    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    endless = world | {"epochs": 200}
    timer = threading.Timer(0.3, interrupt)
    timer.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        wh.simulate(endless, seeds=list(range(1_000_000)))
    assert time.monotonic() - began < 60
    timer.join()
