"""Writes states.json.gz: the hidden states of two texts, how alike their tokens and their vectors are, as transformers and
sentence-transformers have them.

    python work/trace/testdata/states.py CHECKPOINTS     (needs torch 2.15, transformers 5.23, sentence-transformers, numpy)

CHECKPOINTS is the folder that `textmill setup` keeps all-MiniLM-L6-v2 in.
"""
import gzip
import json
import os
import sys

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
TEXTS = ["Tokenizers are fun", "Splitting text into pieces is enjoyable: naïve 🙂 café"]
source = os.path.join(sys.argv[1], "all-MiniLM-L6-v2")

tokenizer, model = AutoTokenizer.from_pretrained(source), AutoModel.from_pretrained(source).eval()
vectors = SentenceTransformer(source, device="cpu").encode(TEXTS).astype(np.float64)


def rounded(values):
    return [[round(float(v), 8) for v in row] for row in values]


def cosines(a, b):
    return rounded((a / np.linalg.norm(a, axis=1, keepdims=True)) @ (b / np.linalg.norm(b, axis=1, keepdims=True)).T)


states = []
out = {"texts": TEXTS, "input_ids": [], "norms": [], "first": [], "similarity": []}
for text in TEXTS:
    inputs = tokenizer(text, return_tensors="pt")
    with torch.no_grad():
        state = model(**inputs).last_hidden_state[0].double().numpy()
    states.append(state)
    out["input_ids"].append(inputs["input_ids"][0].tolist())
    out["norms"].append([round(float(n), 8) for n in np.linalg.norm(state, axis=1)])
    out["first"].append(rounded(state[:, :8]))
    out["similarity"].append(cosines(state, state))
out["pair"] = cosines(*states)
out["vector_norms"] = [round(float(np.linalg.norm(s.mean(axis=0))), 8) for s in states]  # before they are normalized
out["cosine"] = cosines(vectors[:1], vectors[1:])[0][0]

with gzip.GzipFile(os.path.join(HERE, "states.json.gz"), "wb", mtime=0) as f:
    f.write(json.dumps(out).encode())
