"""Shapes of the dictionaries that go in and come out; every amount names its unit or its range."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

Row = Sequence[tuple[int, int] | list[int]]


class Hyperparameters(TypedDict, total=False):
    """What a Yuma epoch reads of a subnet's settings; proportions are out of 65535."""

    kappa: int
    bonds_penalty: int
    bonds_moving_average: int | str
    alpha_low: int
    alpha_high: int
    alpha_sigmoid_steepness: int
    max_allowed_validators: int
    activity_cutoff: int
    stake_threshold: int | str
    liquid_alpha: bool
    yuma3: bool
    commit_reveal: bool


class _EpochInputRequired(TypedDict):
    block: int
    emission_rao: int | str
    weights: Sequence[Row]


class EpochInput(_EpochInputRequired, Hyperparameters, total=False):
    """The state that one Yuma epoch reads, an entry per uid; `stake` (or `alpha_stake`) is needed too.

    Hyperparameters stand at the top level or below `hyperparameters`, and are the chain's defaults where not given.
    Amounts of rao may be decimal strings. Without more, everybody is up to date, registered at block 0, has a permit and
    no bonds.
    """

    n: int
    tempo: int
    stake: Sequence[int | str]
    alpha_stake: Sequence[int | str]
    last_update: Sequence[int]
    block_at_registration: Sequence[int]
    validator_permit: Sequence[bool]
    bonds: Sequence[Row]
    hyperparameters: Hyperparameters
    earliest_commit_block: Sequence[int | None] | None
    last_step_boundary_block: int
    owner_uid: int | None


class _CandidateRequired(TypedDict):
    uid: int
    score: float


class Candidate(_CandidateRequired, total=False):
    """A miner that may be paid; `score` in [0, 1], miners of one `cluster` answer alike, the best `place` is 0."""

    cluster: int | None
    place: int | None
    registered_at: int


Candidates = Mapping[int, float] | Sequence[Candidate]


class Rated(TypedDict):
    """From an average to a score; amounts are billionths."""

    average: int
    error: int
    significant: int
    expressed: int
    score: int
    rating: Literal["scored", "below_min_mark", "too_few_attempts", "too_old", "no_value"]


class _LiveRequired(TypedDict):
    tempo_blocks: int
    immunity_blocks: int
    miners: int


class Live(_LiveRequired, total=False):
    """A subnet as it runs; `max_weights_limit` is out of 65535."""

    max_weights_limit: int
    reveal_epochs: int


class Finding(TypedDict):
    """One thing that lint found, and the dotted key it is about."""

    severity: Literal["note", "warning", "error"]
    key: str
    message: str


class Detection(TypedDict):
    """How fast a kind of miner is told from honest ones; `seconds` are CPU-seconds of judging."""

    kind: str
    rejected: float
    challenges: int | None
    seconds: float | None


class LintReport(TypedDict):
    """Everything found; `vtrust` is the lowest and the mean of honest validators, simulated."""

    findings: list[Finding]
    vtrust: list[float] | None
    detection: list[Detection]


class Registration(TypedDict):
    """Whom a score belongs to."""

    hotkey: str
    registered_at: int


class Scored(TypedDict):
    """A miner's score at the end of an epoch, in billionths."""

    uid: int
    who: Registration
    score: int
    attempts: int
    rating: str


class _DecisionRequired(TypedDict):
    decision: Literal["weights", "abstain"]
    scores: list[Scored]


class Decision(_DecisionRequired, total=False):
    """A vector with its version key, or why there is none."""

    vector: list[list[int]]
    version_key: int
    why: dict[str, Any]


class ReplayedEpoch(TypedDict):
    """One epoch replayed; `matches` is None for an epoch that was never decided."""

    epoch: int
    recorded_policy: str
    judgements: int
    decision: Decision
    intended: list[list[int]] | None
    published: bool
    matches: bool | None


class Change(TypedDict):
    """One miner's mean share of the vector under both policies, in [0, 1]."""

    uid: int
    who: Registration
    before: float
    after: float


class Diff(TypedDict):
    """What a change of policy does; `moved` is the share of emission that changes hands."""

    epochs: int
    first_abstains: int
    second_abstains: int
    changes: list[Change]
    moved: float
    equal: int


class Explanation(TypedDict):
    """One miner's way from its answers to its weight; amounts without a unit are billionths."""

    epoch: int
    uid: int
    who: Registration
    verdicts: list[dict[str, Any]]
    awaiting: int
    epoch_mean: int
    in_time: int
    carried: int | None
    attempts: int
    rated: Rated
    cluster: int | None
    place: int | None
    share: float
    weight: int | None
    abstains: str | None


class MinerOutcome(TypedDict):
    """One group of miners after a run; costs and profit in CPU-seconds."""

    name: str
    attacker: bool
    operators: int
    emission_rao: int
    emission_by_epoch_rao: list[int]
    cost: float
    unjudged_cost: float
    registrations: int
    registration_rao: int
    evictions: int
    profit: float
    return_per_cost: float | None
    quality: float
    dishonest: int
    detected: int
    epochs_to_detect: float | None


class ValidatorOutcome(TypedDict):
    """One group of validators after a run."""

    name: str
    count: int
    stake_rao: int
    emission_rao: int
    settled_rao: int
    dividend_per_stake: float
    vtrust_mean: float
    cost: float
    profit: float
    settled_profit: float


class Newcomers(TypedDict):
    """Honest miners that registered after the start."""

    count: int
    reached: int
    epochs_mean: float | None
    epochs_most: int | None


class Outcome(TypedDict):
    """What came of one run, with the measured figures that it rests on."""

    seed: int
    epochs: int
    profile: dict[str, Any]
    rao_value: float
    miners: list[MinerOutcome]
    validators: list[ValidatorOutcome]
    dividends: list[tuple[int, int]]
    rank_correlation: float | None
    vtrust_least: float
    vtrust_mean: float
    newcomers: Newcomers
    misdirected_rao: int
    miners_rao: int
    validators_rao: int
    burned_rao: int
    dust_rao: int
    abstentions: int


class AttackRow(TypedDict):
    """One cell of the matrix; `profit_ratio` is attacking over honest work in the same place."""

    attack: str
    fraction: float
    policy: str
    detectable: bool
    profit_ratio: float | None
    ci95: list[float] | None
    honest_loss: float
    displacement: float
    validator_loss: float
    harmed_stake: float
    profit: float
    honest_profit: float
    detected: float
    epochs_to_detect: float | None
    vtrust_least: float


class SweepRow(TypedDict):
    """The best attack at up to 40 % bad miners under another cost share and number of unjudged requests."""

    policy: str
    cost_share: float
    unjudged: float
    attack: str
    fraction: float
    profit_ratio: float
    ci95: list[float]


class AttackMatrix(TypedDict):
    """Attack by fraction by policy, with the measured figures that it rests on."""

    matrix: list[AttackRow]
    left_out: list[tuple[str, float]]
    profile: dict[str, Any]
    seeds: list[int]
    epochs: int
    assumptions: dict[str, Any]
    sweep: list[SweepRow]
    rao_value: float
