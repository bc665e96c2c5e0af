"""Reads token IDs and embedding rows out of the weights themselves and writes rows.json.gz.

    python work/trace/testdata/golden.py CHECKPOINTS     (needs numpy, safetensors, gguf 0.19 and tokenizers)

CHECKPOINTS is the folder that `textmill setup` keeps all-MiniLM-L6-v2 (safetensors) and SmolLM2-135M-Instruct (GGUF) in. The
SmolLM2 prompt is the first of models/generate/testdata/top5.jsonl.gz, whose IDs are transformers'.
"""
import gzip
import json
import os
import sys

import gguf
import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
checkpoints = sys.argv[1]


def described(ids, table):
    table = np.asarray(table, dtype=np.float32)
    return {
        "input_ids": ids,
        "shape": list(table.shape),
        "rows": {str(i): [float(f"{v:.9g}") for v in table[i]] for i in sorted(set(ids))},
        "norms": [float(np.sqrt((table[i].astype(np.float64) ** 2).sum())) for i in ids],
    }


bert = os.path.join(checkpoints, "all-MiniLM-L6-v2")
text = "Tokenizers are fun"
encoding = Tokenizer.from_file(os.path.join(bert, "tokenizer.json"))
encoding.no_padding()
encoding = encoding.encode(text)
words = load_file(os.path.join(bert, "model.safetensors"))["embeddings.word_embeddings.weight"]
out = {"all-MiniLM-L6-v2": dict(described(encoding.ids, words), pieces=encoding.tokens, spans=encoding.offsets)}

file = os.path.join(checkpoints, "SmolLM2-135M-Instruct", "SmolLM2-135M-Instruct.Q4_1.gguf")
table = next(t for t in gguf.GGUFReader(file).tensors if t.name == "token_embd.weight")
with gzip.open(os.path.join(HERE, "../../../models/generate/testdata/top5.jsonl.gz"), "rt") as f:
    ids = json.loads(f.readline())["prompt_ids"]
out["SmolLM2-135M-Instruct"] = described(ids, gguf.dequantize(table.data, table.tensor_type))

with gzip.GzipFile(os.path.join(HERE, "rows.json.gz"), "wb", mtime=0) as f:
    f.write(json.dumps(out).encode())
