#!/usr/bin/env python3
"""Writes N short texts as JSONL: doc comments' sentences of the machine's Go
standard library, repeated with a number so that no two are the same."""
import itertools
import json
import pathlib
import re
import subprocess
import sys


def sentences(root):
    for path in sorted(p for p in pathlib.Path(root, "src").rglob("*.go") if p.is_file()):
        for block in re.findall(r"(?:^//.*\n)+", path.read_text(encoding="utf-8", errors="ignore"), re.M):
            text = " ".join(line.removeprefix("//").strip() for line in block.splitlines())
            yield from (s for s in re.split(r"(?<=[.!?]) ", text) if 20 <= len(s) <= 300)


def main():
    count = int(sys.argv[1])
    root = subprocess.run(["go", "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip()
    pool = list(itertools.islice(sentences(root), count))
    for i in range(count):
        text = pool[i % len(pool)] + ("" if i < len(pool) else f" ({i // len(pool)})")
        print(json.dumps({"id": f"t{i}", "text": text}))


if __name__ == "__main__":
    main()
