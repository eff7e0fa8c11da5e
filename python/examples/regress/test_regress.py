"""What the example pays, tried without a network: `pytest` in this folder."""

from judge import Regress
from models import Better, Copycat, Honest, Mean, NotANumber
from weighhouse.judge import Outcome
from weighhouse.testing import JudgeHarness


def test_work_earns_and_better_work_earns_more() -> None:
    harness = JudgeHarness(Regress(), items=64)
    assert harness.mean_mark(Better()) > harness.mean_mark(Honest()) > 0.7


def test_cheats_earn_nothing() -> None:
    harness = JudgeHarness(Regress(), items=64)
    for cheat in (Mean(), Copycat(), NotANumber()):
        assert harness.mean_mark(cheat) <= 0, cheat
    assert harness.round([NotANumber()]).verdicts[0].outcome is Outcome.MALFORMED


def test_the_judge_repeats_itself() -> None:
    JudgeHarness(Regress()).check_repeatable([Honest(), Copycat()])
