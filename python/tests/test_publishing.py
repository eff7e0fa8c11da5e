"""Publishing hands the weights to the command as they are, and tells what came of them in its words."""

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest

from weighhouse.publishing import Published, PublishError, publish

# A command that notes what it was given, and answers as the real one does.
STAND_IN = """#!{python}
import json, sys
from pathlib import Path
given = {{"arguments": sys.argv[1:], "weights": json.load(sys.stdin)}}
Path({noted!r}).write_text(json.dumps(given))
print("epoch 7: signed", file=sys.stderr)
if not given["weights"]:
    print("error: standard input: it has no weights", file=sys.stderr)
    sys.exit(65)
print(json.dumps({{"epoch": 7, "intent": "ab", "weights": [[1, 65535], [2, 21845]], "state": "published", "block": 90}}))
"""


@pytest.fixture
def command(tmp_path: Path) -> Path:
    path = tmp_path / "weighhouse"
    path.write_text(STAND_IN.format(python=sys.executable, noted=str(tmp_path / "noted.json")))
    path.chmod(0o755)
    return path


def noted(command: Path) -> Any:
    return json.loads((command.parent / "noted.json").read_text())


def test_weights_reach_the_command_and_its_answer_comes_back(command: Path) -> None:
    published = publish({1: 3, 2: 1.0}, config="finney.toml", journal="given", program=command)
    assert published == Published(7, "ab", "published", 90, {1: 65535, 2: 21845})
    given = noted(command)
    assert given["weights"] == [[1, 3.0], [2, 1.0]]
    options = ["--json", "--config", "finney.toml", "--until", "published", "--journal", "given"]
    assert given["arguments"] == ["weights", "put", "-", *options]
    publish([("5F", 0.5), (4, 0.5)], until="committed", program=command)
    assert noted(command)["weights"] == [["5F", 0.5], [4, 0.5]]


def test_a_refusal_has_the_commands_last_words_and_its_exit_code(command: Path) -> None:
    with pytest.raises(PublishError, match="standard input: it has no weights") as refused:
        publish({}, program=command)
    assert refused.value.exit_code == 65


def test_what_is_no_number_never_leaves(command: Path) -> None:
    with pytest.raises(PublishError, match="the weight of 1 is no finite number"):
        publish({1: math.nan}, program=command)
    assert not (command.parent / "noted.json").exists()


def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="there is no such command") as refused:
        publish({1: 1.0}, program=tmp_path / "absent")
    assert refused.value.exit_code == 66
