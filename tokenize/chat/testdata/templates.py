#!/usr/bin/env python3
"""Brings the chat templates of real models into .cache/templates/, from packages pinned by version and SHA-256, and renders each
with every conversation as transformers does, into .cache/templates/rendered.jsonl.gz for TestRealTemplatesAsInTransformers.

    .cache/venv/bin/python tokenize/chat/testdata/templates.py
"""
import gzip
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile

import jinja2
from environment import environment, render
from golden import CALLS, CONVERSATIONS, SYSTEM, TEXT_CALLS, TOOLS, assistant, user

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(HERE))), ".cache")
PACKAGES = [
    ("llama.cpp", "llama-cpp-python==0.3.36", "--no-binary", "llama_cpp_python-0.3.36.tar.gz",
     "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e", "/vendor/llama.cpp/models/templates/"),
    ("axolotl", "axolotl==0.19.0", "--only-binary", "axolotl-0.19.0-py3-none-any.whl",
     "f28eb3ad3709975eec4adfe13307dd980c7e7917cc43cb03f2c6f26c007135cc", "/utils/chat_templates/templates/"),
]
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
MORE = [
    [user("a"), assistant("b"), user("c"), assistant("d"), user("e"), assistant("f"), user("g")],
    [SYSTEM, user("long\n\n" * 3 + "text"), assistant("  padded  "), user("<s>[INST] x </s>")],
    [{"role": "developer", "content": "dev"}, user("hi")],
    [user("q"), assistant("", tool_calls=TEXT_CALLS[:1]), {"role": "tool", "name": "f", "tool_call_id": "abcdefghi", "content": "{\"y\": [1, 2]}"}, assistant("done", thinking="t")],
    [SYSTEM, user("w"), assistant("x", reasoning="r"), user("y", ), assistant("z"), user("last ümlaut 😀")],
    [user("call"), assistant(None, tool_calls=[{**CALLS[0], "id": "abcdefgh1"}, {**CALLS[1], "id": "abcdefgh2"}]),
     {"role": "tool", "tool_call_id": "abcdefgh1", "content": "1"}, {"role": "tool", "tool_call_id": "abcdefgh2", "content": "2"}],
]
DOCUMENTS = [{"title": "One", "text": "first <doc>"}, {"title": "Two", "text": "second"}]
VARIATIONS = [{}, {"add_generation_prompt": True}, {"tools": TOOLS, "add_generation_prompt": True, "enable_thinking": False},
              {"documents": DOCUMENTS, "add_generation_prompt": True, "enable_thinking": True, "reasoning_effort": "high", "date_string": "1 Jan 2026"}]


def package(requirement, kind, file, digest):
    """The package's file, downloaded unless it is here, and checked either way."""
    folder = os.path.join(CACHE, "downloads")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, file)
    if not os.path.exists(path):
        with tempfile.TemporaryDirectory(dir=folder) as into:
            # kind speaks of this package alone: what pip builds it with should come as wheels.
            name = requirement.partition("==")[0]
            subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", kind, name, "-d", into, requirement], check=True)
            os.replace(os.path.join(into, file), path)
    with open(path, "rb") as f:
        found = hashlib.file_digest(f, "sha256").hexdigest()
    if found != digest:
        os.remove(path)
        raise SystemExit(f"{file} has SHA-256 {found}, not {digest}; it is removed: run this again")
    return path


def files(path):
    if path.endswith(".whl"):
        with zipfile.ZipFile(path) as z:
            for name in sorted(z.namelist()):
                yield name, lambda name=name: z.read(name)
        return
    with tarfile.open(path) as t:
        for member in sorted(t.getmembers(), key=lambda m: m.name):
            if member.isfile():
                yield member.name, lambda member=member: t.extractfile(member).read()


def unpack():
    for source, requirement, kind, file, digest, folder in PACKAGES:
        into = os.path.join(CACHE, "templates", source)
        os.makedirs(into, exist_ok=True)
        for name, read in files(package(requirement, kind, file, digest)):
            if folder in name and name.endswith(".jinja"):
                text = read().decode()
                with open(os.path.join(into, os.path.basename(name)), "w", encoding="utf-8", newline="") as f:
                    f.write(text)
                yield f"{source}/{os.path.basename(name)}", text


def main():
    e = environment()
    templates = cases = errors = 0
    target = os.path.join(CACHE, "templates", "rendered.jsonl.gz")
    with tempfile.NamedTemporaryFile(dir=CACHE, delete=False) as raw:
        with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=5, mtime=0, filename="") as f:
            for name, source in unpack():
                row = {"name": name, "source": source, "tokens": TOKENS, "cases": []}
                templates += 1
                try:
                    template = e.from_string(source)
                except jinja2.TemplateError as problem:
                    raise SystemExit(f"{name}: {problem}")
                for i, messages in enumerate(c for c in CONVERSATIONS + MORE if c):
                    for variation in (VARIATIONS[i % 4], VARIATIONS[(i + 2) % 4]):
                        names = {"tools": None, "documents": None, "add_generation_prompt": False, **variation}
                        case = {"names": {"messages": messages, **names}}
                        try:
                            case["want"] = render(template, messages, **names, **TOKENS)
                        except Exception as problem:
                            case["error"] = type(problem).__name__
                            errors += 1
                        row["cases"].append(case)
                        cases += 1
                f.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    os.makedirs(os.path.dirname(target), exist_ok=True)
    os.replace(raw.name, target)
    print(f"{templates} templates, {cases} cases, {errors} of which are errors", file=sys.stderr)
    if templates < 100:
        raise SystemExit("fewer than 100 templates: do the packages still hold them?")


if __name__ == "__main__":
    main()
