#!/usr/bin/env python3
"""The ceiling that textmill is measured against: ONNX Runtime on the same texts,
length-sorted, cut by a token budget, and nothing else.

Tokenization, the queue and the table are left out: only model runs are timed.
Prints one JSON line: texts, tokens, seconds and texts per second.
"""
import argparse
import json
import time

import numpy
import onnxruntime
import tokenizers


def batches(encodings, budget):
    """Yields slices of the length-sorted encodings, longest first."""
    order = sorted(encodings, key=len, reverse=True)
    at = 0
    while at < len(order):
        count = max(budget // len(order[at]), 1)
        yield order[at:at + count]
        at += count


def run(session, encodings, budget):
    names = {i.name for i in session.get_inputs()}
    begun = time.perf_counter()
    for rows in batches(encodings, budget):
        longest = len(rows[0])
        ids = numpy.zeros((len(rows), longest), dtype=numpy.int64)
        mask = numpy.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, :len(row)] = row
            mask[i, :len(row)] = 1
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}
        session.run(None, {k: v for k, v in feeds.items() if k in names})
    return time.perf_counter() - begun


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--model", required=True, help="model bundle: tokenizer.json, onnx/model.onnx")
    p.add_argument("--texts", required=True, help="JSONL with a text in each line")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--max-length", type=int, default=256)
    p.add_argument("--budget", type=int, help="padded tokens in a batch; without it, the best of 512 to 8192 on a sample")
    a = p.parse_args()

    tokenizer = tokenizers.Tokenizer.from_file(a.model + "/tokenizer.json")
    tokenizer.no_padding()
    tokenizer.enable_truncation(a.max_length)
    with open(a.texts, encoding="utf-8") as f:
        texts = [json.loads(line)["text"] for line in f]
    encodings = [e.ids for e in tokenizer.encode_batch(texts)]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = a.threads
    session = onnxruntime.InferenceSession(a.model + "/onnx/model.onnx", options, providers=["CPUExecutionProvider"])
    run(session, encodings[:200], 1024)
    budget = a.budget
    if budget is None:
        sample = encodings[::max(len(encodings) // 3000, 1)]
        budget = min((512, 1024, 2048, 4096, 8192), key=lambda b: run(session, sample, b))
    seconds = run(session, encodings, budget)
    print(json.dumps({"texts": len(texts), "tokens": sum(map(len, encodings)), "budget": budget,
                      "seconds": round(seconds, 3), "texts_per_second": round(len(texts) / seconds, 1)}))


if __name__ == "__main__":
    main()
