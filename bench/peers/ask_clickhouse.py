"""Asks ClickHouse: ask_clickhouse.py DIRECTORY < questions.json > answers.json"""

import json
import statistics
import sys
import time

import chdb
from chdb.session import Session

session = Session(sys.argv[1])
session.query("USE bench")

request = json.load(sys.stdin)
answers = []
for question in request["questions"]:
    try:
        times = []
        for _ in range(request["repetitions"] + 1):
            started = time.perf_counter()
            text = str(session.query(question, "JSONCompactStringsEachRow"))
            times.append(time.perf_counter() - started)
        rows = [json.loads(line) for line in text.splitlines()]
        answers.append({"rows": rows, "seconds": statistics.median(times[1:])})
    except Exception as error:
        answers.append({"error": str(error)})
json.dump({"version": chdb.engine_version if hasattr(chdb, "engine_version") else chdb.__version__, "answers": answers}, sys.stdout)
session.close()
