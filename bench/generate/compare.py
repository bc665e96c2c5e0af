#!/usr/bin/env python3
"""Output tokens per second over the 64 chat prompts of bench/generate/prompts.jsonl, up to 128 new tokens each, greedy, against
transformers, onnxruntime-genai and llama.cpp on the same weights and threads, alternating in one run.

    python bench/generate/compare.py [--pairs 3] [--engines NAME ...] [--json FILE]

Every engine runs in a process of its own, which has loaded its model and warmed up before the clock starts. Engines with a
batch size try several in the first pair and keep the best. Ours starts from text, the others from its token ids. `alone`
is a handful of the prompts one after the other. Agreement is with what transformers made in this run: texts that are the
same to the end, and tokens before the first difference. With --json the results of an earlier call on the same file count
too, so that a comparison can be made in parts.

The bars: fp32 at least 1.5 × transformers and onnxruntime-genai fp32, int8 at least 1.5 × llama.cpp, alone fp32 at least 1.0 ×
onnxruntime-genai fp32. Medians of the ratios of pairs.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

import prepare

ROOT = prepare.ROOT
ALONE = [0, 12, 17, 25, 28, 39]  # of the prompts
SIZES = {"transformers": (16, 32, 64), "genai fp32": (8, 16, 32), "genai int4": (8, 16, 32), "llama.cpp Q4_1": (8, 16, 32)}
BARS = [("ours fp32", "transformers", "all", 1.5), ("ours fp32", "genai fp32", "all", 1.5), ("ours int8", "llama.cpp Q4_1", "all", 1.5),
        ("ours fp32", "genai fp32", "alone", 1.0)]


class Ours:
    def __init__(self, *settings):
        self.settings = settings

    def open(self):
        return self

    def close(self):
        pass

    def run(self, lines, limit, alone=False):
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as f:
            f.writelines(lines)
            f.flush()
            out = prepare.run(prepare.BINARY, "models", "bench", prepare.MODEL, "--prompts", f.name, "--param", f"max_new_tokens={limit}", "--param",
                              "temperature=0", "--threads", prepare.threads(), "--json", *(["--alone"] if alone else []), *self.settings)
        return json.loads(out)

    def measure(self, bench, which, size, limit):
        answer = self.run([bench.lines[i] for i in which], limit, size == 1)
        return {"seconds": answer["seconds"], "outputs": [t["output_ids"] for t in answer["texts"]]}


class Peer:
    def __init__(self, *command):
        self.command = command

    def open(self):
        self.process = subprocess.Popen([sys.executable, ROOT / "bench" / "generate" / "peers.py", *self.command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True,
                                        env={**prepare.os.environ, "OMP_NUM_THREADS": str(prepare.threads())})
        return self

    def measure(self, bench, which, size, limit):
        self.process.stdin.write(json.dumps({"prompts": [bench.ids[i] for i in which], "max_new_tokens": limit, "batch": size}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:  # it could not do this size, out of memory perhaps; what it said is on standard error
            self.close()
            self.open()
            return {"seconds": 0, "outputs": []}
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def engines(cache, names):
    model, source = prepare.bundle()
    makers = {
        "transformers": lambda: Peer("transformers", prepare.hugging_face(cache, model, source)),
        "ours fp32": lambda: Ours(),
        "genai fp32": lambda: Peer("genai", prepare.genai(cache, prepare.hugging_face(cache, model, source), "fp32")),
        "ours int8": lambda: Ours("--home", prepare.as_is(cache, model, source), "--set", f"models.{prepare.MODEL}.onnx_file=onnx/model_int8.onnx"),
        "llama.cpp Q4_1": lambda: Peer("llama", source, prepare.llama_server(cache)),
        "genai int4": lambda: Peer("genai", prepare.genai(cache, prepare.hugging_face(cache, model, source), "int4", "--extra_options", "int4_accuracy_level=4")),
    }
    unknown = set(names) - set(makers)
    if unknown:
        sys.exit(f"no engine {', '.join(sorted(unknown))}; there are {', '.join(makers)}")
    return {name: make() for name, make in makers.items() if not names or name in names}


class Bench:
    def __init__(self, prompts, limit, path):
        self.lines = prompts.read_text(encoding="utf-8").splitlines(keepends=True)
        self.ids = [t["prompt_ids"] for t in Ours().run(self.lines, 1)["texts"]]
        self.limit, self.path, self.runs = limit, path, []
        if path and path.exists():
            kept = json.loads(path.read_text())
            if kept["prompts"] != self.ids or kept["max_new_tokens"] != limit:
                sys.exit(f"{path} holds results for other prompts")
            self.runs = kept["runs"]

    def of(self, name, kind):
        return [r for r in self.runs if r["engine"] == name and r["kind"] == kind]

    def best(self, name):
        """The fastest batch size, once all were tried."""
        tried = {r["size"]: r["rate"] for r in self.of(name, "all")}
        return max(tried, key=tried.get) if tried.keys() >= set(SIZES.get(name, (0,))) else None

    def add(self, name, engine, kind, size, which):
        r = engine.measure(self, which, size, self.limit)
        tokens = sum(map(len, r["outputs"]))
        rate = tokens / r["seconds"] if tokens else 0
        self.runs.append({"engine": name, "kind": kind, "size": size, "rate": rate, "tokens": tokens, **r})
        print(f"{name:<16}{kind:<6}{size or '':>4} {tokens:>6} tokens in {r['seconds']:>7.2f} s: {rate:>7.1f} tokens/s", flush=True)
        if self.path:
            self.path.write_text(json.dumps({"prompts": self.ids, "max_new_tokens": self.limit, "runs": self.runs}))

    def turn(self, name, engine):
        engine.open()
        best = self.best(name)
        for size in SIZES.get(name, (0,)) if best is None else (best,):
            self.add(name, engine, "all", size, range(len(self.ids)))
        self.add(name, engine, "alone", 1, ALONE)
        engine.close()

    def rates(self, name, kind):
        best = self.best(name)
        return [r["rate"] for r in self.of(name, kind) if kind == "alone" or r["size"] == best]

    def agreement(self, name, kind):
        """Texts and tokens that are as transformers made them."""
        want = [r for r in self.of("transformers", "all") if r["size"] == self.best("transformers")]
        got = [r for r in self.of(name, kind) if r["outputs"] and r["size"] in (1, self.best(name))]
        if not want or not got:
            return ""
        want, got = want[-1]["outputs"], got[-1]["outputs"]
        want = [want[i] for i in ALONE] if kind == "alone" else want
        same = sum(next((i for i, (a, b) in enumerate(zip(x, y)) if a != b), min(len(x), len(y))) for x, y in zip(want, got))
        return f"{sum(a == b for a, b in zip(want, got)):>3}/{len(want)} texts, {100 * same / sum(map(len, want)):>5.1f} % of tokens"

    def report(self, names):
        print(f"\n{len(self.ids)} prompts of {min(map(len, self.ids))}–{max(map(len, self.ids))} tokens, up to {self.limit} new ones, {prepare.threads()} threads")
        print(f"{'':<16}{'batch':>6}{'tokens/s':>10}{'range':>18}   {'as transformers':<34}{'alone':>8}")
        for name in names:
            all_, alone = self.rates(name, "all"), self.rates(name, "alone")
            if all_:
                print(f"{name:<16}{self.best(name) or '':>6}{statistics.median(all_):>10.1f}{f'{min(all_):.1f}–{max(all_):.1f} ({len(all_)})':>18}   "
                      f"{self.agreement(name, 'all'):<34}{statistics.median(alone):>8.1f}")
        met = True
        for ours, theirs, kind, bar in BARS:
            ratios = [a / b for a, b in zip(self.rates(ours, kind), self.rates(theirs, kind))]
            if ratios:
                ratio = statistics.median(ratios)
                met = met and ratio >= bar
                print(f"{ours} / {theirs}, {kind}: {ratio:.2f} ({min(ratios):.2f}–{max(ratios):.2f}), bar {bar}")
        print("the bars are met" if met else "A BAR IS MISSED")
        return met


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--pairs", type=int, default=3)
    p.add_argument("--engines", nargs="*", default=[])
    p.add_argument("--prompts", type=pathlib.Path, default=ROOT / "bench" / "generate" / "prompts.jsonl")
    p.add_argument("--max-new-tokens", type=int, default=128)
    p.add_argument("--cache", type=pathlib.Path, default=ROOT / ".cache" / "peers")
    p.add_argument("--json", type=pathlib.Path)
    a = p.parse_args()
    chosen = engines(a.cache, a.engines)
    bench = Bench(a.prompts, a.max_new_tokens, a.json)
    for pair in range(a.pairs):
        names = list(chosen)
        for name in names if pair % 2 == 0 else reversed(names):
            bench.turn(name, chosen[name])
    return 0 if bench.report(list(dict.fromkeys(list(chosen) + [r["engine"] for r in bench.runs]))) else 1


if __name__ == "__main__":
    sys.exit(main())
