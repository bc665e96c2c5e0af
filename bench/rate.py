#!/usr/bin/env python3
"""Texts a second from the queue to committed rows, by `submit` and a daemon, from the event before the first message to `done`.

    python bench/rate.py [--model NAME] [--texts 200000] [--runs 3]
"""
import argparse

import daemon


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", help="one of this machine's that embeds; default: " + daemon.MODEL)
    p.add_argument("--texts", type=int, default=200_000)
    p.add_argument("--runs", type=int, default=3)
    a = p.parse_args()
    with daemon.Daemon(a.texts, model=a.model) as d:
        for i in range(a.runs):
            seconds, rows = d.run(f"queue{i}")
            print(f"{rows} rows in {seconds:.2f} s, {rows / seconds:.0f} a second", flush=True)


if __name__ == "__main__":
    main()
