"""Makes a checkpoint of an 8B Llama that takes no disk: its weights are holes, which read as zeros.

    python sparse8b.py DIR
    /usr/bin/time -v textmill models import DIR --precision q4 --name sparse8b     (writes 7 GB; the peak is "Maximum resident set size")

It shows what memory an import takes, whatever the weights are.
"""

import json
import os
import shutil
import struct
import sys

HIDDEN, INNER, LAYERS, HEADS, KV, HEAD, VOCAB = 4096, 14336, 32, 32, 8, 128, 128256
here, out = os.path.dirname(os.path.abspath(__file__)), sys.argv[1]
os.makedirs(out, exist_ok=True)
shutil.copy(os.path.join(here, "tiny", "llama", "tokenizer.json"), out)
with open(os.path.join(out, "config.json"), "w") as f:
    json.dump(dict(architectures=["LlamaForCausalLM"], model_type="llama", hidden_size=HIDDEN, intermediate_size=INNER, num_hidden_layers=LAYERS,
                   num_attention_heads=HEADS, num_key_value_heads=KV, head_dim=HEAD, vocab_size=VOCAB, max_position_embeddings=8192, rms_norm_eps=1e-5,
                   rope_theta=500000.0, tie_word_embeddings=False, eos_token_id=2), f)
shapes = {"model.embed_tokens": (VOCAB, HIDDEN), "lm_head": (VOCAB, HIDDEN), "model.norm": (HIDDEN,)}
for i in range(LAYERS):
    at = f"model.layers.{i}."
    shapes |= {at + "input_layernorm": (HIDDEN,), at + "post_attention_layernorm": (HIDDEN,), at + "self_attn.q_proj": (HEADS * HEAD, HIDDEN),
               at + "self_attn.k_proj": (KV * HEAD, HIDDEN), at + "self_attn.v_proj": (KV * HEAD, HIDDEN), at + "self_attn.o_proj": (HIDDEN, HEADS * HEAD),
               at + "mlp.gate_proj": (INNER, HIDDEN), at + "mlp.up_proj": (INNER, HIDDEN), at + "mlp.down_proj": (HIDDEN, INNER)}
header, end = {}, 0
for name, shape in shapes.items():
    size = 2
    for n in shape:
        size *= n
    header[name + ".weight"] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + size]}
    end += size
text = json.dumps(header).encode()
with open(os.path.join(out, "model.safetensors"), "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text)
    f.truncate(8 + len(text) + end)
print(f"{end // 2 / 1e9:.2f} billion weights")
