"""A judge is asked as a validator asks it, without a network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from judges import Doubling, Honest, Lazy, Measuring, NotANumber, Ranking, Sealed, Sealing
from weighhouse.judge import Answer, Challenge, Malformed, Outcome, Verdict, accepted, scored, wrong
from weighhouse.judge.digest import digest
from weighhouse.judge.service import JudgeFault
from weighhouse.serve import Inputs, Model, Tensors
from weighhouse.testing import JudgeHarness


def test_an_honest_answer_earns_and_a_lazy_one_does_not() -> None:
    harness = JudgeHarness(Doubling())
    assert harness.mean_mark(Honest(), rounds=4) == 1
    assert harness.mean_mark(Lazy(), rounds=4) == 0


def test_a_seed_gives_one_challenge() -> None:
    harness = JudgeHarness(Doubling(), items=3)
    harness.check_repeatable([Honest(), Lazy()])
    assert harness.draw(1).inputs["x"].tolist() != harness.draw(2).inputs["x"].tolist()
    assert harness.draw(1).items == 3


def test_a_judge_that_draws_by_another_chance_is_found() -> None:
    class Careless(Doubling):
        def draw(self, rng: np.random.Generator, items: int) -> Challenge:
            return Challenge({"x": np.random.default_rng().random(items)})

    with pytest.raises(AssertionError, match="two challenges"):
        JudgeHarness(Careless()).check_repeatable()


def test_a_judge_that_judges_by_chance_is_found() -> None:
    class Moody(Doubling):
        moods = iter(range(100))

        def judge(self, challenge: Challenge, answer: Answer) -> Verdict:
            return wrong(f"mood {next(self.moods)}")

    with pytest.raises(AssertionError, match="two verdicts"):
        JudgeHarness(Moody()).check_repeatable([Honest()])


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ({}, "no output 'y'"),
        ({"y": np.zeros(16)}, "float64, not float32"),
        ({"y": np.zeros(15, np.float32)}, "[15], not [16]"),
        ({"y": np.full(16, np.inf, np.float32)}, "not finite"),
        ({"y": ["a"] * 16}, "object, not float32"),
    ],
)
def test_a_wrong_form_is_the_miners_fault(answer: Tensors, what: str) -> None:
    verdict = JudgeHarness(Doubling()).judge(answer)
    assert (verdict.outcome, verdict.mark) == (Outcome.MALFORMED, 0)
    assert what in verdict.text


def test_an_exception_is_the_judges_own_fault() -> None:
    class Broken(Doubling):
        def judge(self, challenge: Challenge, answer: Answer) -> Verdict:
            return accepted(1 / (challenge.items - 16))

    with pytest.raises(JudgeFault, match=r"ZeroDivisionError.*test_judge.py"):
        JudgeHarness(Broken()).judge({"y": np.zeros(16, np.float32)})


def test_answers_are_judged_together_and_malformed_ones_set_aside() -> None:
    told = JudgeHarness(Ranking()).round([Lazy(), NotANumber(), Honest(), Lazy()])
    outcomes = [verdict.outcome for verdict in told.verdicts]
    assert outcomes == [Outcome.WRONG, Outcome.MALFORMED, Outcome.ACCEPTED, Outcome.WRONG]
    assert told.alike == [[0, 3]]


def test_a_testimony_is_what_is_judged() -> None:
    class Writer(Model):
        def infer(self, inputs: Inputs) -> Tensors:
            return {"text": ["five!"]}

    harness = JudgeHarness(Measuring())
    assert harness.mean_mark(Writer(), rounds=2) == 0.5
    assert harness.judge({"text": np.array([b"\xff"])}).outcome is Outcome.MALFORMED


def test_a_sealed_answer_is_judged_when_the_truth_is_known() -> None:
    harness = JudgeHarness(Sealed())
    with pytest.raises(LookupError, match="after 1 epochs"):
        harness.round([Sealing()], epochs=1)
    assert [verdict.mark for verdict in harness.round([Sealing()], epochs=2).verdicts] == [1]


@pytest.mark.parametrize("first", [{}, {"seal": np.zeros(1)}])
def test_a_malformed_first_answer_costs_nobody_else_the_round(first: Tensors) -> None:
    class Sealless(Model):
        def infer(self, inputs: Inputs) -> Tensors:
            return {"y": np.zeros(16, np.float32)} if "malformed" in inputs else first

    class Strict(Sealed):
        def follow_up(self, rng: np.random.Generator, items: int, answers: Sequence[Answer]) -> Challenge:
            return Challenge({"seal": answers[0].array("seal", (1,), object)})

    told = JudgeHarness(Strict()).round([Sealless(), Sealless()], epochs=2)
    assert {verdict.outcome for verdict in told.verdicts} == {Outcome.MALFORMED}


def test_malformed_among_many_has_to_say_which() -> None:
    class Vague(Ranking):
        def alike(self, challenge: Challenge, answers: object) -> list[list[int]]:
            raise Malformed("something is off")

    with pytest.raises(JudgeFault, match="which answer"):
        JudgeHarness(Vague()).round([Honest(), Lazy()])


@pytest.mark.parametrize("mark", [math.nan, math.inf, 1.000001, -1.000001])
def test_a_mark_outside_its_range_is_refused(mark: float) -> None:
    with pytest.raises(ValueError, match="outside"):
        Verdict(mark)


def test_only_what_is_accepted_may_be_worth_something() -> None:
    with pytest.raises(ValueError, match="only an accepted one"):
        Verdict(0.5, Outcome.WRONG)
    for mark in (0, -0.2):
        with pytest.raises(ValueError, match=r"only a mark above 0 is accepted; scored\(mark, text\)"):
            accepted(mark)
    assert wrong("why\nnot", mark=-1).text == "why not"


def test_a_score_is_accepted_above_guessing_and_wrong_from_there_down() -> None:
    assert scored(np.float32(0.5), "half") == Verdict(0.5, Outcome.ACCEPTED, "half")
    assert scored(0, "guess") == Verdict(0.0, Outcome.WRONG, "guess")
    assert scored(-0.25) == Verdict(-0.25, Outcome.WRONG)
    assert scored(-math.inf).mark == -1
    for mark in (math.nan, 1.5):
        with pytest.raises(ValueError, match="outside"):
            scored(mark)


def test_a_mark_in_the_place_of_the_text_is_named() -> None:
    swapped: Any = ("AUC 0.4", -0.2)
    with pytest.raises(TypeError, match=r"wrong\(text, mark\) was given -0.2 for its text"):
        wrong(*reversed(swapped))
    for call in (accepted, scored):
        with pytest.raises(TypeError, match=r"\(mark, text\) was given 'AUC 0.4' for its mark"):
            call(*swapped)


def test_an_output_that_the_challenge_does_not_ask_for_is_the_judges_own_fault() -> None:
    class Misspelt(Doubling):
        def draw(self, rng: np.random.Generator, items: int) -> Challenge:
            return Challenge(super().draw(rng, items).inputs, outputs=["y"])

        def judge(self, challenge: Challenge, answer: Answer) -> Verdict:
            return scored(float(answer.array("z", (-1,))[0]))

    with pytest.raises(JudgeFault, match=r"no output 'z': its outputs are 'y' \(test_judge.py, line \d+, in judge\)"):
        JudgeHarness(Misspelt()).judge({"z": np.ones(16, np.float32)})


def test_a_mean_says_why_every_answer_was_malformed() -> None:
    harness = JudgeHarness(Doubling())
    assert repr(harness.mean_mark(NotANumber(), rounds=2)) == (
        "0.0 (every answer was malformed: y holds a number that is not finite)"
    )
    assert repr(harness.mean_mark(Lazy(), rounds=2)) == "0.0"
    assert [verdict.outcome for verdict in harness.verdicts(Lazy(), rounds=2)] == [Outcome.WRONG] * 2


def test_a_digest_covers_names_and_contents(tmp_path: Path) -> None:
    folder = tmp_path / "judge"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "__init__.py").write_text("a = 1\n")
    first = digest(folder)
    (folder / "__pycache__" / "x.pyc").write_bytes(b"compiled")
    (folder / ".swp").write_bytes(b"an editor's")
    assert digest(folder) == first
    (folder / "table.csv").write_text("1\n")
    assert digest(folder) != first
    file = tmp_path / "judge.py"
    file.write_text("a = 1\n")
    # Held by the Rust side too.
    assert digest(file).hex() == "6e23de88a644d170c6c07eaec4bd6b367bab8fd5f569dac5d00d9ea621cd1e70"
