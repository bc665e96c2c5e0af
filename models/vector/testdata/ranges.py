"""Makes ranges.json: what sentence-transformers makes of vectors within given ranges.

Needs sentence-transformers 6.2; run it in this folder. Floats are their bits. Some vectors lie beyond the ranges, some on their ends, and
one dimension has a range of no width.
"""

import json

import numpy as np
from sentence_transformers.util.quantization import quantize_embeddings

rng = np.random.default_rng(5)
dim = 24
sample = rng.normal(size=(200, dim)).astype(np.float32) * rng.uniform(0.01, 3, dim).astype(np.float32)
ranges = np.vstack((sample.min(axis=0), sample.max(axis=0))).astype(np.float32)
ranges[1, 3] = ranges[0, 3]
vectors = np.vstack((sample[:40], sample[:20] * np.float32(1.7), ranges, np.nextafter(ranges, np.float32(9)), np.zeros((1, dim), np.float32))).astype(np.float32)


def bits(values):
    return [[int(b) for b in row.view(np.uint32)] for row in values]


out = {"ranges": bits(ranges), "vectors": bits(vectors)}
for precision in ("int8", "uint8", "binary", "ubinary"):
    out[precision] = quantize_embeddings(vectors, precision, ranges=ranges).tolist()
with open("ranges.json", "w") as f:
    json.dump(out, f)
    f.write("\n")
