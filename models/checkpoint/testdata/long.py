"""Makes long.json: what the reference computes of one long text with the tiny checkpoints that are beside it.

Needs torch and transformers 5.23; run it in this folder. Each checkpoint is loaded with room for more positions, which no
tensor knows of, since it rotates. The text has 700 tokens, 5 + 7 i modulo the vocabulary less 5; of its tokens' vectors some are kept.
"""

import json
import os

import torch
import transformers as tf

import making

LENGTH, ROOM = 700, 1024
KEPT = [0, 1, 63, 64, 300, 511, 512, 640, 698, 699]
NAMES = ["tiny/modernbert", "tiny/modernbert-silu", "tiny/nomic-plain", "tiny/gte", "tiny/jina-v3", "embedders/qwen3-fp32", "embedders/eurobert",
         "embedders/embeddinggemma", "embedders/embeddinggemma2", "embedders/gemma3-causal", "embedders/qwen2-both-ways", "embedders/qwen2-window-both-ways", "embedders/mistral"]

out = {}
for name in NAMES:
    config = tf.AutoConfig.from_pretrained(name)
    config.max_position_embeddings = ROOM
    cls = tf.AutoModel
    if config.model_type.startswith("embedding_gemma2"):
        cls = tf.EmbeddingGemma2TextModel
    model = cls.from_pretrained(name, config=config, dtype=torch.float32, attn_implementation="eager").eval()
    ids = [5 + (7 * i) % (config.vocab_size - 5) for i in range(LENGTH)]
    with torch.no_grad():
        values = model(torch.tensor([ids])).last_hidden_state[0]
    out[name] = {"vocabulary": config.vocab_size, "values": making.rounded(values[KEPT])}
    print(name, type(model).__name__)
with open("long.json", "w") as f:
    json.dump({"length": LENGTH, "room": ROOM, "kept": KEPT, "models": out}, f)
    f.write("\n")
