#!/usr/bin/env python3
"""Tokens per second against Hugging Face tokenizers' `encode`, one thread each, alternating in one run.

    python bench/tokenization.py [--pairs 5] [--json FILE] [NAME ...]

Every tokenizer of the conformance tests takes English, code and text in 67 languages (tokenize/conformance/corpora.py), first
cold, each time as if just loaded, then again warm. Ours makes what `encode` makes: IDs, type IDs, tokens, offsets in bytes
and characters, masks. `IDs` is what the daemon needs of it: IDs, type IDs and offsets. What one thread does is timed by
the processor time of its whole process, which a busy machine distorts less than the clock. Then two threads against one and the
time to load, by the clock. The bars: median of the cold ratios at least 4, none below 1.5, two threads at least 1.8 times one, and Gemma 3
loaded in less time than the library takes.
"""
import argparse
import json
import os
import pathlib
import statistics
import sys
import time

os.environ.update(TOKENIZERS_PARALLELISM="false", RAYON_NUM_THREADS="1")
THREADS_SECONDS = 0.3  # how long one measurement of one thread takes
ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT / "tokenize" / "conformance")  # this file's own folder holds a module named tokenize

from tokenizers import Tokenizer, __version__  # noqa: E402

from corpora import corpora  # noqa: E402
from fetch import SOURCES, fetch  # noqa: E402
from go import Go  # noqa: E402


def forget(tokenizer):
    """Empties the library's cache of words, where the model has one."""
    clear = getattr(tokenizer.model, "_clear_cache", None)
    if clear:
        clear()


def theirs(tokenizer, texts):
    encode, tokens = tokenizer.encode, 0
    began = time.process_time()
    for text in texts:
        tokens += len(encode(text))
    return tokens / (time.process_time() - began), tokens


def ours(go, texts, form="encoding", threads=1, rounds=1):
    answer = go.ask(op="pace", texts=texts, form=form, threads=threads, rounds=rounds)
    if "error" in answer:
        raise SystemExit(answer["error"])
    return answer["tokens"] / answer["seconds" if threads > 1 or rounds > 1 else "processor"], answer["tokens"]


def load(go, path):
    answer = go.ask(op="load time", path=path)
    if "error" in answer:
        raise SystemExit(answer["error"])
    return answer["seconds"]


class Measured:
    def __init__(self):
        self.values = {}

    def add(self, key, value):
        self.values.setdefault(key, []).append(value)

    def of(self, key):
        return statistics.median(self.values[key])

    def ratio(self, a, b):
        """Of pairs that were measured one after the other."""
        return statistics.median(x / y for x, y in zip(self.values[a], self.values[b]))


def measure(go, name, texts, pairs):
    m, path = Measured(), os.path.join(fetch(name), "tokenizer.json")
    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    for pair in range(pairs):
        counts = set()
        for side in ("ours", "theirs") if pair % 2 == 0 else ("theirs", "ours"):
            if side == "theirs":
                forget(tokenizer)
                for heat in ("cold", "warm"):
                    pace, count = theirs(tokenizer, texts)
                    m.add(f"theirs {heat}", pace)
                    counts.add(count)
                continue
            for form in ("encoding", "ids"):
                load(go, path)
                for heat in ("cold", "warm"):
                    pace, count = ours(go, texts, form)
                    m.add(f"{form} {heat}", pace)
                    counts.add(count)
        if len(counts) != 1:
            raise SystemExit(f"{name}: the token counts differ: {counts}")
        m.add("tokens", counts.pop())
    half = texts[:len(texts) // 2]
    rounds = 2 + int(THREADS_SECONDS * m.of("ids warm") / (2 * len(half) * m.of("tokens") / len(texts)))
    ours(go, half * 2, "ids", 2)
    for _ in range(pairs):
        for threads in (1, 2):  # both halves are the same, so that both threads have the same work
            m.add(f"{threads} threads", ours(go, half * 2, "ids", threads, rounds)[0])
    return m


def loads(go, names, pairs):
    print(f"\n{'time to load, ms':<18}{'theirs':>9}{'ours':>9}{'ratio':>8}")
    out = {}
    for name in names:
        m, path = Measured(), os.path.join(fetch(name), "tokenizer.json")
        for _ in range(pairs):
            began = time.perf_counter()
            Tokenizer.from_file(path)
            m.add("theirs", time.perf_counter() - began)
            m.add("ours", load(go, path))
        out[name] = m.ratio("theirs", "ours")
        print(f"{name:<18}{1000 * m.of('theirs'):>9.0f}{1000 * m.of('ours'):>9.0f}{out[name]:>8.2f}", flush=True)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=[])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--json", help="also write the ratios to FILE", metavar="FILE")
    args = parser.parse_args()
    names, texts = args.names or list(SOURCES), corpora()
    for name in names:
        fetch(name)
    cold, double, out = [], [], {}
    with Go(GOMAXPROCS="1") as go:
        print(f"tokenizers {__version__}; {', '.join(f'{k} {sum(len(t.encode()) for t in v) / 1e6:.2f} MB' for k, v in texts.items())}")
        print(f"{'':<32}{'cold, 1000 tokens a cpu second':>26}{'ratio cold':>20}{'ratio warm':>20}{'2 threads':>11}")
        print(f"{'':<32}{'theirs':>8}{'encode':>9}{'IDs':>9}{'encode':>11}{'IDs':>9}{'encode':>11}{'IDs':>9}{'to 1':>11}")
        for name in names:
            for kind, corpus in texts.items():
                m = measure(go, name, corpus, args.pairs)
                row = [m.ratio(f"{form} {heat}", f"theirs {heat}") for heat in ("cold", "warm") for form in ("encoding", "ids")]
                threads = m.ratio("2 threads", "1 threads")
                rates = [m.of(k) / 1000 for k in ("theirs cold", "encoding cold", "ids cold")]
                print(f"{name:<18}{kind:<14}{rates[0]:>8.0f}{rates[1]:>9.0f}{rates[2]:>9.0f}{row[0]:>11.2f}{row[1]:>9.2f}"
                      f"{row[2]:>11.2f}{row[3]:>9.2f}{threads:>11.2f}", flush=True)
                cold.append(row)
                double.append(threads)
                out[f"{name} {kind}"] = {"encode_cold": row[0], "ids_cold": row[1], "encode_warm": row[2], "ids_warm": row[3], "threads": threads}
        load_ratios = loads(go, names, args.pairs)
    middle = [statistics.median(r[i] for r in cold) for i in range(4)]
    least = [min(r[i] for r in cold) for i in range(4)]
    print(f"\n{'median':<58}{middle[0]:>11.2f}{middle[1]:>9.2f}{middle[2]:>11.2f}{middle[3]:>9.2f}{statistics.median(double):>11.2f}")
    print(f"{'least':<58}{least[0]:>11.2f}{least[1]:>9.2f}{least[2]:>11.2f}{least[3]:>9.2f}{min(double):>11.2f}")
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump({"pace": out, "load": load_ratios}, f, indent=1)
    met = middle[1] >= 4 and least[1] >= 1.5 and not statistics.median(double) < 1.8 and load_ratios.get("gemma3", 2) > 1
    print("the bars are met" if met else "A BAR IS MISSED")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
