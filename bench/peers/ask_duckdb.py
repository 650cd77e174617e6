"""Asks DuckDB over Parquet files: ask_duckdb.py GLOB < questions.json > answers.json"""

import json
import statistics
import sys
import time

import duckdb

connection = duckdb.connect()
connection.execute(f"CREATE VIEW events AS SELECT * FROM read_parquet('{sys.argv[1]}', union_by_name = true)")
# Footers are read once and kept, as a server would.
connection.execute("SET enable_object_cache = true" if duckdb.__version__ < "1.2" else "SET parquet_metadata_cache = true")

request = json.load(sys.stdin)
answers = []
for question in request["questions"]:
    try:
        times = []
        for _ in range(request["repetitions"] + 1):
            started = time.perf_counter()
            rows = connection.execute(question).fetchall()
            times.append(time.perf_counter() - started)
        rows = [["" if value is None else str(value) for value in row] for row in rows]
        answers.append({"rows": rows, "seconds": statistics.median(times[1:])})
    except Exception as error:
        answers.append({"error": str(error)})
json.dump({"version": duckdb.__version__, "answers": answers}, sys.stdout)
