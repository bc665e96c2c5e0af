#!/usr/bin/env python3
"""Rows per second from queue to table, against bench/bare_loop.py on the same
texts with the same threads, in alternating pairs. The median of the ratios
must be 0.90 or more.

End to end is the time from the first message that `textmill submit` publishes
to the `done` event, on a daemon that is warm.
"""
import argparse
import json
import statistics
import subprocess
import sys

import daemon


def bare(texts, budget):
    command = [sys.executable, daemon.ROOT / "bench" / "bare_loop.py", "--model", daemon.inspected()["dir"], "--texts", texts,
               "--threads", str(daemon.threads())]
    if budget:
        command += ["--budget", str(budget)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--texts", type=int, default=20_000)
    p.add_argument("--pairs", type=int, default=5)
    a = p.parse_args()
    ratios, budget = [], None
    with daemon.Daemon(a.texts) as d:
        head = d.dir.name + "/warm.jsonl"
        with open(d.texts, encoding="utf-8") as f, open(head, "w", encoding="utf-8") as to:
            to.writelines(line for line, _ in zip(f, range(500)))
        d.run("warm", head)
        print(f"{a.texts} texts, {daemon.threads()} threads, the daemon learned {d.batch_tokens} tokens a batch")
        print(f"{'pair':>4} {'end to end':>12} {'bare loop':>12} {'ratio':>6}   rows a second")
        for pair in range(a.pairs):
            measured = {}
            for side in ("ours", "bare") if pair % 2 == 0 else ("bare", "ours"):
                if side == "ours":
                    seconds, rows = d.run(f"pair{pair}")
                    if rows != a.texts:
                        raise SystemExit(f"{rows} rows of {a.texts} texts")
                    measured[side] = rows / seconds
                else:
                    loop = bare(d.texts, budget)
                    budget = loop["budget"]
                    measured[side] = loop["texts"] / loop["seconds"]
            ratios.append(measured["ours"] / measured["bare"])
            print(f"{pair + 1:>4} {measured['ours']:>12.1f} {measured['bare']:>12.1f} {ratios[-1]:>6.3f}", flush=True)
    median = statistics.median(ratios)
    print(f"median ratio {median:.3f} (the bare loop's best budget: {budget} tokens)")
    return 0 if median >= 0.90 else 1


if __name__ == "__main__":
    sys.exit(main())
