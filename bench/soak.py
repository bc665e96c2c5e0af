#!/usr/bin/env python3
"""One daemon at work for an hour on everything that clients send it: it embeds
ragged texts and continues prompts at the same time, for six tables, with the
queue always full; among the jobs are bad records, dead letters, repeated and
cancelled ones, and somebody looks at the tables and dead letters all the while.

Every 5 s it notes memory, descriptors, goroutines, threads, unfinished files and
the queue in a CSV. The medians of minutes 10-20 are compared with those of the
last 10 minutes (of a shorter run: its second and its last sixth). It fails when
  - VmRSS or RssAnon differs by 10 % or more,
  - threads have more than 1.1 times their number + 2,
  - descriptors or goroutines, a minute after the last work, are more than 1.1
    times as many + 2 as after the first jobs: while it works they go with the
    load, of which jobs served at a time are most,
  - a row is lost, doubled or not one that was published, or error rows or dead
    letters are not as many as they must be,
  - a table is not sound, or a file is left that its log does not name, or
  - the daemon does not end with 0.
"""
import argparse
import asyncio
import csv
import json
import pathlib
import random
import statistics
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import nats
from deltalake import DeltaTable

import daemon
import soak_load

EVERY = 5
WAITING = {soak_load.EMBED: 60, soak_load.GENERATE: 12}  # messages that the queue is kept at


