"""Embeds the texts of golden.jsonl.gz with sentence-transformers, and writes the file anew.

    python models/embed/testdata/golden.py CHECKPOINTS     (needs torch 2.15, transformers 5.24 and sentence-transformers 6.2)

CHECKPOINTS is the folder in which `textmill setup` keeps all-MiniLM-L6-v2 as Hugging Face has it. Ids and texts are taken as they are.
input_ids end at the model's 256 tokens, n_tokens_full counts what there would be, and vectors are normalized.
"""
import gzip
import json
import os
import sys

from sentence_transformers import SentenceTransformer

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden.jsonl.gz")

with gzip.open(FILE, "rt") as f:
    texts = [json.loads(line) for line in f]
model = SentenceTransformer(os.path.join(sys.argv[1], "all-MiniLM-L6-v2"), device="cpu")
rows = []
for old in texts:
    text = old["text"]
    rows.append({
        "id": old["id"], "text": text, "input_ids": model.preprocess([text])["input_ids"][0].tolist(),
        "n_tokens_full": len(model.tokenizer(text, truncation=False, verbose=False)["input_ids"]),
        "embedding": [float(f"{x:.7g}") for x in model.encode(text, normalize_embeddings=True).tolist()],
    })
with gzip.GzipFile(FILE, "wb", mtime=0) as f:
    for row in rows:
        f.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
