"""Opens exported tables with Ray Data: history_ray.py V1_TABLES V2_TABLES DOCS_PAGE."""

import sys
from pathlib import Path

import ray
from ray.data.datasource.partitioning import Partitioning

first, second, _ = map(Path, sys.argv[1:])

ray.init(
    "local",
    num_cpus=1,
    object_store_memory=80 * 1024 * 1024,
    include_dashboard=False,
    _node_ip_address="127.0.0.1",
    logging_level="WARNING",
)
ray.data.DataContext.get_current().enable_progress_bars = False


def rows(tables: Path, name: str) -> list[dict[str, object]]:
    hive = Partitioning("hive", field_types={"epoch": int})
    return ray.data.read_parquet(str(tables / name), partitioning=hive).take_all()


for tables in (first, second):
    for name in ("epochs", "judgements", "standings", "weights"):
        found = rows(tables, name)
        assert found and {"netuid", "validator", "epoch"} <= set(found[0]), (name, found[:1])
assert sorted(row["epoch"] for row in rows(first, "epochs")) == [7, 8, 9, 10]
(row,) = rows(second, "epochs")
assert (row["epoch"], row["record_version"], row["kind"]) == (42, 2, "classify"), row
codes = [reason["code"] for verdict in rows(second, "judgements") for reason in verdict["reasons"]]
assert codes == ["accepted", "silent"], codes
print("4 tables of both journals read by Ray Data")
