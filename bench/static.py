#!/usr/bin/env python3
"""Texts a second of a static model, `textmill embed --out` against model2vec's encode and a pyarrow write, in alternating pairs.

    python bench/static.py bin/textmill TOKENIZER.json TEXTS.jsonl [--pairs 3]     (needs model2vec and pyarrow)

The model has the tokenizer's vocabulary and random vectors of 256 dimensions, as potion-base-8M has. Both sides read the same
JSONL and write ids, texts and vectors as Parquet with Zstandard, on all processors; starting and loading are not counted: they are
measured with one text and taken off.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time


def model(path, tokenizer):
    import numpy as np
    from model2vec import StaticModel
    from tokenizers import Tokenizer

    t = Tokenizer.from_file(tokenizer)
    vectors = np.random.default_rng(7).normal(size=(t.get_vocab_size(), 256)).astype(np.float32)
    StaticModel(vectors, t, config={}, normalize=True).save_pretrained(path)


def peer(path, texts, out):
    import pyarrow as pa
    import pyarrow.parquet as pq
    from model2vec import StaticModel

    m = StaticModel.from_pretrained(path)
    begun = time.perf_counter()
    with open(texts, encoding="utf-8") as f:
        records = [json.loads(line) for line in f]
    vectors = m.encode([r["text"] for r in records])
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
    table = pa.table({"record_id": [r["id"] for r in records], "text": [r["text"] for r in records], "embedding": column})
    pq.write_table(table, out, compression="zstd", compression_level=1)
    print(time.perf_counter() - begun, flush=True)
    os._exit(0)


def ours(binary, env, texts, out):
    begun = time.perf_counter()
    subprocess.run([binary, "embed", "--model", "bench-static", "--out", out, "--quiet"], stdin=open(texts), env=env, check=True,
                   stderr=subprocess.DEVNULL)
    return time.perf_counter() - begun


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("binary"), p.add_argument("tokenizer"), p.add_argument("texts")
    p.add_argument("--pairs", type=int, default=3)
    p.add_argument("--peer", help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.peer:
        return peer(a.binary, a.texts, a.peer)
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "model")
        model(path, a.tokenizer)
        env = dict(os.environ, TEXTMILL_HOME=os.path.join(work, "home"), TEXTMILL_DATA=os.path.join(work, "data"))
        subprocess.run([a.binary, "models", "import", path, "--name", "bench-static"], env=env, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        one = os.path.join(work, "one.jsonl")
        with open(a.texts, encoding="utf-8") as f, open(one, "w", encoding="utf-8") as to:
            to.write(next(f))
        n, ratios = sum(1 for _ in open(a.texts, encoding="utf-8")), []
        for i in range(a.pairs):
            got = {}
            for side in ("ours", "peer") if i % 2 == 0 else ("peer", "ours"):
                if side == "ours":
                    start = ours(a.binary, env, one, os.path.join(work, f"start{i}"))
                    got[side] = n / (ours(a.binary, env, a.texts, os.path.join(work, f"table{i}")) - start)
                else:
                    out = subprocess.run([sys.executable, __file__, path, a.tokenizer, a.texts, "--peer", os.path.join(work, "peer.parquet")],
                                         capture_output=True, text=True, check=True)
                    got[side] = n / float(out.stdout)
            ratios.append(got["ours"] / got["peer"])
            print(f"textmill {got['ours']:9.0f}   model2vec and pyarrow {got['peer']:9.0f}   ratio {ratios[-1]:.2f}", flush=True)
    print(f"median ratio {statistics.median(ratios):.2f} over {n} texts")


if __name__ == "__main__":
    main()
