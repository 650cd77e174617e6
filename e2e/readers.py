"""Opens the segments of a store as they stand, with DuckDB, pandas and pyarrow: readers.py STORE > account.json"""

import collections
import json
import sys

import duckdb
import pandas
import pyarrow.parquet

store = sys.argv[1]


def with_duckdb():
    events = f"FROM read_parquet('{store}/*.parquet', union_by_name = true)"
    # An annotation is reached by its name; an audit id reads as a UUID, a time as a time.
    one = lambda sql: duckdb.sql(sql).fetchall()[0][0]
    return {
        "rows": one(f"SELECT count(*) {events}"),
        "deletions": dict(duckdb.sql(f"SELECT resource, count(*) {events} WHERE verb = 'delete' GROUP BY 1").fetchall()),
        "forbidden": one(
            f"""SELECT count(*) {events} WHERE annotations->>'$."authorization.k8s.io/decision"' = 'forbid'"""
        ),
        "first": one(f"SELECT strftime(min(time), '%Y-%m-%dT%H:%M:%S') {events}"),
        "an_id": str(one(f"SELECT min(audit_id::VARCHAR) {events}")),
    }


def account(rows):
    forbidden = lambda text: json.loads(text).get("authorization.k8s.io/decision") == "forbid" if text else False
    return {
        "rows": len(rows),
        "deletions": dict(collections.Counter(row["resource"] for row in rows if row["verb"] == "delete")),
        "forbidden": sum(forbidden(row["annotations"]) for row in rows),
        "first": min(row["time"] for row in rows).strftime("%Y-%m-%dT%H:%M:%S"),
    }


COLUMNS = ["time", "verb", "resource", "annotations"]
with_pandas = account(pandas.read_parquet(store, columns=COLUMNS).to_dict("records"))
with_pyarrow = account(pyarrow.parquet.read_table(store, columns=COLUMNS).to_pylist())
json.dump({"duckdb": with_duckdb(), "pandas": with_pandas, "pyarrow": with_pyarrow}, sys.stdout)
