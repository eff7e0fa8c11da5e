"""What this subnet pays, tried without a network: `pytest`."""

from judge import Curve
from miner import Honest
from personas import Echo, Mean, NotANumber, Straight

from weighhouse.testing import JudgeHarness

ITEMS = 32


def test_work_earns_and_half_of_it_earns_less() -> None:
    harness = JudgeHarness(Curve(), items=ITEMS)
    assert harness.mean_mark(Honest()) > harness.mean_mark(Straight()) > 0


def test_cheats_earn_nothing() -> None:
    harness = JudgeHarness(Curve(), items=ITEMS)
    for cheat in (Mean(), Echo(), NotANumber()):
        assert harness.mean_mark(cheat) <= 0, cheat


def test_an_auditor_gets_the_same_again() -> None:
    JudgeHarness(Curve(), items=ITEMS).check_repeatable([Honest(), Echo()])
