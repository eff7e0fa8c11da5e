"""A journal replayed into an Arrow table. Needs pyarrow, which `pip install weighhouse[arrow]` brings."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

from . import _native
from ._native import Policy

if TYPE_CHECKING:
    import pyarrow


def replay(journal: str | PathLike[str], *, policy: Policy | str | None = None) -> pyarrow.Table:
    """Replay a validator's journal: a row for each epoch and scored miner.

    Under the recorded policies `matches` says whether the replay gives what the validator meant to publish; another
    `policy` carries its averages from the first epoch on. `weight` is out of 65535, `share` its part of the vector; both
    are null where the policy abstains, and `why` says so.
    """
    try:
        import pyarrow as pa
    except ImportError as error:
        message = "replay() needs pyarrow: pip install 'weighhouse[arrow]'; replay_epochs() does without"
        raise ImportError(message) from error
    schema = pa.schema(
        [
            pa.field("epoch", pa.uint64(), nullable=False),
            pa.field("uid", pa.uint16(), nullable=False),
            pa.field("hotkey", pa.string(), nullable=False),
            pa.field("registered_at", pa.uint64(), nullable=False),
            pa.field("attempts", pa.uint64(), nullable=False),
            pa.field("score", pa.float64(), nullable=False),
            pa.field("rating", pa.string(), nullable=False),
            pa.field("weight", pa.uint16()),
            pa.field("share", pa.float64()),
            pa.field("decision", pa.string(), nullable=False),
            pa.field("why", pa.string()),
            pa.field("published", pa.bool_(), nullable=False),
            pa.field("matches", pa.bool_()),
        ]
    )
    columns = _native.replay_columns(journal, policy=policy)
    # With the schema's types: a column that holds nothing but None would become one of nulls.
    return pa.table([pa.array(columns[field.name], field.type) for field in schema], schema=schema)
