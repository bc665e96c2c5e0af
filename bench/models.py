#!/usr/bin/env python3
"""How fast each family of models runs against the library it was made for, on this machine's processor, in one run.

    python bench/models.py [FAMILY ...] [--pairs 3]
        (needs torch, transformers 5.23, sentence-transformers 6.2, model2vec 0.10 and pyarrow; bin/textmill and its library, as make setup leaves them)

For each family of the scoreboard in docs/models.md a checkpoint with random weights is made by the reference library (checkpoints.py) and
imported. Both sides are loaded and warm when the clock starts, have one thread each, and take turns; a busy machine slows both. Seconds of
processors are taken beside those of the clock, and are the ones to trust there: with one thread, since several that wait for each other by
spinning count what others do. What is measured:

* embedders: `embed` from lines to lines, against sentence-transformers' encode with its batches of 32, on texts of 13 to 82 tokens;
* generators: `generate`, against transformers' generate on one batch padded on the left: 8 prompts of 8 to 96 tokens, other ones in each
  pair, with 64 new tokens each, greedy;
* static models: `embed --out`, against the library's encode and pyarrow's write, with the tokenizer of all-MiniLM-L6-v2 and sentences.

Vectors must be the reference's to a cosine of 0.99999; of texts the tokens before the first other one are counted. bench/models.json keeps
what was measured, by family; `make docs` has docs/models.md say it.
"""
import argparse
import datetime
import json
import math
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time

import checkpoints
from references import NEW
from sides import TICK, Failed, Ours, Peer, Static

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "models.json"


def families():
    """Those of the scoreboard, which has a line for all that can be imported."""
    board = (ROOT / "docs" / "models.md").read_text(encoding="utf-8").split("<!-- scoreboard")[1].split("<!-- end")[0]
    names = [n for line in re.findall(r"^\| (.*?) \|", board, re.M)[1:] for n in line.split(", ") if not set(n) <= set("-")]
    return list(dict.fromkeys(names))


def words(rng, n, vocab):
    return " ".join(f"w{rng.randrange(4, vocab)}" for _ in range(n))


