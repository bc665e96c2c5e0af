"""Makes LoRA adapters of tiny checkpoints, and what the reference computes with them merged.

Needs torch, transformers 5.23 and peft 0.21; run it in this folder after reference.py. adapters/NAME holds what peft saves, and
reference.json what merge_and_unload gives for the input_ids of tiny/NAME/reference.json.
"""

import json
import os
import shutil

import torch
import transformers as tf
from peft import LoraConfig, PeftModel, get_peft_model

import making

torch.manual_seed(11)

ADAPTERS = {
    "llama": (tf.LlamaForCausalLM, LoraConfig(r=4, lora_alpha=6, use_rslora=True, modules_to_save=["norm"], task_type="CAUSAL_LM",
              target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"], rank_pattern={"up_proj": 2})),
    "bert": (tf.BertModel, LoraConfig(r=3, lora_alpha=5, target_modules=["query", "value", "intermediate.dense"], fan_in_fan_out=True)),
}

for name, (cls, config) in ADAPTERS.items():
    path, base = os.path.join("adapters", name), os.path.join("tiny", name)
    shutil.rmtree(path, ignore_errors=True)
    load = lambda: making.load(cls, base)
    model = get_peft_model(load(), config)
    with torch.no_grad():
        for key, p in model.named_parameters():
            if p.requires_grad:  # B is born as zeros
                p.copy_(torch.randn_like(p) * (1 if ".norm." in key else 0.3))
    model.save_pretrained(path)
    os.remove(os.path.join(path, "README.md"))
    merged = PeftModel.from_pretrained(load(), path).merge_and_unload().eval()
    rows = []
    for row in json.load(open(os.path.join(base, "reference.json"))):
        with torch.no_grad():
            r = merged(torch.tensor([row["input_ids"]]))
        values = (r.logits if "CausalLM" in cls.__name__ else r.last_hidden_state)[0]
        rows.append({"input_ids": row["input_ids"], "values": making.rounded(values)})
    json.dump(rows, open(os.path.join(path, "reference.json"), "w"))
