"""Loads audit events into ClickHouse: import_clickhouse.py EVENTS DIRECTORY > result.json

What somebody would make for this job by hand: the fields that people ask about as columns, the bodies, and the whole line, so
that the exact event comes back. Everything is compressed with ZSTD(3) and sorted by object.
"""

import json
import sys

import chdb
from chdb.session import Session

events, directory = sys.argv[1:]
session = Session(directory)
session.query("CREATE DATABASE IF NOT EXISTS bench")
session.query("""
CREATE TABLE bench.events (
    time DateTime64(6, 'UTC') CODEC(Delta, ZSTD(3)),
    audit_id String CODEC(ZSTD(3)),
    stage LowCardinality(String) CODEC(ZSTD(3)),
    level LowCardinality(String) CODEC(ZSTD(3)),
    verb LowCardinality(String) CODEC(ZSTD(3)),
    user LowCardinality(String) CODEC(ZSTD(3)),
    ips Array(String) CODEC(ZSTD(3)),
    agent LowCardinality(String) CODEC(ZSTD(3)),
    resource LowCardinality(String) CODEC(ZSTD(3)),
    namespace LowCardinality(String) CODEC(ZSTD(3)),
    name String CODEC(ZSTD(3)),
    code UInt16 CODEC(ZSTD(3)),
    uri String CODEC(ZSTD(3)),
    request String CODEC(ZSTD(3)),
    response String CODEC(ZSTD(3)),
    raw String CODEC(ZSTD(3)),
    INDEX by_audit_id audit_id TYPE bloom_filter GRANULARITY 1
) ENGINE = MergeTree ORDER BY (resource, verb, namespace, name, time)
""")
session.query(f"""
INSERT INTO bench.events SELECT
    parseDateTime64BestEffort(JSONExtractString(line, 'stageTimestamp'), 6, 'UTC'),
    JSONExtractString(line, 'auditID'),
    JSONExtractString(line, 'stage'),
    JSONExtractString(line, 'level'),
    JSONExtractString(line, 'verb'),
    JSONExtractString(line, 'user', 'username'),
    JSONExtract(line, 'sourceIPs', 'Array(String)'),
    JSONExtractString(line, 'userAgent'),
    JSONExtractString(line, 'objectRef', 'resource'),
    JSONExtractString(line, 'objectRef', 'namespace'),
    JSONExtractString(line, 'objectRef', 'name'),
    JSONExtractUInt(line, 'responseStatus', 'code'),
    JSONExtractString(line, 'requestURI'),
    JSONExtractRaw(line, 'requestObject'),
    JSONExtractRaw(line, 'responseObject'),
    line
FROM file('{events}', 'LineAsString', 'line String')
""")
one = lambda query: int(str(session.query(query, "TSV")).strip())
print(json.dumps({
    "version": chdb.engine_version if hasattr(chdb, "engine_version") else chdb.__version__,
    "events": one("SELECT count() FROM bench.events"),
    # Parts that a merge has replaced are still on disk for a while; they are not counted against it.
    "bytes": one("SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'bench'"),
}))
session.close()
