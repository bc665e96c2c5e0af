#!/usr/bin/env python3
"""One table that appends, replacing jobs, syncs, deletes, compactions and vacuums
change at the same time, while delta-rs, DuckDB and Polars read it all the while.
Each reading is held to what was told before it began and after it ended:
  - no error of the reader,
  - no record twice,
  - every record that was told to be committed, and none that was told to be deleted,
  - all records of the synced corpus from the same sync, and not from one before the
    last that was told to be done,
  - of a replaced record a text no older than the last that was told to be committed,
  - every text as it was published.
Afterwards the table must hold exactly what is left. It prints a line of JSON, and
fails where anything was wrong."""
import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import traceback

import deltalake
import duckdb
import duckdb_extension_delta
import polars

import daemon

SYNCED, REPLACED, APPENDED = 120, 40, 40  # records of the synced corpus, of each replacing job, of each append


def text(key, generation=None):
    return f"A text of record {key}." if generation is None else f"A text of record {key}, generation {generation}."


class Truth:
    """What writers have begun, and what they were told is done."""

    def __init__(self):
        self.lock = threading.Lock()
        self.published, self.present, self.leaving, self.gone = set(), set(), set(), set()  # of appended records
        self.begun = collections.Counter()  # generations of syncs and of replacing jobs
        self.done = collections.Counter()
        self.counts = collections.Counter()
        self.problems = []

    def now(self):
        with self.lock:
            return (set(self.published), set(self.present), set(self.leaving), set(self.gone), dict(self.begun), dict(self.done))

    def problem(self, what):
        with self.lock:
            self.problems.append(what)
        print(what, file=sys.stderr, flush=True)


