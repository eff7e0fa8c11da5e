"""Policies: read, changed, named, examined, and what they make of scores."""

import copy
import hashlib
import pickle
from pathlib import Path

import pytest

import weighhouse as wh

WINDOW = 'version = 2\n[average]\nkind = "window"\nepochs = 4\n[newcomer]\nmin_attempts = 2\n'


def test_the_default_is_named_by_its_bytes() -> None:
    policy = wh.Policy.default()
    assert policy.version == 2
    assert policy.hash == hashlib.sha256(policy.text.encode()).hexdigest()
    assert wh.Policy.parse(policy.text) == policy
    assert wh.Policy.parse(policy.text + "\n# comment\n") != policy


def test_policies_are_read_from_files_copied_and_pickled(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(WINDOW)
    policy = wh.Policy.load(path)
    assert policy.text == WINDOW
    assert {policy, copy.copy(policy), pickle.loads(pickle.dumps(policy))} == {policy}
    with pytest.raises(FileNotFoundError, match="absent.toml"):
        wh.Policy.load(tmp_path / "absent.toml")


def test_a_misspelt_key_is_answered_with_the_nearest() -> None:
    with pytest.raises(wh.PolicyError, match="did you mean `floor`"):
        wh.Policy.parse("version = 2\n[shape]\nflor = 0.1\n")
    with pytest.raises(wh.WeighhouseError, match="version 9"):
        wh.Policy.parse("version = 9")
    with pytest.raises(ValueError, match="shape.floor"):
        wh.Policy.default().replace({"shape.floor": 2.0})


def test_keys_are_replaced_by_their_dotted_names() -> None:
    policy = wh.Policy.default().replace({"shape.floor": 0.25, "caps.share": 0.5})
    keys = policy.to_dict()
    assert keys["shape"]["floor"] == 0.25
    assert keys["caps"]["share"] == 0.5
    assert keys["guards"] == wh.Policy.default().to_dict()["guards"]
    with pytest.raises(wh.PolicyError, match="`version` is no section"):
        policy.replace({"version.minor": 1})


def test_the_schema_describes_the_keys() -> None:
    schema = wh.schema()
    assert set(wh.Policy.default().to_dict()) <= set(schema["properties"])


def test_lint_finds_idle_keys_and_newcomers_without_time(profile: str) -> None:
    text = "version = 2\n[shape]\nexponent = 3.0\n[newcomer]\nmin_attempts = 300\n"
    live: wh.types.Live = {"tempo_blocks": 360, "immunity_blocks": 4096, "miners": 10}
    report = wh.lint(text, live=live)
    found = {finding["key"]: finding["severity"] for finding in report["findings"]}
    assert found["shape.exponent"] == "warning"
    assert found["newcomer.min_attempts"] == "error"
    assert report["vtrust"] is None
    measured = wh.lint(wh.Policy.default(), profile=profile)
    assert measured["vtrust"] is not None and 0 < measured["vtrust"][0] <= measured["vtrust"][1] <= 1
    assert {row["kind"] for row in measured["detection"]} >= {"honest", "lazy"}


def test_a_vector_follows_from_scores() -> None:
    policy = wh.Policy.default()
    assert policy.vector({1: 1.0, 2: 0.5, 3: 0.0}) == {1: 65535, 2: 32768}
    assert policy.weights({1: 1.0, 3: 0.0})[3] == 0.0
    winner = policy.replace({"shape.kind": "winner_takes_all"})
    assert winner.vector({1: 0.9, 2: 0.8}, neurons=4, min_allowed_weights=2) == {0: 0, 1: 65535}


def test_a_cluster_shares_one_weight() -> None:
    policy = wh.Policy.default().replace({"cluster.pay": "split"})
    candidates: list[wh.types.Candidate] = [
        {"uid": 1, "score": 0.8},
        {"uid": 2, "score": 0.8, "cluster": 0},
        {"uid": 3, "score": 0.8, "cluster": 0, "registered_at": 5},
    ]
    weights = policy.weights(candidates)
    assert weights[2] == weights[3] == weights[1] / 2


@pytest.mark.parametrize("score", [-0.1, 1.5, float("nan")])
def test_a_score_outside_its_range_is_refused(score: float) -> None:
    with pytest.raises(wh.InputError, match="a score of"):
        wh.Policy.default().vector({1: score})


def test_a_track_folds_epochs_and_is_rated() -> None:
    policy = wh.Policy.parse(WINDOW)
    assert wh.Track().judged_in is None
    track = wh.Track()
    track.fold(policy, [0.5], epoch=3)
    assert (track.average, track.attempts, track.judged_in) == (0.5, 1, 3)
    assert policy.rate(track, epoch=3)["rating"] == "too_few_attempts"
    track.fold(policy, [1.0, -0.5, 1.0], epoch=4)
    assert track.average == 0.5
    assert track.score(policy, epoch=4) == 0.5
    assert track.error > 0
    rated = policy.rate(track, epoch=4)
    assert (rated["average"], rated["score"], rated["rating"]) == (500_000_000, 500_000_000, "scored")
    assert policy.rate(track, epoch=1000)["rating"] == "too_old"


def test_noise_and_its_mirror_image_earn_nothing_together() -> None:
    policy = wh.Policy.default()
    track = wh.Track()
    for epoch in range(20):
        track.fold(policy, [0.9, -0.9] * 8, epoch=epoch)
    assert track.average == 0.0
    assert track.score(policy, epoch=19) == 0.0


def test_late_answers_are_worth_no_more_than_silence() -> None:
    policy = wh.Policy.parse("version = 2\n[deadline]\nmilliseconds = 100\n")
    track = wh.Track()
    track.fold(policy, [1.0, 1.0, 1.0, 1.0], epoch=0, latencies_us=[50_000, 100_001, None, 100_000])
    assert track.average == 0.5


def test_folding_refuses_what_no_epoch_holds() -> None:
    policy = wh.Policy.default()
    track = wh.Track()
    track.fold(policy, [0.5], epoch=3)
    with pytest.raises(wh.InputError, match="fold them in order"):
        track.fold(policy, [0.5], epoch=3)
    with pytest.raises(wh.InputError, match="a mark of 1.5"):
        track.fold(policy, [1.5], epoch=4)
    with pytest.raises(wh.InputError, match="1 latencies for 2 marks"):
        track.fold(policy, [0.5, 0.5], epoch=4, latencies_us=[1])
    assert (track.attempts, track.judged_in) == (1, 3)
