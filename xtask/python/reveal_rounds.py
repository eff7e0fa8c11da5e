"""Writes the golden reveal rounds: `python reveal_rounds.py > chain/testdata/bittensor/reveal_rounds.json`.

Needs `pip install bittensor==11.3.0`. A subnet lives through 1,000 epochs with tempo changes and triggered epochs; once
in each, `bittensor_core.get_encrypted_commit_v2` is asked for the reveal round of weights committed then.

The library reads the clock itself. Asked with a block time of 3,000,000 s, one block is a million rounds, so the
number of blocks it waits is exact whatever the time; asked with 12 s, its round is kept with the times before and after.
"""

import json
import random
import sys
import time

import bittensor_core

EPOCHS = 1_000
GENESIS, PERIOD = 1_692_803_367, 3
TEMPO_MAX = 50_400
FREEZE = 10


class Schedule:
    def __init__(self):
        self.block, self.last, self.pending, self.epoch, self.tempo, self.since = 1_000, 950, 0, 7, 100, 50

    def due(self, block):
        return (
            (0 < self.pending <= block)
            or self.since > TEMPO_MAX
            or block - self.last >= self.tempo
        )

    def step(self):
        self.block += 1
        self.since += 1
        if self.due(self.block):
            self.last, self.pending, self.since = self.block, 0, 0
            self.epoch += 1
            return True
        return False


def ask(schedule, period, block_time):
    before = time.time_ns()
    _, round_ = bittensor_core.get_encrypted_commit_v2(
        uids=[0], weights=[1], version_key=0, last_epoch_block=schedule.last, pending_epoch_at=schedule.pending,
        subnet_epoch_index=schedule.epoch, tempo=schedule.tempo, blocks_since_last_step=schedule.since,
        current_block=schedule.block, subnet_reveal_period_epochs=period, block_time=block_time,
        hotkey=bytes(32),
    )
    return before, round_, time.time_ns()


def blocks_waited(schedule, period):
    seconds = 3e6
    before, round_, _ = ask(schedule, period, seconds)
    since = (before // 10**9 - GENESIS) // PERIOD
    blocks, rest = divmod(round_ - since, 10**6)
    assert rest < 1000, (round_, rest)
    return blocks


def main():
    draw = random.Random(3)
    schedule, cases = Schedule(), []
    while len(cases) < EPOCHS:
        asked_at = draw.randrange(1, schedule.tempo + 1)
        while not schedule.step():
            if schedule.block - schedule.last == asked_at:
                change = draw.randrange(5)
                if change == 0:
                    schedule.tempo = draw.choice([2, 3, 10, 20, 99, 360, 361, 720, 5_000])
                    schedule.last = schedule.block
                    asked_at = -1
                elif change == 1 and schedule.tempo > FREEZE and schedule.pending == 0:
                    schedule.pending = schedule.block + FREEZE
                elif change == 2 and draw.randrange(20) == 0:
                    schedule.since = TEMPO_MAX - draw.randrange(-3, 30)
                period = draw.choice([1, 1, 1, 2, 3, 10])
                state = [schedule.block, schedule.last, schedule.pending, schedule.epoch, schedule.tempo, schedule.since]
                case = {"state": state, "reveal_period": period, "blocks": blocks_waited(schedule, period)}
                if len(cases) % 10 == 0:
                    before, round_, after = ask(schedule, period, 12.0)
                    case["clock"] = {"before_ns": before, "round": round_, "after_ns": after}
                cases.append(case)
    source = "bittensor_core 0.1.5, get_encrypted_commit_v2; made by xtask/python/reveal_rounds.py"
    note = "state: block, last epoch block, pending epoch at, epoch, tempo, blocks since the last step. blocks: from the"
    note += " head to the block whose round is asked for, three after the first block of the reveal"
    head = {"source": source, "note": note}
    lines = ",\n".join("  " + json.dumps(case) for case in cases[:EPOCHS])
    print(json.dumps(head)[:-1] + ', "cases": [\n' + lines + "\n]}")


if __name__ == "__main__":
    sys.exit(main())
