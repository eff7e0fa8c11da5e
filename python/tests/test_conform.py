"""Conforming gives the SDK's figures and refuses what has no honest vector."""

import math

import pytest
from conftest import load_vectors

import weighhouse as wh

LIMIT = 65535


def test_conforming_gives_the_sdks_figures() -> None:
    cases = load_vectors("bittensor/weights_conform.json")["cases"]
    assert cases
    for case in cases:
        weights = list(zip(case["uids"], case["weights"], strict=True))
        for key, limit in (("normalized", LIMIT), ("conformed", case["max_weight_limit_u16"])):
            answer = case.get(key)
            expected = dict(sorted(zip(answer["uids"], answer["values"], strict=True))) if answer else {}
            pays_zero = any(expected.get(uid) for uid, weight in weights if weight == 0)
            if pays_zero or not expected:
                with pytest.raises(wh.ConformError):
                    wh.conform(weights, max_weights_limit=limit)
            else:
                assert wh.conform(weights, max_weights_limit=limit) == expected, case["kind"]


def test_mappings_sequences_and_pairs_mean_the_same() -> None:
    expected = {0: 65535, 2: 32768}
    assert wh.conform({2: 0.5, 0: 1.0}) == expected
    assert wh.conform([1.0, 0.0, 0.5]) == expected
    assert wh.conform([(2, 0.5), (0, 1.0)]) == expected
    assert list(wh.conform({2: 0.5, 0: 1.0})) == [0, 2]


def test_zeros_fill_up_to_the_least_length() -> None:
    assert wh.conform({3: 1.0}, neurons=6, min_allowed_weights=3) == {0: 0, 1: 0, 3: 65535}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({}, "there are no weights"),
        ({1: 0.0}, "every weight is zero"),
        ({1: math.nan}, "uid 1 is not a finite number"),
        ({1: -1.0}, "uid 1 is negative"),
        ([(1, 1.0), (1, 2.0)], "uid 1 comes twice"),
    ],
)
def test_what_has_no_honest_vector_is_refused(weights: dict[int, float], message: str) -> None:
    with pytest.raises(wh.ConformError, match=message):
        wh.conform(weights)


def test_a_uid_beyond_the_subnet_is_refused() -> None:
    with pytest.raises(wh.ConformError, match="uid 7 does not exist among 4 neurons"):
        wh.conform({7: 1.0}, neurons=4)


def test_upscaling_is_the_chains() -> None:
    cases = load_vectors("yuma/math_vectors.json")["vectors"]
    cases = [case for case in cases if case["function"] == "vec_u16_max_upscale_to_u16"]
    assert cases
    for case in cases:
        assert wh.max_upscale(case["inputs"]["vector_u16"]) == case["expected"]
