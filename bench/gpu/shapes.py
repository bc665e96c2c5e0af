"""Checkpoints of known shapes with random weights, made where they are needed: only their small files are carried.

Values are drawn once and written in turns of a large block, which is enough for what speed and bits depend on. The
standard library alone is used, since a bare machine may have no more.
"""
import array
import functools
import json
import pathlib
import random
import shutil
import struct

# name: layers, width, heads, heads of keys, inner width, tokens of a text in the corpus
ENCODERS = {
    "minilm": (6, 384, 12, 12, 1536, 22), "e5-small": (12, 384, 12, 12, 1536, 68), "bge-large": (24, 1024, 16, 16, 4096, 60),
    "tiny-encoder": (2, 64, 2, 2, 128, 22),
}
DECODERS = {"smol": (30, 576, 9, 3, 1536, 32), "llama-1b": (22, 2048, 32, 4, 5632, 32), "tiny-decoder": (2, 64, 2, 1, 128, 8)}

BLOCK = 1 << 20


@functools.cache
def block():
    """Normal values of deviation 0.02 as bfloat16."""
    draw, out = random.Random(13), array.array("H")
    for _ in range(BLOCK):
        out.append(struct.unpack("<I", struct.pack("<f", draw.gauss(0, 0.02)))[0] >> 16)
    return out.tobytes()


def safetensors(path, tensors):
    """tensors: name → (shape, None for random values or the one value of all)."""
    header, at = {}, 0
    for name, (shape, _) in tensors.items():
        n = 2
        for side in shape:
            n *= side
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + n]}
        at += n
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    values, turn = block(), 0
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(head)) + head)
        for name, (_, value) in tensors.items():
            left = header[name]["data_offsets"][1] - header[name]["data_offsets"][0]
            source = values if value is None else struct.pack("<H", struct.unpack("<I", struct.pack("<f", value))[0] >> 16) * BLOCK
            turn = (turn + 2 * 104729) % len(values)  # no two tensors begin alike
            at = turn
            while left:
                part = source[at:at + left]
                f.write(part)
                left -= len(part)
                at = 0


def encoder(shape, vocabulary):
    layers, width, _, _, inner, _ = shape
    t = {"embeddings.word_embeddings.weight": ([vocabulary, width], None), "embeddings.position_embeddings.weight": ([512, width], None),
         "embeddings.token_type_embeddings.weight": ([2, width], None), "embeddings.LayerNorm.weight": ([width], 1.0),
         "embeddings.LayerNorm.bias": ([width], 0.0)}
    for i in range(layers):
        p = f"encoder.layer.{i}."
        for name, rows, columns in (("attention.self.query", width, width), ("attention.self.key", width, width),
                                    ("attention.self.value", width, width), ("attention.output.dense", width, width),
                                    ("intermediate.dense", inner, width), ("output.dense", width, inner)):
            t[p + name + ".weight"], t[p + name + ".bias"] = ([rows, columns], None), ([rows], 0.0)
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            t[p + name + ".weight"], t[p + name + ".bias"] = ([width], 1.0), ([width], 0.0)
    return t


def decoder(shape, vocabulary):
    layers, width, heads, keys, inner, _ = shape
    head = width // heads
    t = {"model.embed_tokens.weight": ([vocabulary, width], None), "model.norm.weight": ([width], 1.0)}
    for i in range(layers):
        p = f"model.layers.{i}."
        for name, rows, columns in (("self_attn.q_proj", width, width), ("self_attn.k_proj", keys * head, width),
                                    ("self_attn.v_proj", keys * head, width), ("self_attn.o_proj", width, width),
                                    ("mlp.gate_proj", inner, width), ("mlp.up_proj", inner, width), ("mlp.down_proj", width, inner)):
            t[p + name + ".weight"] = ([rows, columns], None)
        for name in ("input_layernorm", "post_attention_layernorm"):
            t[p + name + ".weight"] = ([width], 1.0)
    return t


def make(name, to, carried):
    """A checkpoint in the folder to; carried holds the folders of tokenizers."""
    to.mkdir(parents=True, exist_ok=True)
    embeds = name in ENCODERS
    shape = (ENCODERS if embeds else DECODERS)[name]
    layers, width, heads, keys, inner, _ = shape
    tokenizer = carried / ("encoder" if embeds else "decoder") / "tokenizer.json"
    shutil.copy(tokenizer, to / "tokenizer.json")
    words = json.loads(tokenizer.read_text())
    vocabulary = max(max(words["model"]["vocab"].values()), *(t["id"] for t in words["added_tokens"])) + 1
    common = {"vocab_size": vocabulary, "hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads, "intermediate_size": inner}
    if embeds:
        config = {**common, "model_type": "bert", "architectures": ["BertModel"], "hidden_act": "gelu", "max_position_embeddings": 512,
                  "type_vocab_size": 2, "layer_norm_eps": 1e-12, "pad_token_id": 0}
        (to / "modules.json").write_text(json.dumps([
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]))
        (to / "1_Pooling").mkdir(exist_ok=True)
        (to / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": width, "pooling_mode_mean_tokens": True}))
        tensors = encoder(shape, vocabulary)
    else:
        config = {**common, "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_act": "silu", "max_position_embeddings": 2048,
                  "num_key_value_heads": keys, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": True,
                  "bos_token_id": 1, "eos_token_id": 2}
        tensors = decoder(shape, vocabulary)
    (to / "config.json").write_text(json.dumps(config))
    safetensors(to / "model.safetensors", tensors)
    return shape


def texts(carried, tokens, count, seed=1):
    """Records of words that are one token each, about as many as a text of the shape has; some far shorter and longer."""
    vocabulary = json.loads((carried / "encoder" / "tokenizer.json").read_text())["model"]["vocab"]
    words = sorted(w for w in vocabulary if w.isascii() and w.isalpha() and len(w) > 2)
    draw = random.Random(seed)
    for i in range(count):
        n = max(1, min(4 * tokens, int(draw.lognormvariate(0, 0.4) * (tokens - 2))))
        yield {"id": f"{seed}-{i}", "text": " ".join(draw.choices(words, k=n))}


def corpus(path, carried, tokens, count, seed=1):
    with open(path, "w", encoding="utf-8") as f:
        for record in texts(carried, tokens, count, seed):
            f.write(json.dumps(record) + "\n")
    return pathlib.Path(path)
