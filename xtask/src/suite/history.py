"""Opens exported tables with pyarrow and DuckDB: history.py V1_TABLES V2_TABLES DOCS_PAGE."""

import re
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

first, second, page = map(Path, sys.argv[1:])

UTC = pa.timestamp("us", tz="UTC")
for tables in (first, second):
    for name in ("epochs", "judgements", "standings", "weights"):
        table = ds.dataset(tables / name, partitioning="hive").to_table()
        assert {"netuid", "validator", "epoch"} <= set(table.column_names), table.column_names
        assert table.num_rows > 0, name
epochs = ds.dataset(second / "epochs", partitioning="hive").to_table()
assert epochs.schema.field("block_time").type == UTC, epochs.schema
row = epochs.to_pylist()[0]
assert (row["epoch"], row["record_version"], row["kind"]) == (42, 2, "classify"), row
assert row["closed_at"] == 112 and row["closed_time"].year == 2026, row
verdicts = ds.dataset(second / "judgements", partitioning="hive").to_table().to_pylist()
assert [reason["code"] for verdict in verdicts for reason in verdict["reasons"]] == ["accepted", "silent"], verdicts
old = ds.dataset(first / "epochs", partitioning="hive").to_table().to_pylist()
assert sorted(row["epoch"] for row in old) == [7, 8, 9, 10], old
assert all(row["record_version"] == 1 and row["block_time"] is None for row in old), old

queries = re.findall(r"```sql\n(.*?)```", page.read_text(), re.DOTALL)
assert len(queries) == 3, f"{len(queries)} queries on the page"
for tables in (first, second):
    for query in queries:
        rows = duckdb.sql(query.replace("tables/", f"{tables}/")).fetchall()
        assert rows, query
print(f"{len(queries)} queries answered over both journals")
