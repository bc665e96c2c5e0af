"""What the scripts that make tiny checkpoints have in common."""

import os

import torch
from tokenizers import Tokenizer, models


def enliven(model, spread=0.2, shift=0.0):
    """Norms and biases are born as ones and zeros, which would hide mistakes."""
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() == 1:
                p.add_(torch.randn_like(p) * spread + shift)
        for name, p in model.named_buffers():
            if name.endswith("layer_scalar"):
                p.add_(torch.randn_like(p) * spread)


def load(cls, path):
    """The model as references are computed: in fp32."""
    return cls.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()


def save_words(path, count):
    """A tokenizer of words t0, t1 and so on."""
    Tokenizer(models.WordLevel({f"t{i}": i for i in range(count)}, unk_token="t0")).save(os.path.join(path, "tokenizer.json"))


def rounded(values):
    return [[round(float(v), 6) for v in row] for row in values]


def neighbours(rows, heads):
    """The rows of q or k as llama.cpp's converter orders them where pairs of neighbours rotate."""
    return rows.reshape(heads, 2, -1, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


def write_gguf(w):
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
