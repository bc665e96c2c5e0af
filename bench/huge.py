#!/usr/bin/env python3
"""What an import of a model of 8 billion weights takes: memory, time, and the files that it makes.

    python3 bench/huge.py bin/textmill [--precision q4] [--scratch DIR]

The checkpoint has the names, shapes and shards of Llama 3.1 8B in bf16, but its files are holes: 16 GB that no disk holds, all of
them zeros. What is written is real: 6 GB with q4, 32 GB with fp32. Memory is the process's greatest resident set, as the kernel keeps
it (VmHWM), of which pages of files that are mapped are a part.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

HIDDEN, MIDDLE, LAYERS, HEADS, KV_HEADS, VOCABULARY, SHARD = 4096, 14336, 32, 32, 8, 128256, 5 << 30
TINY = os.path.join(os.path.dirname(__file__), "..", "models", "checkpoint", "testdata", "tiny", "llama")


def tensors():
    """Each tensor's name and shape, in the order of the layers."""
    yield "model.embed_tokens.weight", [VOCABULARY, HIDDEN]
    kv = HIDDEN // HEADS * KV_HEADS
    for i in range(LAYERS):
        for name, shape in (("input_layernorm", [HIDDEN]), ("self_attn.q_proj", [HIDDEN, HIDDEN]), ("self_attn.k_proj", [kv, HIDDEN]), ("self_attn.v_proj", [kv, HIDDEN]),
                            ("self_attn.o_proj", [HIDDEN, HIDDEN]), ("post_attention_layernorm", [HIDDEN]), ("mlp.gate_proj", [MIDDLE, HIDDEN]), ("mlp.up_proj", [MIDDLE, HIDDEN]),
                            ("mlp.down_proj", [HIDDEN, MIDDLE])):
            yield f"model.layers.{i}.{name}.weight", shape
    yield "model.norm.weight", [HIDDEN]
    yield "lm_head.weight", [VOCABULARY, HIDDEN]


def make(folder):
    """A checkpoint of holes."""
    shards, size = [{}], 0
    for name, shape in tensors():
        n = 2
        for d in shape:
            n *= d
        if size + n > SHARD:
            shards.append({})
            size = 0
        shards[-1][name] = {"dtype": "BF16", "shape": shape, "data_offsets": [size, size + n]}
        size += n
    names = [f"model-{i + 1:05}-of-{len(shards):05}.safetensors" for i in range(len(shards))]
    for name, shard in zip(names, shards):
        header = json.dumps(shard).encode()
        with open(os.path.join(folder, name), "wb") as f:
            f.write(len(header).to_bytes(8, "little") + header)
            f.truncate(8 + len(header) + max(t["data_offsets"][1] for t in shard.values()))
    with open(os.path.join(folder, "model.safetensors.index.json"), "w") as f:
        json.dump({"metadata": {}, "weight_map": {t: name for name, shard in zip(names, shards) for t in shard}}, f)
    with open(os.path.join(TINY, "config.json")) as f:
        config = json.load(f)
    config.update(hidden_size=HIDDEN, intermediate_size=MIDDLE, num_hidden_layers=LAYERS, num_attention_heads=HEADS, num_key_value_heads=KV_HEADS, head_dim=HIDDEN // HEADS,
                  vocab_size=VOCABULARY, max_position_embeddings=8192, tie_word_embeddings=False)
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config, f)
    for name in ("tokenizer.json", "generation_config.json"):
        shutil.copy(os.path.join(TINY, name), folder)


def peak(pid):
    """The greatest resident set so far, in bytes, and what of the present one is no file's; None once it has ended."""
    try:
        with open(f"/proc/{pid}/status") as f:
            fields = dict(line.split(":", 1) for line in f)
        return int(fields["VmHWM"].split()[0]) << 10, int(fields["RssAnon"].split()[0]) << 10
    except (OSError, KeyError):
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("textmill")
    parser.add_argument("--precision", default="q4")
    parser.add_argument("--scratch", help="a folder with room; default: the system's")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="textmill-huge-", dir=args.scratch) as scratch:
        source = os.path.join(scratch, "checkpoint")
        os.mkdir(source)
        make(source)
        begun, greatest, own = time.time(), 0, 0
        child = subprocess.Popen([args.textmill, "models", "import", source, "--name", "huge", "--precision", args.precision],
                                 env=os.environ | {"TEXTMILL_HOME": os.path.join(scratch, "home")})
        while child.poll() is None:
            if now := peak(child.pid):
                greatest, own = now[0], max(own, now[1])
            time.sleep(0.05)
        took = time.time() - begun
        if child.returncode:
            sys.exit(f"the import ended with {child.returncode}")
        made = sum(os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(os.path.join(scratch, "home", "models")) for f in files)
        weights = sum(os.path.getsize(os.path.join(source, f)) for f in os.listdir(source))
        print(f"{weights / 1e9:.1f} GB of weights as {args.precision}: {made / 1e9:.1f} GB in {took:.0f} s, peak {greatest >> 20} MiB resident, {own >> 20} MiB of them not of files")


if __name__ == "__main__":
    main()