class Soak:
    def __init__(self, d, minutes, seed, out):
        self.d, self.minutes, self.seed, self.out = d, minutes, seed, out
        self.samples, self.problems, self.waiting = [], [], {}
        self.tables = pathlib.Path(d.dir.name) / "tables"
        self.base = {k: v for k, v in d.env.items() if not k.startswith("TEXTMILL_MODELS_")}

    async def command(self, *args):
        """Runs textmill beside the daemon; a command that fails is a problem."""
        p = await asyncio.create_subprocess_exec(daemon.BINARY, *args, env={**self.base, "TEXTMILL_NATS_URL": self.d.nats},
                                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = await p.communicate()
        if p.returncode:
            self.problems.append(f"textmill {' '.join(map(str, args))}: {err.decode()[-300:]}")
        return out.decode()

    async def run(self):
        self.begun = time.time()
        nc = await nats.connect(self.d.nats)
        self.js = nc.jetstream(timeout=120)  # a busy machine may make the server slow, which is no failure
        with open(self.d.texts, encoding="utf-8") as f:
            sentences = [json.loads(line)["text"] for line in f]
        self.load = soak_load.Load(self.js, sentences, self.seed)
        await self.load.first()
        self.idle = [await self.rest()]
        self.begun = time.time()
        self.end = self.begun + self.minutes * 60
        try:
            async with asyncio.TaskGroup() as g:
                g.create_task(self.sample())
                g.create_task(self.feed(soak_load.EMBED, lambda: self.load.next_embed(lambda job: self.command("cancel", job))))
                g.create_task(self.feed(soak_load.GENERATE, self.load.generate))
                g.create_task(self.visit())
        except* Exception as e:
            self.problems += [f"{type(x).__name__}: {x}" for x in e.exceptions]
            print("ended early:", *self.problems, sep="\n  ", file=sys.stderr, flush=True)
        self.idle.append(await self.rest())
        self.letters = [json.loads(line) for line in (await self.command("dead", "list", "--json")).splitlines()]
        await nc.close()

    async def rest(self):
        """A sample of the daemon once everything is settled and idle consumers are gone, which takes a minute."""
        while (await self.js.stream_info("TEXTMILL_JOBS")).state.messages:
            await asyncio.sleep(0.5)
        await asyncio.sleep(75)
        return await asyncio.to_thread(self.look)

    async def feed(self, subject, publish):
        """Keeps the queue at its number of messages."""
        while time.time() < self.end:
            info = await self.js.stream_info("TEXTMILL_JOBS", subjects_filter=subject + ".>")
            self.waiting[subject] = sum((info.state.subjects or {}).values())
            if self.waiting[subject] >= WAITING[subject]:
                await asyncio.sleep(0.3)
                continue
            await publish()

    async def visit(self):
        """What people do meanwhile, round after round."""
        draw = random.Random(self.seed)
        while time.time() < self.end - 30:
            await self.command("status", "--json")
            await self.command("dead", "list")
            await self.command("table", "info", str(self.tables / draw.choice(soak_load.DATASETS)))
            job = self.load.name("submitted")
            lines = [json.dumps({"id": f"r{i}", "text": self.load.ragged()}) + "\n" for i in range(100)]
            path = pathlib.Path(self.d.dir.name, job + ".jsonl")
            await asyncio.to_thread(path.write_text, "".join(lines))
            await self.command("submit", "--model", daemon.MODEL, "--dataset", soak_load.DATASETS[0], "--job", job, str(path))
            self.load.rows.update((job, None, f"r{i}") for i in range(100))
            path.unlink()
            await asyncio.to_thread(self.page, "/status")
            for model, text in ((daemon.MODEL, "how a trace looks"), (daemon.WRITER, "Say hello")):
                await asyncio.to_thread(self.page, "/trace?" + urllib.parse.urlencode({"model": model, "text": text}))
            t = await asyncio.to_thread(DeltaTable, str(self.tables / draw.choice(soak_load.DATASETS)))
            await asyncio.to_thread(lambda: t.to_pyarrow_dataset().count_rows())
            await asyncio.sleep(max(0, min(90, self.end - 30 - time.time())))

    def page(self, path):
        with urllib.request.urlopen(self.d.http + path, timeout=600) as page:
            return page.read().decode()

    def look(self):
        """One sample of everything."""
        pid, s = self.d.process.pid, {"seconds": round(time.time() - self.begun)}
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in ("VmRSS", "RssAnon", "Threads"):
                s[name] = int(value.split()[0]) / (1 if name == "Threads" else 1024)
        s["descriptors"] = sum(1 for _ in pathlib.Path(f"/proc/{pid}/fd").iterdir())
        page = [line.rsplit(" ", 1) for line in self.page("/metrics").splitlines() if not line.startswith("#")]
        for key, name, unit in (("goroutines", "go_goroutines", 1), ("heap_live", "go_memstats_heap_alloc_bytes", 2**20), ("heap_inuse", "go_memstats_heap_inuse_bytes", 2**20),
                                ("in_flight", "textmill_deliveries_in_flight", 1), ("settled", "textmill_deliveries_total", 1), ("rows", "textmill_rows_total", 1),
                                ("tokens", "textmill_tokens_total", 1), ("made", "textmill_output_tokens_total", 1), ("commits", "textmill_commits_total", 1)):
            s[key] = sum(float(value) for series, value in page if series.partition("{")[0] == name) / unit
        s["unfinished"] = sum(1 for _ in self.tables.rglob("*.tmp"))
        s["queue"] = sum(self.waiting.values())
        return s

    async def sample(self):
        with open(self.out, "w", newline="", encoding="utf-8") as f:
            rows, next_at, minute = None, self.begun, 0
            while next_at < self.end:
                await asyncio.sleep(max(0, next_at - time.time()))
                next_at += EVERY
                s = await asyncio.to_thread(self.look)
                if rows is None:
                    rows = csv.DictWriter(f, s.keys())
                    rows.writeheader()
                rows.writerow({k: round(v, 1) for k, v in s.items()})
                f.flush()
                self.samples.append(s)
                if s["seconds"] // 60 > minute:
                    minute = s["seconds"] // 60
                    print(f"{minute:3d} min  " + "  ".join(f"{k} {s[k]:.0f}" for k in (
                        "VmRSS", "RssAnon", "heap_live", "descriptors", "goroutines", "Threads", "unfinished", "queue", "settled", "rows", "made")), flush=True)

    def compare(self):
        """Prints the medians of both windows and returns what grew."""
        whole, grown = self.minutes * 60, []
        early = (600, 1200) if self.minutes >= 60 else (whole / 6, whole / 3)
        late = (whole - (600 if self.minutes >= 60 else whole / 6), whole)
        if self.samples[-1]["seconds"] < late[0]:
            return ["the run ended before its last window"]
        median = lambda key, span: statistics.median(s[key] for s in self.samples if span[0] <= s["seconds"] <= span[1])
        print(f"{'':12s} {early[0] / 60:4.0f}-{early[1] / 60:.0f} min {late[0] / 60:7.0f}-{late[1] / 60:.0f} min    ratio")
        for key in ("VmRSS", "RssAnon", "heap_live", "heap_inuse", "descriptors", "goroutines", "Threads", "unfinished", "queue", "in_flight"):
            a, b = median(key, early), median(key, late)
            print(f"{key:12s} {a:9.1f} {b:15.1f} {b / a if a else 1:8.3f}")
            if key in ("VmRSS", "RssAnon") and abs(b / a - 1) >= 0.10:
                grown.append(f"{key} went from {a:.1f} to {b:.1f} MiB")
            if key == "Threads" and b > 1.1 * a + 2:
                grown.append(f"{key} grew from {a:.0f} to {b:.0f}")
        for key in ("descriptors", "goroutines", "heap_live", "VmRSS"):
            a, b = (s[key] for s in self.idle)
            print(f"{key} at rest: {a:.0f} before, {b:.0f} after")
            if key in ("descriptors", "goroutines") and b > 1.1 * a + 2:
                grown.append(f"{key} at rest grew from {a:.0f} to {b:.0f}")
        deliveries = median("settled", late) - median("settled", early)
        for key in ("VmRSS", "heap_live"):
            print(f"{key} per delivery settled in between: {(median(key, late) - median(key, early)) * 2**20 / max(deliveries, 1):.0f} bytes ({deliveries:.0f} deliveries)")
        return grown

    def count(self):
        """Compares the tables, whose daemon has ended, with what was published."""
        seen, doubled, errors = set(), 0, 0
        for path in sorted(self.tables.iterdir()):
            if not (path / "_delta_log").is_dir():
                continue
            verify = subprocess.run([daemon.BINARY, "table", "verify", path], capture_output=True, text=True, env=self.base)
            if verify.returncode:
                self.problems.append(f"table verify {path.name}: {verify.stdout[-300:]}{verify.stderr[-300:]}")
            t = DeltaTable(str(path))
            live = {pathlib.Path(u).name for u in t.file_uris()}
            left = [p.name for p in path.iterdir() if p.is_file() and p.name not in live] + [str(p) for p in path.rglob("*.tmp")]
            if left:
                self.problems.append(f"{path.name}: {len(left)} files are left, such as {left[0]}")
            rows = t.to_pyarrow_dataset().to_table(columns=["job", "shard", "record_id", "error"]).to_pydict()
            for job, shard, record, error in zip(rows["job"], rows["shard"], rows["record_id"], rows["error"]):
                key = (job, None if job == "text" or job.startswith("submitted") else shard, record)
                doubled += key in seen
                seen.add(key)
                errors += error is not None
        lost, strange = self.load.rows - seen, seen - self.load.rows - self.load.optional
        stopped = len(self.load.optional - seen)
        print(f"{self.load.published} messages; {len(seen)} rows, {errors} of them error rows; lost {len(lost)}, doubled {doubled}, unknown {len(strange)}; "
              f"{stopped} of {len(self.load.optional)} records of cancelled jobs were stopped")
        for what, some in (("lost", lost), ("unknown", strange)):
            if some:
                self.problems.append(f"{len(some)} rows {what}, such as {sorted(map(str, some))[:3]}")
        if doubled or errors != self.load.errors:
            self.problems.append(f"{doubled} rows doubled; {errors} error rows, {self.load.errors} are right")
        letters = {}
        for letter in self.letters:
            letters[letter["class"]] = letters.get(letter["class"], 0) + 1
        print(f"dead letters: {letters}")
        if letters != self.load.letters:
            self.problems.append(f"dead letters {letters}, right are {self.load.letters}")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--minutes", type=float, default=60)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--csv", default="soak.csv", help="where the samples go")
    a = p.parse_args()
    threads = str(daemon.threads())
    with daemon.Daemon(4000, **{f"TEXTMILL_MODELS_{daemon.WRITER.upper().replace('-', '_')}_THREADS": threads}) as d:
        soak = Soak(d, a.minutes, a.seed, a.csv)
        asyncio.run(soak.run())
        grown = soak.compare()
        if (code := d.stop()) != 0:
            soak.problems.append(f"the daemon ended with {code}")
        soak.count()
    for problem in grown + soak.problems:
        print("FAILED:", problem, file=sys.stderr)
    return 1 if grown or soak.problems else 0


if __name__ == "__main__":
    sys.exit(main())
