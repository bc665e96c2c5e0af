#!/usr/bin/env python3
"""The second day of a corpus: a first load by `submit --sync`, then 5 % of its
records changed, 1 % new and 1 % gone, then nothing changed. Prints times, and
the publisher's peak memory; checks by delta-rs each row's text, vector and
content_sha256, which it computes itself. The second day may take 10 % of the
first load's time; where nothing changed, 50,000 records/s are wanted (--check)."""
import argparse
import hashlib
import json
import pathlib
import subprocess
import sys
import threading
import time

import deltalake

import daemon


def watch(process, peaks):
    """Notes a process's peak until it ends: what wait4 tells of a child begins at what its parent had."""
    while (peak := daemon.status(process.pid, "VmHWM")) is not None:
        peaks.append(peak)
        time.sleep(0.01)


def sync(d, path):
    begun = time.monotonic()
    process = subprocess.Popen([daemon.BINARY, "submit", "--quiet", "--json", "--sync", "--delete-missing", "--model", d.model, "--dataset", "corpus", path],
                               env=d.client, stdout=subprocess.PIPE, text=True)
    peaks = []
    threading.Thread(target=watch, args=(process, peaks), daemon=True).start()
    out = process.stdout.read()
    if process.wait() != 0:
        raise SystemExit(f"submit --sync ended with {process.returncode}")
    return time.monotonic() - begun, json.loads(out)["sync"], max(peaks)


def content(sha256, text):
    record = json.dumps({"text": text}, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(f"textmill content 1\n{sha256}\n{{}}\n{record}".encode()).hexdigest()


def check(d, texts, sha256):
    seen = set()
    table = deltalake.DeltaTable(d.dir.name + "/tables/corpus").to_pyarrow_table(columns=["record_id", "text", "content_sha256", "dim", "error"])
    for row in table.to_pylist():
        text = texts.get(row["record_id"])
        if row["record_id"] in seen or row["text"] != text or row["dim"] is None or row["error"] is not None or row["content_sha256"] != content(sha256, text):
            raise SystemExit(f"a wrong row: {row}, want the text {text!r}")
        seen.add(row["record_id"])
    if len(seen) != len(texts):
        raise SystemExit(f"{len(seen)} records are in the table, {len(texts)} in the corpus")


def write(path, texts):
    path.write_text("".join(json.dumps({"id": i, "text": t}) + "\n" for i, t in texts.items()))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--texts", type=int, default=20_000)
    p.add_argument("--model", help="another model; for memory, one that takes no time")
    p.add_argument("--check", action="store_true", help="fail where it is slower than it should be")
    a = p.parse_args()
    with daemon.Daemon(a.texts, model=a.model, TEXTMILL_EXPORT_COMMIT_INTERVAL="1s") as d:
        sha256 = daemon.inspected(d.model)["model_sha256"]
        path = pathlib.Path(d.texts)
        texts = {r["id"]: r["text"] for r in map(json.loads, path.read_text().splitlines())}
        first, counts, memory = sync(d, path)
        print(f"first load: {len(texts)} records in {first:.1f} s, {len(texts) / first:.0f}/s, publisher {memory:.0f} MiB {counts}", flush=True)
        check(d, texts, sha256)
        ids = list(texts)
        for i in ids[::20]:
            texts[i] += " This is new."
        for i in ids[7::100]:
            del texts[i]
        for i in range(len(ids) // 100):
            texts[f"new{i}"] = f"A new text, number {i}, that nobody has seen before."
        write(path, texts)
        second, counts, memory = sync(d, path)
        print(f"second day: {second:.1f} s, {100 * second / first:.1f} % of the first load, publisher {memory:.0f} MiB {counts}", flush=True)
        check(d, texts, sha256)
        third, counts, memory = sync(d, path)
        print(f"nothing changed: {third:.2f} s, {len(texts) / third:.0f} records/s with the start of the process and a second for daemons to answer, publisher {memory:.0f} MiB {counts}")
        if counts["unchanged"] != len(texts):
            raise SystemExit("something was taken for changed")
        if a.check and (second > first / 10 or len(texts) / third < 50_000):
            sys.exit(1)


if __name__ == "__main__":
    main()
