"""Run the policy lab's long commands on this machine or on many, with the same result to the byte.

    from weighhouse import lab

    found = lab.redteam(policy="...", evaluations=20_000)          # all cores of this machine
    found = lab.redteam(policy="...", evaluations=20_000, ray=True)  # the Ray cluster that this process is part of
    found["best_response"], found.json

`attack`, `redteam` and `tune` compute what `weighhouse policy attack`, `redteam` and `tune` compute; a result's `json` is
what the command prints with `--json`. Work falls into units whose answers depend on nothing but themselves, so that
workers may die and units be answered twice. With `checkpoint=FILE` a run that was killed goes on from there.

Ray comes with `pip install 'weighhouse[ray]'`, and `weighhouse` of the same version must be installed on its workers.
"""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from .._native import LabJob, Policy, lab_attack, lab_redteam, lab_tune
from .driving import Progress, Result, drive
from .executing import Executor, Local, RayExecutor

__all__ = ["Executor", "Local", "Progress", "RayExecutor", "Result", "attack", "redteam", "tune"]

Watch = Callable[[Progress], object]
PROFILE = "digits-conformance-private"


def attack(
    policies: Mapping[str, Policy | str] | None = None,
    *,
    attacks: Sequence[str | Mapping[str, Any]] | None = None,
    fractions: Sequence[float] | None = None,
    profile: str | Mapping[str, Any] = PROFILE,
    miners: int = 32,
    validators: int = 8,
    epochs: int = 100,
    challenges: int = 32,
    cost_share: float = 0.5,
    unjudged: float = 0.0,
    pruned_return: bool = True,
    seeds: Sequence[int] = range(1, 9),
    ray: bool = False,
    executor: Executor | None = None,
    threads: int | None = None,
    checkpoint: str | PathLike[str] | None = None,
    progress: Watch | None = None,
) -> Result:
    """Every known attack against policies, as `weighhouse policy attack --json`.

    policies: name to Policy or text; the one that ships, as "default", if not given.
    attacks: names, or dictionaries; all that the profile has figures for if not given.

        lab.attack({"mine": Path("mine.toml").read_text()}, attacks=["sleeper", "sybil-16"])["verdicts"]
    """
    spec = lab_attack(
        policies=policies,
        attacks=attacks,
        fractions=fractions,
        profile=profile,
        miners=miners,
        validators=validators,
        epochs=epochs,
        challenges=challenges,
        cost_share=cost_share,
        unjudged=unjudged,
        pruned_return=pruned_return,
        seeds=list(seeds),
    )
    return drive(LabJob(spec), _executor(ray, executor, threads), checkpoint, progress)


def redteam(
    policy: Policy | str | None = None,
    *,
    profile: str | Mapping[str, Any] = PROFILE,
    evaluations: int = 2000,
    seed: int = 1,
    strategies: Sequence[str | Mapping[str, Any]] = (),
    cost_share: float = 0.5,
    unjudged: float = 0.0,
    pruned_return: bool = True,
    ray: bool = False,
    executor: Executor | None = None,
    threads: int | None = None,
    checkpoint: str | PathLike[str] | None = None,
    progress: Watch | None = None,
) -> Result:
    """An optimiser in the attacker's place, as `weighhouse policy redteam --json`.

    strategies: further ones to begin with, as dictionaries, TOML or JSON.

        lab.redteam(evaluations=20_000, progress=lambda now: print(now.evaluations, now.best))["best_response"]
    """
    spec = lab_redteam(
        policy=policy or Policy.default(),
        profile=profile,
        evaluations=evaluations,
        seed=seed,
        strategies=strategies,
        cost_share=cost_share,
        unjudged=unjudged,
        pruned_return=pruned_return,
    )
    return drive(LabJob(spec), _executor(ray, executor, threads), checkpoint, progress, sign=-1.0)


def tune(
    tuning: str | PathLike[str],
    *,
    policy: Policy | str | None = None,
    ray: bool = False,
    executor: Executor | None = None,
    threads: int | None = None,
    checkpoint: str | PathLike[str] | None = None,
    progress: Watch | None = None,
) -> Result:
    """A search for a better policy, as `weighhouse policy tune --json`.

    tuning: a tuning file, or its text.
    policy: the one to start from; the one that ships if not given.

        Path("better.toml").write_text(lab.tune("deploy/tuning.toml")["winner_text"])
    """
    text = fspath(tuning)
    if "\n" not in text:
        text = Path(text).read_text(encoding="utf-8")
    spec = lab_tune(text, policy=policy or Policy.default())
    return drive(LabJob(spec), _executor(ray, executor, threads), checkpoint, progress)


def _executor(ray: bool, executor: Executor | None, threads: int | None) -> Executor:
    if executor is not None:
        if ray:
            raise ValueError("either ray=True or an executor")
        return executor
    return RayExecutor() if ray else Local(threads)
