"""Runs transformers' own logits processors over logits_*.json.gz and writes sampling.jsonl.gz, what they keep of each.

    python models/sample/testdata/golden.py     (needs torch 2.15 and transformers 5.23)

logits_real_gravity_0 is what SmolLM2-135M-Instruct gives after its prompt about gravity; the normal, ties and flat ones
are synthetic; the wide ones, of many tokens that differ little, and of many ties, are made here.

Where top_p ends amid tokens of equal logits, transformers keeps some of them as torch.sort, which is not told to be stable,
happens to leave them. On a CPU, on Linux x86-64, that is libstdc++'s std::sort whatever ATEN_CPU_CAPABILITY says: order.py has
its orders.
"""
import gzip
import json
import os

import torch
from transformers.generation import logits_process as lp

HERE = os.path.dirname(os.path.abspath(__file__))
MOST = 200  # kept tokens that a row lists of a large vocabulary

CASES = [
    {"temperature": 1.0}, {"temperature": 0.7}, {"temperature": 2.0}, {"temperature": 0.1},
    {"top_k": 1}, {"top_k": 40}, {"top_k": 50, "temperature": 0.8},
    {"top_p": 0.9}, {"top_p": 0.1}, {"top_p": 0.95, "temperature": 0.6, "top_k": 50},
    {"min_p": 0.05}, {"min_p": 0.1, "temperature": 1.5},
    {"repetition_penalty": 1.1}, {"repetition_penalty": 1.3, "temperature": 0.7, "top_k": 20, "top_p": 0.8}, {"repetition_penalty": 0.8},
    {"top_k": 100000}, {"top_p": 1.0},
    {"temperature": 0.9, "top_k": 30, "top_p": 0.92, "min_p": 0.02, "repetition_penalty": 1.15},
    {"top_p": 0.0001}, {"typical_p": 0.9}, {"epsilon_cutoff": 0.01}, {"top_h": 0.4}, {"eta_cutoff": 0.02},
    {"top_h": 0.8, "top_k": 20, "temperature": 1.5}, {"typical_p": 0.3, "eta_cutoff": 0.3},
]
MORE = CASES + [
    {"top_k": 5000}, {"top_p": 0.5}, {"top_p": 0.999}, {"top_p": 0.99, "temperature": 1.7}, {"top_k": 3000, "top_p": 0.7},
    {"typical_p": 0.2}, {"typical_p": 0.5, "top_k": 1000, "temperature": 1.3}, {"epsilon_cutoff": 0.0003, "top_p": 0.97}, {"min_p": 0.3, "top_p": 0.6},
]
INPUTS = {
    "real_gravity_0": None,  # the prompt, read from prompt_ids.json
    "synthetic_normal_1000": [3, 5, 5, 7, 999, 0], "synthetic_ties_64": [1, 2, 3], "synthetic_flat_16": [0],
    "wide_normal_20000": [0, 1, 2, 19999], "wide_ties_20000": [7, 7, 8],
}


def write(name, text):
    with gzip.GzipFile(os.path.join(HERE, name + ".gz"), "wb", mtime=0) as f:
        f.write(text.encode())


def make_wide():
    g = torch.Generator().manual_seed(11)
    wide = torch.randn(20000, generator=g) * 1.5
    write("logits_wide_normal_20000.json", json.dumps([round(x, 4) for x in wide.tolist()]))
    write("logits_wide_ties_20000.json", json.dumps([round(x * 4) / 4 for x in wide.tolist()]))


def processors(p):
    """The order in which generate() applies them."""
    out = []
    if p.get("repetition_penalty", 1.0) != 1.0:
        out.append(lp.RepetitionPenaltyLogitsProcessor(penalty=p["repetition_penalty"]))
    if p.get("temperature", 1.0) != 1.0:
        out.append(lp.TemperatureLogitsWarper(p["temperature"]))
    if p.get("top_h"):
        out.append(lp.TopHLogitsWarper(top_h=p["top_h"]))
    if p.get("top_k"):
        out.append(lp.TopKLogitsWarper(top_k=p["top_k"]))
    if p.get("top_p", 1.0) < 1.0:
        out.append(lp.TopPLogitsWarper(top_p=p["top_p"]))
    if p.get("min_p"):
        out.append(lp.MinPLogitsWarper(min_p=p["min_p"]))
    if p.get("typical_p", 1.0) < 1.0:
        out.append(lp.TypicalLogitsWarper(mass=p["typical_p"]))
    if p.get("epsilon_cutoff"):
        out.append(lp.EpsilonLogitsWarper(epsilon=p["epsilon_cutoff"]))
    if p.get("eta_cutoff"):
        out.append(lp.EtaLogitsWarper(epsilon=p["eta_cutoff"]))
    return out


def scores_after(params, ids, logits):
    scores = logits[None].clone()
    for p in processors(params):
        scores = p(torch.tensor([ids]), scores)
    return scores[0]


def kept_of(scores):
    kept = torch.nonzero(scores > -float("inf"))[:, 0].tolist()
    kept.sort(key=lambda i: (-scores[i].item(), i))
    return kept


def row(name, params, ids, logits):
    scores = scores_after(params, ids, logits)
    kept = kept_of(scores)
    probs = torch.softmax(scores.double(), -1)
    shown = kept[:MOST] if len(logits) > 1000 else kept
    return {
        "logits": f"logits_{name}.json", "name": name, "params": params, "input_ids": ids, "vocab": len(logits),
        "n_kept": len(kept), "processors": [type(p).__name__ for p in processors(params)], "kept_truncated": len(shown) < len(kept),
        "kept_ids": shown, "probs": [probs[i].item() for i in shown], "logits_after": [scores[i].item() for i in shown],
    }


def main():
    make_wide()
    lines = []
    for name, ids in INPUTS.items():
        if ids is None:
            ids = json.load(open(os.path.join(HERE, "prompt_ids.json")))
        logits = torch.tensor(json.loads(gzip.open(os.path.join(HERE, f"logits_{name}.json.gz")).read()), dtype=torch.float32)
        for params in MORE if name.startswith("wide") else CASES:
            if "top_h" in params and ("ties" in name or "flat" in name):
                continue  # which of equal logits torch.topk puts first, nothing says
            lines.append(json.dumps(row(name, params, ids, logits)) + "\n")
    write("sampling.jsonl", "".join(lines))


if __name__ == "__main__":
    main()