class Mixed:
    def __init__(self, d, seconds):
        self.d, self.truth, self.ends = d, Truth(), time.monotonic() + seconds
        self.table = d.dir.name + "/tables/mixed"
        self.slowest = collections.Counter()

    def textmill(self, *args, records=None):
        data = None if records is None else "".join(json.dumps({"id": i, "text": t}) + "\n" for i, t in records.items())
        return subprocess.run([daemon.BINARY, *args], env=self.d.client, input=data,
                              capture_output=True, text=True)

    def must(self, *args, records=None):
        p = self.textmill(*args, records=records)
        if p.returncode:
            self.truth.problem(f"textmill {args[:3]}: exit {p.returncode}: {p.stderr[-500:]}")
        return p

    def submit(self, job, records, *more):
        return self.must("submit", "--quiet", "--model", daemon.MODEL, "--dataset", "mixed", "--job", job, "--format", "jsonl", *more, "-", records=records)

    def append(self, n):
        records = {k: text(k) for k in (f"a-{n}-{i}" for i in range(APPENDED))}
        with self.truth.lock:
            self.truth.published |= records.keys()
        self.submit(f"append-{n}", records)
        with self.truth.lock:
            self.truth.present |= records.keys()
            self.truth.counts["appended"] += len(records)

    def delete(self, n):
        """Deletes some of what was appended, and sends a job of it again, which must bring nothing back."""
        with self.truth.lock:
            ids = sorted(self.truth.present - self.truth.leaving)[n % 7::7][:30]
            self.truth.leaving |= set(ids)
        if not ids:
            return time.sleep(0.5)
        self.must("table", "delete", self.table, *(a for i in ids for a in ("--id", i)))
        with self.truth.lock:
            self.truth.gone |= set(ids)
            self.truth.counts["deleted"] += len(ids)
        number = ids[0].split("-")[1]
        self.submit(f"append-{number}", {k: text(k) for k in (f"a-{number}-{i}" for i in range(APPENDED))})

    def sync(self, n):
        with self.truth.lock:
            self.truth.begun["s"] = n
        records = {k: text(k, n) for k in (f"s-{i}" for i in range(SYNCED))}
        while True:
            p = self.textmill("submit", "--quiet", "--sync", "--model", daemon.MODEL, "--dataset", "mixed", "--format", "jsonl", "-", records=records)
            if p.returncode == 0:
                break
            if "changed meanwhile" not in p.stderr:
                return self.truth.problem(f"submit --sync: exit {p.returncode}: {p.stderr[-500:]}")
            self.truth.counts["syncs repeated"] += 1
        with self.truth.lock:
            self.truth.done["s"] = n
            self.truth.counts["syncs"] += 1

    def replace(self, n):
        with self.truth.lock:
            self.truth.begun["p"] = n
        self.submit(f"replace-{n}", {k: text(k, n) for k in (f"p-{i}" for i in range(REPLACED))}, "--on-repeat", "replace")
        with self.truth.lock:
            self.truth.done["p"] = n
            self.truth.counts["replacing jobs"] += 1

    def compact(self, n):
        self.must("table", "compact", self.table)
        self.truth.counts["compactions"] += 1
        if n % 8 == 7:
            self.must("table", "vacuum", self.table, "--retention", "2m")
            self.truth.counts["vacuums"] += 1
        time.sleep(1)

    def read(self, name, rows):
        before, begun = self.truth.now(), time.monotonic()
        found = rows()
        took = time.monotonic() - begun
        self.compare(name, found, before, self.truth.now())
        self.slowest[name] = max(self.slowest[name], took)
        self.truth.counts["readings by " + name] += 1
        self.truth.counts["rows read"] += len(found)

    def compare(self, name, found, before, after):
        problem = lambda what: self.truth.problem(f"{name}: {what}")
        _, present, _, gone, _, done = before
        published, _, leaving, _, begun, _ = after
        seen, generations = set(), collections.defaultdict(set)
        for key, has, error in found:
            if key in seen:
                problem(f"record {key} is there twice")
            seen.add(key)
            kind, of = key[0], None
            if kind == "a":
                if key not in published or key in gone:
                    problem(f"record {key} is there, and was deleted, or never sent")
            else:
                of = int(has.rsplit(" ", 1)[1].rstrip("."))
                generations[kind].add(of)
                if not done.get(kind, 0) <= of <= begun.get(kind, 0):
                    problem(f"record {key} is of generation {of}, told were {done.get(kind, 0)} to {begun.get(kind, 0)}")
            if error is not None or has != text(key, of):
                problem(f"record {key} says {has!r}, error {error!r}")
        if missing := present - leaving - seen:
            problem(f"{len(missing)} records are missing, such as {min(missing)}")
        for kind, size in (("s", SYNCED), ("p", REPLACED)):
            n = sum(k[0] == kind for k in seen)
            if n not in ({size} if kind in done else {0, size}):
                problem(f"{n} records of {size} are there of kind {kind}")
        if len(generations["s"]) > 1:
            problem(f"the synced corpus is of generations {generations['s']}")
        if len(generations["p"]) > 1:
            problem(f"records of one job are of generations {generations['p']}")

    def delta_rs(self):
        t = deltalake.DeltaTable(self.table).to_pyarrow_table(columns=["record_id", "text", "error"]).to_pydict()
        return list(zip(t["record_id"], t["text"], t["error"]))

    def polars(self):
        return polars.read_delta(self.table).select("record_id", "text", "error").rows()

    def duckdb(self):
        delta = next(pathlib.Path(duckdb_extension_delta.__file__).parent.rglob("*.duckdb_extension"))
        with duckdb.connect() as con:
            con.execute(f"SET enable_progress_bar=false; LOAD '{delta}'")
            return con.execute(f"SELECT record_id, text, error FROM delta_scan('{self.table}')").fetchall()

    def until(self, what):
        """Does it again and again, each time with the next number."""
        n = 1
        while time.monotonic() < self.ends and not self.truth.problems:
            try:
                what(n)
            except Exception:
                self.truth.problem(traceback.format_exc())
            n += 1

    def run(self):
        for first in (self.append, self.sync, self.replace):
            first(0)
        readers = {"delta-rs": self.delta_rs, "DuckDB": self.duckdb, "Polars": self.polars}
        work = [self.append, self.delete, self.sync, self.replace, self.compact]
        work += [lambda _, name=name, rows=rows: self.read(name, rows) for name, rows in readers.items()]
        threads = [threading.Thread(target=self.until, args=(w,)) for w in work]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for name, rows in readers.items():
            self.read(name, rows)
        self.must("table", "verify", self.table)
        left = len(self.delta_rs())
        want = len(self.truth.present - self.truth.gone) + SYNCED + REPLACED
        if left != want:
            self.truth.problem(f"{left} rows are left, want {want}")
        return left


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--minutes", type=float, default=10)
    a = p.parse_args()
    with daemon.Daemon(1, TEXTMILL_EXPORT_COMMIT_INTERVAL="500ms") as d:
        m = Mixed(d, 60 * a.minutes)
        left = m.run()
        print(json.dumps({"minutes": a.minutes, "version": deltalake.DeltaTable(m.table).version(), "rows left": left, **dict(sorted(m.truth.counts.items())),
                          "slowest reading, s": {k: round(v, 2) for k, v in m.slowest.items()}, "problems": m.truth.problems}), flush=True)
        failed = bool(m.truth.problems)
        d.stop()
        d.dir.cleanup()
    sys.stdout.flush()
    os._exit(failed)


if __name__ == "__main__":
    main()
