"""Continues prompts with transformers in fp32, and writes what the tests compare with.

    python models/generate/testdata/golden.py CHECKPOINTS     (needs torch 2.15, transformers 5.24, accelerate and gguf 0.19)

CHECKPOINTS is the folder in which `textmill setup` keeps SmolLM2-135M-Instruct as GGUF; transformers reads the file itself, and its
tokenizer out of it. The messages of greedy.jsonl.gz and the prompt_ids of top5.jsonl.gz are taken as they are, all else is made anew:

greedy.jsonl.gz   up to 64 greedy tokens, and how close the closest decision was (min_top1_top2_gap)
top5.jsonl.gz     each step's five highest logits, and the logarithm of the sum over all
../../sample/testdata/logits_real_gravity_0.json.gz, prompt_ids.json     the first step's logits after "What is gravity?"
"""
import gzip
import json
import os
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLE = os.path.join(HERE, "../../sample/testdata")
NEW = 64
folder, file = os.path.join(sys.argv[1], "SmolLM2-135M-Instruct"), "SmolLM2-135M-Instruct.Q4_1.gguf"


def read(name):
    with gzip.open(os.path.join(HERE, name), "rt") as f:
        return [json.loads(line) for line in f]


def write(path, rows):
    with gzip.GzipFile(path, "wb", mtime=0) as f:
        for row in rows:
            f.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")


def rounded(x):
    return float(f"{x:.7g}")


tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file)
model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32).eval()


def greedy(ids):
    """The tokens, and the logits that each was chosen from."""
    prompt = torch.tensor([ids])
    with torch.no_grad():
        out = model.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=NEW, return_dict_in_generate=True,
                             output_logits=True, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.eos_token_id)
    return out.sequences[0, len(ids):].tolist(), torch.cat(out.logits)


texts = []
for old in read("greedy.jsonl.gz"):
    messages = old["messages"]
    prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    new, logits = greedy(ids)
    two = logits.topk(2).values
    texts.append({
        "id": old["id"], "messages": messages, "prompt": messages[-1]["content"], "chat_prompt": prompt, "prompt_ids": ids, "generated_ids": new,
        "text": tokenizer.decode(new, skip_special_tokens=True), "finish_reason": "stop" if new[-1] == tokenizer.eos_token_id else "length",
        "n_prompt": len(ids), "n_generated": len(new), "min_top1_top2_gap": round((two[:, 0] - two[:, 1]).min().item(), 6),
    })
    if messages == [{"role": "user", "content": "What is gravity?"}]:
        gravity = ids, logits[0].numpy()

scored = []
for old in read("top5.jsonl.gz"):
    new, logits = greedy(old["prompt_ids"])
    top, sums = logits.topk(5), logits.logsumexp(-1)
    scored.append({"id": old["id"], "prompt_ids": old["prompt_ids"], "steps": [
        {"step": i, "chosen": chosen, "top_ids": top.indices[i].tolist(), "top_logits": [rounded(x) for x in top.values[i].tolist()],
         "logsumexp": rounded(sums[i].item())} for i, chosen in enumerate(new)]})

write(os.path.join(HERE, "greedy.jsonl.gz"), texts)
write(os.path.join(HERE, "top5.jsonl.gz"), scored)
with open(os.path.join(SAMPLE, "prompt_ids.json"), "w") as f:
    f.write(json.dumps(gravity[0]) + "\n")
with gzip.GzipFile(os.path.join(SAMPLE, "logits_real_gravity_0.json.gz"), "wb", mtime=0) as f:
    f.write(json.dumps([float(str(x)) for x in gravity[1]], separators=(",", ":")).encode())
