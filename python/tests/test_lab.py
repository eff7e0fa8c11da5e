"""The lab's long commands: the same bytes from any executor, in any order, from the middle; interrupts; refusals."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import weighhouse as wh
from weighhouse import lab
from weighhouse._native import LabJob

SMALL: dict[str, Any] = {
    "miners": 12,
    "validators": 3,
    "epochs": 20,
    "attacks": ["lazy", "sybil-2"],
    "fractions": [0.0, 0.4],
}
TUNING = """version = 1
seed = 7
evaluations = 24
decision = "sum"
finalists = 2

[[parameter]]
key = "shape.floor"
low = 0
high = 0.6

[[objective]]
measure = "attack_profit"

[worlds]
profile = "digits-conformance-private"
miners = 12
validators = 3
attacks = ["lazy"]
fractions = [0.4]

[train]
seeds = [1, 2]
epochs = 20

[held_out]
seeds = [11, 12]
epochs = 20
"""


class Backwards:
    """Answers one unit after the other, the last one first, each through its job's spec."""

    def __init__(self) -> None:
        self.units: list[str] = []

    def answer(self, job: LabJob, units: Sequence[str]) -> Iterator[tuple[list[int], list[str]]]:
        elsewhere = LabJob(job.spec)
        assert elsewhere.digest == job.digest
        for at in reversed(range(len(units))):
            self.units.append(units[at])
            yield [at], elsewhere.answer([units[at]], threads=1)


class Breaks(Backwards):
    """Is interrupted after some units."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def answer(self, job: LabJob, units: Sequence[str]) -> Iterator[tuple[list[int], list[str]]]:
        for answered in super().answer(job, units):
            if len(self.units) > self.after:
                raise KeyboardInterrupt
            yield answered


def of(kind: str, **options: Any) -> lab.Result:
    if kind == "attack":
        return lab.attack(**SMALL, seeds=[1, 2], **options)
    if kind == "redteam":
        return lab.redteam(evaluations=60, **options)
    return lab.tune(TUNING, **options)


@pytest.mark.parametrize("kind", ["attack", "redteam", "tune"])
def test_the_same_bytes_whoever_answers(kind: str, tmp_path: Path) -> None:
    expected = of(kind, threads=1)
    assert of(kind, threads=3).json == expected.json
    assert of(kind, executor=Backwards()).json == expected.json
    # Interrupted, then taken up with what was answered already.
    kept, broken, rest = tmp_path / "kept", Breaks(9), Backwards()
    with pytest.raises(KeyboardInterrupt):
        of(kind, executor=broken, checkpoint=kept)
    assert of(kind, executor=rest, checkpoint=kept).json == expected.json
    answered = set(json.loads(kept.read_text())["answers"])
    assert len(broken.units) == 10 and not set(broken.units[:9]) & set(rest.units)
    assert set(broken.units) | set(rest.units) == answered
    # And once more, with nothing left to do.
    nobody = Breaks(0)
    assert of(kind, executor=nobody, checkpoint=kept).json == expected.json and not nobody.units


def test_a_result_is_a_dictionary_and_the_commands_text() -> None:
    found = of("attack")
    assert found == json.loads(found.json)
    assert [verdict["policy"] for verdict in found["verdicts"]] == ["default"]
    base = wh.scenario("digits-conformance-private", miners=12, validators=3, epochs=20)
    base["judging"]["challenges"] = 32
    matrix = wh.attack_matrix(base, attacks=SMALL["attacks"], fractions=SMALL["fractions"], seeds=[1, 2])
    assert found["matrix"] == matrix["matrix"]


def test_progress_counts_units_and_tells_the_best() -> None:
    seen: list[lab.Progress] = []
    found = lab.redteam(evaluations=60, progress=seen.append)
    assert [now.answered for now in seen] == sorted(now.answered for now in seen)
    assert seen[-1].evaluations > 0 and seen[-1].waiting == 0
    assert seen[-1].best is not None and seen[-1].best >= 1.0
    assert found["evaluations"] >= 60


def test_foreign_and_torn_checkpoints_are_refused(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    of("attack", checkpoint=kept)
    with pytest.raises(wh.InputError, match="another job"):
        of("tune", checkpoint=kept)
    kept.write_text("{")
    with pytest.raises(wh.InputError, match="no checkpoint"):
        of("attack", checkpoint=kept)


def test_refusals_name_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(wh.ScenarioError, match="seeds"):
        lab.attack(seeds=[1])
    with pytest.raises(wh.ScenarioError, match="fractions"):
        lab.attack(fractions=[2.0])
    with pytest.raises(ValueError, match="either"):
        of("attack", ray=True, executor=Backwards())
    with pytest.raises(wh.InputError):
        LabJob("{}")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"pip install 'weighhouse\[ray\]'"):
        of("attack", ray=True)
