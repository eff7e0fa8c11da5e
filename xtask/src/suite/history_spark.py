"""Opens exported tables with Spark: history_spark.py V1_TABLES V2_TABLES DOCS_PAGE."""

import sys
from pathlib import Path

from pyspark.sql import Row, SparkSession
from pyspark.sql.functions import explode

first, second, _ = map(Path, sys.argv[1:])

spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.driver.memory", "512m")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.session.timeZone", "UTC")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")

for tables in (first, second):
    for name in ("epochs", "judgements", "standings", "weights"):
        table = spark.read.parquet(str(tables / name))
        assert {"netuid", "validator", "epoch"} <= set(table.columns), table.columns
        assert table.count() > 0, name
old = spark.read.parquet(str(first / "epochs"))
assert sorted(row.epoch for row in old.collect()) == [7, 8, 9, 10]
row = spark.read.parquet(str(second / "epochs")).first()
assert isinstance(row, Row)
assert (row.epoch, row.record_version, row.kind, row.closed_at) == (42, 2, "classify", 112), row
assert row.closed_time.year == 2026, row
judged = spark.read.parquet(str(second / "judgements"))
codes = [row.reason.code for row in judged.select(explode("reasons").alias("reason")).collect()]
assert codes == ["accepted", "silent"], codes
# Tables join by the columns that they have in common.
weights, standings = (spark.read.parquet(str(first / name)) for name in ("weights", "standings"))
assert weights.join(standings, ["epoch", "validator", "hotkey"], "left").count() == weights.count()
spark.stop()
print("4 tables of both journals read by Spark")
