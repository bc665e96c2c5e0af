#!/usr/bin/env python3
"""Texts a second of sentence-transformers, or new tokens a second of transformers, on one of check.py's checkpoints."""
import argparse
import json
import pathlib
import time


def main():
    p = argparse.ArgumentParser()
    p.add_argument("checkpoint", type=pathlib.Path)
    p.add_argument("records", type=pathlib.Path)
    p.add_argument("--device", default="cuda:0")
    p.add_argument("--new-tokens", type=int, default=0, help="generate so many for each; 0: embed")
    a = p.parse_args()
    import torch
    texts = [json.loads(line)["text"] for line in a.records.open(encoding="utf-8")]
    kind = torch.float16 if a.device.startswith("cuda") else torch.float32
    best = 0
    if a.new_tokens == 0:
        import sentence_transformers
        model = sentence_transformers.SentenceTransformer(str(a.checkpoint), device=a.device, model_kwargs={"torch_dtype": kind})
        model.encode(texts[:64])
        for batch in (64, 256, 1024):
            begin = time.perf_counter()
            model.encode(texts, batch_size=batch)
            best = max(best, len(texts) / (time.perf_counter() - begin))
    else:
        import transformers
        tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(a.checkpoint / "tokenizer.json"), padding_side="left")
        tokenizer.pad_token_id = 0
        model = transformers.AutoModelForCausalLM.from_pretrained(a.checkpoint, torch_dtype=kind).to(a.device)
        inputs = tokenizer(texts, return_tensors="pt", padding=True).to(a.device)
        for _ in range(2):
            begin = time.perf_counter()
            model.generate(**{k: inputs[k] for k in ("input_ids", "attention_mask")}, max_new_tokens=a.new_tokens,
                           min_new_tokens=a.new_tokens, do_sample=False)
            best = max(best, len(texts) * a.new_tokens / (time.perf_counter() - begin))
    print(json.dumps({"rate": best}))


if __name__ == "__main__":
    main()
