#!/usr/bin/env python3
"""Writes tokenize/testdata/golden-kinds.jsonl.gz: what Hugging Face makes of some strings, for the tests that `make test` runs.

    python tokenize/conformance/golden.py

Every tokenizer of fetch.py with its vocabulary cut down to a few thousand tokens (both libraries get the same cut file), and
tokenizers of compose.py, until every kind of every part is there. A line {"name","json"} begins a tokenizer; the lines
after it are its cases: a text, how it was encoded, and all that came of it. What is zero, or one in `attention`, is left out.
A large charsmap is a line of its own, and stands as "@charsmap" in the tokenizers after it.
"""
import gzip
import json
import os
import random
import re

os.environ["RUST_BACKTRACE"] = "0"

from tokenizers import Tokenizer  # noqa: E402

from compare import Comparison, expected  # noqa: E402
from compose import Composer  # noqa: E402
from fetch import ROOT, SOURCES, fetch  # noqa: E402
from texts import generate  # noqa: E402

TARGET = os.path.join(ROOT, "tokenize", "testdata", "golden-kinds.jsonl.gz")
TEXTS, MERGES, PIECES, ADDED = 110, 700, 700, 24
COMPOSED, COMPOSED_TEXTS = 64, 12
CHARSMAP = re.compile(r"[A-Za-z0-9+/=]{100000,}")
LONGEST = 160  # characters of a text


def byte_chars():
    shown = [b for b in range(256) if 33 <= b < 127 or 0xA1 <= b < 0xAD or b >= 0xAE]
    hidden = [b for b in range(256) if b not in shown]
    return [chr(b) for b in shown] + [chr(256 + i) for i in range(len(hidden))]


