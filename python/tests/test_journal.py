"""A validator's journal: replayed to the byte, under another policy, into Arrow, compared and explained."""

import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

import weighhouse as wh

EPOCHS = [7, 8, 9, 10]


def test_the_recorded_policy_gives_what_was_published(journal: Path) -> None:
    epochs = wh.replay_epochs(journal)
    assert [epoch["epoch"] for epoch in epochs] == EPOCHS
    assert [epoch["matches"] for epoch in epochs] == [True] * 4
    assert [epoch["published"] for epoch in epochs] == [True, True, True, False]
    assert all(epoch["recorded_policy"] == wh.Policy.default().hash for epoch in epochs)
    for epoch in epochs[:3]:
        assert epoch["decision"]["vector"] == epoch["intended"]
    assert epochs[3]["decision"]["decision"] == "abstain"


def test_the_table_has_a_row_for_each_epoch_and_scored_miner(journal: Path) -> None:
    table = wh.replay(journal)
    assert table.num_rows == 16
    assert table.schema.field("weight").type == pa.uint16()
    assert table.schema.field("score").type == pa.float64()
    rows = table.to_pylist()
    assert {row["epoch"] for row in rows} == set(EPOCHS)
    for epoch, vector in zip(EPOCHS, wh.replay_epochs(journal), strict=True):
        mine = [row for row in rows if row["epoch"] == epoch]
        assert [row["uid"] for row in mine] == [1, 2, 3, 4]
        if vector["decision"]["decision"] == "weights":
            weights = {uid: weight for uid, weight in vector["decision"]["vector"] if weight}
            assert {row["uid"]: row["weight"] for row in mine if row["weight"]} == weights
            assert sum(row["share"] for row in mine) == pytest.approx(1.0)
            assert all(row["matches"] and row["published"] and row["why"] is None for row in mine)
        else:
            assert all(row["weight"] is None and row["share"] is None for row in mine)
            assert "1 of 4 miners judged" in mine[0]["why"]
    first = rows[0]
    assert (first["score"], first["rating"], first["registered_at"]) == (0.95, "scored", 10)
    assert first["hotkey"].startswith("5") and len(first["hotkey"]) == 48


def test_another_policy_gives_another_table(journal: Path) -> None:
    strict = wh.Policy.default().replace({"shape.floor": 0.9})
    rows = wh.replay(journal, policy=strict).to_pylist()
    assert [row["uid"] for row in rows if row["epoch"] == 9 and row["weight"]] == [1]
    assert not any(row["matches"] for row in rows if row["epoch"] == 9)


def test_a_diff_says_who_gains(journal: Path) -> None:
    default = wh.Policy.default()
    diff = wh.diff(journal, default, default.replace({"shape.floor": 0.9}).text)
    assert (diff["epochs"], diff["equal"]) == (3, 1)
    assert [change["uid"] for change in diff["changes"]] == [1, 2]
    assert diff["changes"][0]["after"] > diff["changes"][0]["before"]
    assert 0 < diff["moved"] < 1
    assert wh.diff(journal, default, default)["moved"] == 0


def test_an_explanation_follows_one_miner(journal: Path) -> None:
    way = wh.explain(journal, uid=1)
    assert (way["epoch"], way["weight"]) == (10, None)
    assert way["abstains"] is not None and "1 of 4 miners judged" in way["abstains"]
    way = wh.explain(journal, uid=2, epoch=8)
    assert len(way["verdicts"]) == 4
    assert way["epoch_mean"] == 700_000_000
    assert way["carried"] == 900_000_000
    with pytest.raises(wh.JournalError, match="no epoch 99"):
        wh.explain(journal, uid=1, epoch=99)
    with pytest.raises(wh.JournalError, match="nothing of uid 77"):
        wh.explain(journal, uid=77)


def test_a_damaged_file_is_refused_by_name(journal: Path, tmp_path: Path) -> None:
    broken = tmp_path / "journal"
    shutil.copytree(journal, broken)
    file = sorted(broken.glob("*.wj"))[1]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(wh.JournalError, match=file.name):
        wh.replay_epochs(broken)


def test_a_folder_without_epochs_and_no_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(wh.JournalError, match="no epochs here"):
        wh.replay_epochs(tmp_path)
    with pytest.raises(FileNotFoundError):
        wh.replay_epochs(tmp_path / "absent")


def test_a_table_without_pyarrow_says_what_to_install(journal: Path) -> None:
    script = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "import weighhouse as wh\n"
        f"assert len(wh.replay_epochs({str(journal)!r})) == 4\n"
        f"wh.replay({str(journal)!r})\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "pip install 'weighhouse[arrow]'" in ended.stderr
