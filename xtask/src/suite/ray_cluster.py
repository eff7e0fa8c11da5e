"""The lab's commands on a Ray cluster of two workers against one machine: ray_cluster.py BINARY attack|redteam|tune|resume."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster

from weighhouse import lab

binary, check = sys.argv[1:]

HELD: dict[str, Any] = {"object_store_memory": 80 * 1024 * 1024}
TUNING = """version = 1
seed = 7
evaluations = 60
decision = "sum"
finalists = 3

[[parameter]]
key = "average.half_life"
low = 2
high = 60
logarithmic = true

[[parameter]]
key = "shape.floor"
low = 0
high = 0.6

[[objective]]
measure = "attack_profit"

[[objective]]
measure = "vtrust"

[worlds]
profile = "digits-conformance-private"
miners = 16
validators = 4
attacks = ["lazy", "sleeper", "sybil"]
fractions = [0.0, 0.4]

[train]
seeds = [1, 2]
epochs = 40

[held_out]
seeds = [11, 12, 13]
epochs = 60
"""


def on_one_machine(*words: str) -> str:
    done = subprocess.run([binary, "policy", *words, "--json"], check=True, capture_output=True, text=True)
    return done.stdout.rstrip("\n")


class Workers:
    """Two nodes of one CPU each beside a head that computes nothing; each is a raylet with processes of its own."""

    def __init__(self) -> None:
        self.cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "include_dashboard": False, **HELD},
        )
        self.nodes = [self._begin(), self._begin()]
        ray.init(address=self.cluster.address, log_to_driver=False, logging_level="WARNING")
        self.cluster.wait_for_nodes()

    def _begin(self) -> Any:
        return self.cluster.add_node(num_cpus=1, **HELD)

    def kill_one(self) -> None:
        self.cluster.remove_node(self.nodes.pop(), allow_graceful=False)

    def end(self) -> None:
        ray.shutdown()
        self.cluster.shutdown()


def survives(run: Callable[[Callable[[lab.Progress], None]], lab.Result], after: int, expected: str) -> None:
    """The run, one worker of which dies after that many answers, ends with the expected bytes."""
    workers = Workers()
    killed: list[int] = []

    def watch(now: lab.Progress) -> None:
        if now.answered >= after and not killed:
            killed.append(now.answered)
            workers.kill_one()

    began = time.monotonic()
    found = run(watch)
    seconds = time.monotonic() - began
    workers.end()
    assert killed, "the run was over before a worker was killed"
    assert found.json == expected, "the result differs from that of one machine"
    print(f"{check}: {len(expected)} bytes alike, a worker killed after {killed[0]} answers, {seconds:.1f} s")


def resumed() -> None:
    expected = on_one_machine("redteam", "--evaluations", "1500")
    kept = Path("redteam.checkpoint")
    code = f"from weighhouse import lab; lab.redteam(evaluations=1500, checkpoint={str(kept)!r})"
    with subprocess.Popen([sys.executable, "-c", code]) as child:
        deadline = time.monotonic() + 60
        while not kept.exists() and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL, f"it ended by itself, with {child.returncode}"
    answers = len(json.loads(kept.read_text())["answers"])
    assert answers > 0
    workers = Workers()
    taken: list[lab.Progress] = []
    found = lab.redteam(evaluations=1500, checkpoint=kept, ray=True, progress=taken.append)
    workers.end()
    assert taken[0].answered >= answers, f"{answers} answers were there, it began with {taken[0]}"
    assert found.json == expected, "the resumed run differs from that of one machine"
    print(f"resume: {answers} answers taken over from a killed process, {len(expected)} bytes alike")


if check == "attack":
    expected = on_one_machine("attack", "--seeds", "16")
    survives(lambda watch: lab.attack(seeds=range(1, 17), ray=True, progress=watch), 500, expected)
elif check == "redteam":
    expected = on_one_machine("redteam", "--evaluations", "1500")
    survives(lambda watch: lab.redteam(evaluations=1500, ray=True, progress=watch), 500, expected)
elif check == "tune":
    Path("tuning.toml").write_text(TUNING)
    expected = on_one_machine("tune", "tuning.toml")
    survives(lambda watch: lab.tune("tuning.toml", ray=True, progress=watch), 20, expected)
else:
    resumed()