def cut(tokenizer, texts):
    """The tokenizer with the tokens of single characters and bytes, its added ones and the first ones it learnt."""
    model, some = tokenizer["model"], tokenizer["added_tokens"]
    if len(some) > ADDED:
        some = some[:ADDED // 2] + some[-ADDED // 2:]
    alone = set("".join(texts)) | set(byte_chars()) | {"▁", " "}
    keep = {t["content"] for t in some} | {f"<0x{b:02X}>" for b in range(256)} | alone | {"##" + c for c in alone} | {model.get("unk_token")}
    special = {s for s in (tokenizer.get("post_processor") or {}).get("special_tokens", {})}
    keep |= special
    if model["type"] == "Unigram":
        size = len(model["vocab"])
        kept = [p for i, p in enumerate(model["vocab"]) if p[0] in keep or i < PIECES or i == model["unk_id"]]
        model["unk_id"] = kept.index(model["vocab"][model["unk_id"]])
        model["vocab"] = kept
        vocab = {p[0]: i for i, p in enumerate(kept)}
    else:
        if model["type"] == "BPE":
            known, merges = set(keep), []
            for merge in model["merges"]:
                left, right = merge.split(" ") if isinstance(merge, str) else merge
                if left in known and right in known and len(merges) < MERGES:
                    merges.append(merge)
                    known.add(left + right)
            model["merges"], keep = merges, known
        size = len(model["vocab"])
        ordered = sorted(model["vocab"], key=model["vocab"].get)
        if model["type"] == "WordPiece":
            keep |= set(ordered[1900:1900 + PIECES])
        vocab = {t: i for i, t in enumerate(t for t in ordered if t in keep)}
        model["vocab"] = vocab
    beyond = len(vocab)
    for t in some:  # those outside the model's vocabulary stay outside it
        if t["content"] not in vocab:
            t["id"], beyond = beyond, beyond + 1
        else:
            t["id"] = vocab[t["content"]]
    tokenizer["added_tokens"] = some
    ids = {**vocab, **{t["content"]: t["id"] for t in some}}
    for s in (tokenizer.get("post_processor") or {}).get("special_tokens", {}).values():
        s["ids"] = [ids[t] for t in s["tokens"]]
    assert size >= len(vocab)
    return tokenizer


class Recorder(Comparison):
    """Writes down what a comparison would ask instead of asking."""

    def __init__(self, tokenizer, out):
        super().__init__(None, "", tokenizer)
        self.out = out

    def run(self, texts, mode, encode, shown=None, bare=False, **request):
        pairs = request.pop("pairs", None)
        for i, text in enumerate(texts):
            try:
                answer = expected(self.tokenizer, encode((shown or texts)[i]), bare)
            except Exception:
                answer = {"error": True}
            except BaseException as e:
                if type(e).__name__ != "PanicException":
                    raise
                continue
            self.out({"text": text, **({"pair": pairs[i]} if pairs else {}), **request, **compact(answer)})

    def decoding(self, r):
        size = self.tokenizer.get_vocab_size(True)
        for _ in range(10):
            ids = [r.randrange(size + 3) for _ in range(r.randint(0, 20))]
            self.out({"ids": ids, "decoded": self.tokenizer.decode(ids, skip_special_tokens=False),
                      "skipped": self.tokenizer.decode(ids, skip_special_tokens=True), "decode": True})


def compact(answer):
    out = {k: v for k, v in answer.items() if not isinstance(v, list) or any(v) and k != "attention"}
    if not all(answer.get("attention", ())):
        out["attention"] = answer["attention"]
    if out.get("overflowing"):
        out["overflowing"] = [compact(o) for o in out["overflowing"]]
    return out


def kinds(part, found=None):
    """The kinds of parts that a tokenizer.json has, with their settings that are words or switches."""
    found = set() if found is None else found
    if isinstance(part, dict):
        for k, v in part.items():
            if k == "vocab" or k == "merges" or k == "special_tokens":
                continue
            if isinstance(v, (bool, str)) and "type" in part and k in ("type", "behavior", "invert", "prepend_scheme", "split", "trim_offsets",
                                                                        "add_prefix_space", "byte_fallback", "fuse_unk", "ignore_merges", "cleanup"):
                found.add((part["type"], k, v))
            kinds(v, found)
    elif isinstance(part, list):
        for p in part:
            kinds(p, found)
    return found


def ambiguous(tokenizer):
    """Whether two added tokens look alike once normalized, or like nothing: the library then answers at random, or panics."""
    shown = [tokenizer.normalizer.normalize_str(t.content) if t.normalized and tokenizer.normalizer else t.content
             for t in tokenizer.get_added_tokens_decoder().values()]
    return "" in shown or len(set(shown)) < len(shown)


def main():
    count, charsmaps = 0, set()
    with gzip.GzipFile(TARGET, "wb", 9, mtime=0) as f:
        def out(line):
            nonlocal count
            count += 1
            f.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")

        def record(name, text, texts, r):
            tokenizer = Tokenizer.from_str(text)
            for charsmap in CHARSMAP.findall(text):
                if charsmap not in charsmaps:
                    charsmaps.add(charsmap)
                    out({"charsmap": charsmap})
            out({"name": name, "json": CHARSMAP.sub("@charsmap", text)})
            recorder = Recorder(tokenizer, out)
            recorder.plain(texts)
            some = sorted(set(texts))[:len(texts) // 6]
            short = [t[:40] for t in some]
            recorder.bare_text(some[:5])
            recorder.pairs(short, r)
            recorder.cut(short, r)
            recorder.cut_pairs(sorted(set(short)), r)
            recorder.padded(short[:5], r)
            recorder.broken(short, r)
            recorder.decoding(r)

        for name in SOURCES:
            with open(os.path.join(fetch(name), "tokenizer.json"), encoding="utf-8") as g:
                whole = json.load(g)
            added = [t["content"] for t in whole["added_tokens"]]
            texts = [t[:LONGEST] for t in generate(f"golden/{name}", TEXTS, added[:ADDED // 2])]
            record(name, json.dumps(cut(whole, texts), ensure_ascii=False, separators=(",", ":")), texts, random.Random(name))
        seen, taken, seed = set(), 0, 0
        while taken < COMPOSED:
            seed += 1
            texts = list(generate(f"composed/{seed}", 300))
            random.Random(seed).shuffle(texts)
            text = Composer(seed, texts).tokenizer()
            try:
                tokenizer = Tokenizer.from_str(text)
            except BaseException:
                continue
            if ambiguous(tokenizer):
                continue
            new = kinds(json.loads(text)) - seen
            if not new and taken > COMPOSED // 2 and len(text) > 12000:
                continue
            seen |= new
            taken += 1
            record(f"composed {seed}", text, [t[:60] for t in texts[:COMPOSED_TEXTS]], random.Random(seed))
    print(f"{count} lines, {os.path.getsize(TARGET)} bytes, {len(seen)} kinds and settings composed")


if __name__ == "__main__":
    main()
