#!/usr/bin/env python3
"""Memory over many short texts, embedded or, with --task generate, continued by
up to 8 tokens: the daemon's median VmRSS at 90-100 % of the rows must be within
10 % of that at 10-20 %, and the publisher must stay under 100 MiB. No garbage
collection is forced."""
import argparse
import statistics
import sys
import time

import daemon


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--texts", type=int, default=100_000)
    p.add_argument("--task", choices=("embed", "generate"), default="embed")
    a = p.parse_args()
    params = ("max_new_tokens=8",) if a.task == "generate" else ()
    samples, publisher = [], []
    with daemon.Daemon(a.texts, a.task) as d:
        submit = d.submit("memory", params=params)
        while submit.poll() is None:
            samples.append((d.metric("textmill_tokens_total"), daemon.status(d.process.pid, "VmRSS")))
            peak = daemon.status(submit.pid, "VmHWM")
            if peak:
                publisher.append(peak)
            time.sleep(0.2)
        rows, tokens = d.metric("textmill_rows_total"), d.metric("textmill_tokens_total")
        if submit.returncode or rows != a.texts:
            raise SystemExit(f"textmill submit ended with {submit.returncode}, {rows:.0f} of {a.texts} rows")
    # Rows show in the table some at a time; tokens tell how far the work is in between.
    early = [rss for done, rss in samples if 0.10 <= done / tokens <= 0.20]
    late = [rss for done, rss in samples if 0.90 <= done / tokens <= 1.00]
    if not early or not late:
        raise SystemExit("too few texts: there is no sample at 10-20 % or at 90-100 %")
    first, last = statistics.median(early), statistics.median(late)
    print(f"daemon, VmRSS at 10-20 % of {a.texts} rows: {first:.1f} MiB (median of {len(early)} samples)")
    print(f"daemon, VmRSS at 90-100 %: {last:.1f} MiB (median of {len(late)} samples), ratio {last / first:.3f}")
    print(f"publisher, peak: {max(publisher):.1f} MiB")
    return 0 if abs(last / first - 1) < 0.10 and max(publisher) < 100 else 1


if __name__ == "__main__":
    sys.exit(main())