def texts(count, vocab):
    """Most are short, some are long. 32 at a time are of like length, as batches of a long corpus that was sorted are: little padding there."""
    rng, groups = random.Random(11), max(count // 32, 1)
    middles = [math.exp(3.5 + 1.2 * statistics.NormalDist().inv_cdf((i % groups + 0.5) / groups)) for i in range(count)]
    return [words(rng, max(round(m * rng.uniform(0.9, 1.1)), 3), vocab) for m in middles]


def prompts(pair, count, vocab):
    rng = random.Random(100 + pair)
    return [words(rng, rng.randrange(8, 97), vocab) for _ in range(count)]


def vectors(path):
    import pyarrow.compute as pc
    import pyarrow.dataset as ds
    files = [str(p) for p in pathlib.Path(path).rglob("*.parquet") if "_delta_log" not in p.parts] if os.path.isdir(path) else [path]
    table = ds.dataset(files).to_table(columns=["record_id", "embedding"])
    table = table.take(pc.sort_indices(table["record_id"])).slice(0, 2000)
    return table["embedding"].to_pylist()


def worst(got, want):
    import numpy as np
    a, b = np.asarray(got, dtype=np.float64), np.asarray(want, dtype=np.float64)
    assert a.shape == b.shape, f"vectors of {a.shape} and {b.shape}"
    return float(np.min((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)))


def agree(got, want):
    """Tokens before the first difference of each text, of all."""
    same = sum(next((i for i, (a, b) in enumerate(zip(x, y)) if a != b), min(len(x), len(y))) for x, y in zip(got, want))
    return same, sum(map(len, want))


class Family:
    def __init__(self, name, work, a):
        self.name, self.work, self.a = name, work, a
        self.path = os.path.join(work, "checkpoint")
        self.parameters, self.shape = a.reference.make(name, self.path, str(a.home / "models" / "all-MiniLM-L6-v2" / "tokenizer.json"))
        self.env = dict(os.environ, TEXTMILL_HOME=os.path.join(work, "home"), TEXTMILL_DATA=os.path.join(work, "data"))
        os.makedirs(self.env["TEXTMILL_HOME"])
        os.symlink(a.home / "lib", os.path.join(self.env["TEXTMILL_HOME"], "lib"))
        begun = time.perf_counter()
        done = subprocess.run([a.binary, "models", "import", self.path, "--name", "bench", "--json"], env=self.env, capture_output=True, text=True)
        if done.returncode:
            raise Failed(done.stderr)
        self.imported = time.perf_counter() - begun
        self.bytes = sum(f.stat().st_size for f in pathlib.Path(work, "home", "models", "bench").rglob("*") if f.is_file())
        self.vocab = 8192 if "gemma2_text" in name else checkpoints.VOCAB

    def sides(self):
        """Ours, what to run of each pair, and what a run comes to, in texts or tokens."""
        a = self.a
        if self.name in checkpoints.STATIC:
            source = os.path.join(self.work, "texts.jsonl")
            with open(source, "w", encoding="utf-8") as f:
                subprocess.run([sys.executable, ROOT / "bench" / "texts.py", str(a.static_texts)], stdout=f, check=True)
            return Static(a.binary, self.env, a.threads, self.work, source), lambda _: (source, self.work + "/peer.parquet"), a.static_texts, "texts/s"
        if self.name in checkpoints.GENERATORS:
            ours = Ours(a.binary, self.env, a.threads, "generate", "--param", f"max_new_tokens={NEW}", "--param", "temperature=0", "--param", "ignore_eos=true")
            return ours, lambda pair: prompts(pair, a.prompts, self.vocab), a.prompts * NEW, "tokens/s"
        all_ = texts(a.texts, self.vocab)
        return Ours(a.binary, self.env, a.threads, "embed"), lambda _: all_, sum(len(t.split()) for t in all_), "tokens/s"

    def warm(self, side, load):
        if not isinstance(side, Static):
            side.run(load if self.name in checkpoints.STATIC else load[:4])

    def turns(self, ours, theirs, load, amount, unit):
        """Pairs, and what both sides came to in each."""
        pairs, results = [], []
        for i in range(self.a.pairs):
            got, records = {}, load(i)
            for side in (ours, theirs) if i % 2 == 0 else (theirs, ours):
                got[side] = side.run(records)
            (a, seconds, processors), (b, their_seconds, their_processors) = got[ours], got[theirs]
            pair = {"textmill": round(amount / seconds, 1), "reference": round(amount / their_seconds, 1), "ratio": round(their_seconds / seconds, 3),
                    "processor_ratio": round(their_processors / max(processors, 1 / TICK), 3), "load": round(os.getloadavg()[0], 1)}
            print(f"{self.name:24} textmill {pair['textmill']:9.0f}  reference {pair['reference']:9.0f} {unit}  ratio {pair['ratio']:5.2f}"
                  f"  of processor time {pair['processor_ratio']:5.2f}  load {pair['load']}", flush=True)
            pairs.append(pair), results.append((a, b))
        return pairs, results

    def measure(self):
        ours, load, amount, unit = self.sides()
        try:
            theirs = self.a.reference
            theirs.load(self.name, self.path)
            self.warm(ours, load(-1)), self.warm(theirs, load(-1))
            pairs, agreed = self.turns(ours, theirs, load, amount, unit)
        finally:
            ours.close()
        result = {"family": self.name, "parameters": self.parameters, "shape": self.shape, "import_seconds": round(self.imported, 2), "bytes": self.bytes,
                  "unit": unit, "amount": amount, "pairs": pairs, **self.a.machine}
        if self.name in checkpoints.GENERATORS:
            counts = [agree(*x) for x in agreed]
            result |= {"reference": self.a.versions["transformers"], "same_tokens": sum(c[0] for c in counts), "tokens": sum(c[1] for c in counts)}
            print(f"{self.name:24} {result['same_tokens']} of {result['tokens']} tokens are the same up to the first other one")
        else:
            static = self.name in checkpoints.STATIC
            both = [(vectors(ours.table), vectors(self.work + "/peer.parquet"))] if static else agreed
            result |= {"reference": self.a.versions["model2vec" if self.name == "StaticModel" else "sentence-transformers"], "cosine": min(worst(*x) for x in both)}
            print(f"{self.name:24} worst cosine {result['cosine']:.9f}")
            if result["cosine"] < 0.99999:
                raise Failed("vectors are not the reference's")
        return result


def keep(result):
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    kept = sorted([r for r in kept if r["family"] != result["family"]] + [result], key=lambda r: r["family"])
    RESULTS.write_text("[\n" + ",\n".join(json.dumps(r) for r in kept) + "\n]\n")


def machine(a):
    from importlib.metadata import version
    a.versions = {n: f"{n} {version(n)}" for n in ("transformers", "sentence-transformers", "model2vec")}
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())[1]
    told = subprocess.run([a.binary, "version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    a.machine = {"date": datetime.date.today().isoformat(), "processor": cpu, "threads": a.threads, "torch": version("torch"), "textmill": told}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("families", nargs="*", metavar="FAMILY", help="of the scoreboard; default: all of it")
    p.add_argument("--pairs", type=int, default=3)
    p.add_argument("--texts", type=int, default=64)
    p.add_argument("--prompts", type=int, default=8)
    p.add_argument("--static-texts", type=int, default=20_000)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--binary", type=pathlib.Path, default=ROOT / "bin" / "textmill")
    p.add_argument("--home", type=pathlib.Path, default=pathlib.Path.home() / ".cache" / "textmill", help="textmill's, as make setup left it")
    p.add_argument("--dry", action="store_true", help="keep nothing")
    a = p.parse_args()
    machine(a)
    a.reference, failed = Peer(a.threads), []
    made = {*checkpoints.EMBEDDERS, *checkpoints.STATIC, *checkpoints.GENERATORS}
    for name in a.families or families():
        if name not in made:
            print(f"{name}: as {checkpoints.SAME[name]}" if name in checkpoints.SAME else f"{name}: checkpoints.py makes none", flush=True)
            continue
        with tempfile.TemporaryDirectory() as work:
            try:
                result = Family(name, work, a).measure()
            except Failed as e:
                failed.append(name)
                a.reference.close()
                a.reference = Peer(a.threads)  # it may have ended
                print(f"{name}: {e}", flush=True)
                continue
        if not a.dry:
            keep(result)
    a.reference.close()
    return f"not measured: {', '.join(failed)}" if failed else 0


if __name__ == "__main__":
    sys.exit(main())
