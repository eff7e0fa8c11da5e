"""How high should the floor be? Sweep one key of the default policy and see what attacks earn and whether validators agree.

    python tune_floor.py
    python tune_floor.py --key newcomer.min_attempts --values 1 3 10 --attack lazy --attack weak
"""

import argparse
import json
from typing import Any

import weighhouse as wh


def main() -> None:
    parser = argparse.ArgumentParser(description="Sweep one key of the default policy.")
    parser.add_argument("--profile", default="digits-quality-private", help="a shipped profile, or a file of one")
    parser.add_argument("--key", default="shape.floor", help="the dotted key to sweep")
    parser.add_argument("--values", type=json.loads, nargs="+", default=[0.0, 0.2, 0.4, 0.6])
    parser.add_argument("--attack", action="append", help="an attack of the catalogue; may be repeated")
    parser.add_argument("--seeds", type=int, default=4)
    args = parser.parse_args()

    attacks: list[str] = args.attack or ["lazy", "weak", "sleeper"]
    policies = {str(value): wh.Policy.default().replace({args.key: value}) for value in args.values}
    world = wh.scenario(read_profile(args.profile), miners=24, validators=4, epochs=40)
    seeds = list(range(1, args.seeds + 1))
    matrix = wh.attack_matrix(world, policies=policies, attacks=attacks, fractions=[0.3], seeds=seeds)

    print("profit of attacking over honest profit, 30 % bad miners, and the vtrust of honest validators without them")
    print(f"{args.key:>20}" + "".join(f"{attack:>10}" for attack in attacks) + f"{'vtrust':>10}")
    for name, policy in policies.items():
        rows = {row["attack"]: row for row in matrix["matrix"] if row["policy"] == name}
        ratios = "".join(f"{show(rows[attack]['profit_ratio']):>10}" for attack in attacks)
        outcomes = wh.simulate(world | {"policy": policy.text}, seeds=seeds)
        vtrust = sum(outcome["vtrust_mean"] for outcome in outcomes) / len(outcomes)
        print(f"{name:>20}{ratios}{vtrust:>10.4f}")


def show(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.3f}"


def read_profile(source: str) -> dict[str, Any]:
    if not source.endswith(".toml"):
        return wh.profile(source)
    with open(source, encoding="utf-8") as file:
        return wh.profile(file.read())


if __name__ == "__main__":
    main()
