#!/usr/bin/env python3
"""Writes tokenize/testdata/golden-characters.json.gz: what Hugging Face makes of every character that Unicode has, and of some
texts, by each normalizer, each pre-tokenizer and many patterns, as hashes.

    python tokenize/conformance/characters.py

A hash is the first six digits of the SHA-256 of the normalized text, or of the offsets of the pieces as "start,end;". The first
ones are for blocks of 4,096 code points, each as block() writes it; the last one is for the texts, joined by a line end.
"""
import gzip
import hashlib
import json
import os

from tokenizers import Regex, Tokenizer

from fetch import ROOT
from parts import KNOWN, OTHER
from texts import generate

TARGET = os.path.join(ROOT, "tokenize", "testdata", "golden-characters.json.gz")
BLOCKS = [*range(0, 0x34000, 0x1000), 0xE0000]  # nothing is assigned between
SOME = [0, 0x1000, 0x2000, 0x3000, 0x1F000]  # for steps that look at characters no further than others do
TEXTS = 300

BERT = {"type": "BertNormalizer", "clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False}
NORMALIZERS = [{"type": t} for t in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel")] + [
    {**BERT, "clean_text": True}, {**BERT, "handle_chinese_chars": True}, {**BERT, "strip_accents": True}, {**BERT, "lowercase": True},
    {**BERT, "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
    {"type": "Strip", "strip_left": True, "strip_right": True},
    {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "}]
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
SPLIT = {"type": "Split", "behavior": "Isolated", "invert": False}
BEHAVIORS = ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")
PROPERTIES = [*(rf"\p{{{p}}}" for p in ("L", "N", "M", "P", "S", "Lu", "Ll", "Lt", "Lm", "Z", "C")), r"\w", r"\s", r"(?i:s)"]
PRE_TOKENIZERS = [
    {"type": "BertPreTokenizer"}, {"type": "Whitespace"}, {"type": "WhitespaceSplit"}, {"type": "UnicodeScripts"}, BYTE_LEVEL,
    {"type": "Digits", "individual_digits": False}, {"type": "Punctuation", "behavior": "Isolated"},
    *({**SPLIT, "pattern": {"Regex": p}} for p in KNOWN + PROPERTIES)]
LIKE_OTHERS = [
    {**BYTE_LEVEL, "add_prefix_space": True}, {"type": "Digits", "individual_digits": True}, {"type": "FixedLength", "length": 3},
    {"type": "CharDelimiterSplit", "delimiter": "é"},
    *({"type": "Metaspace", "replacement": "▁", "prepend_scheme": s, "split": True} for s in ("always", "first", "never")),
    *({"type": "Punctuation", "behavior": b} for b in BEHAVIORS),
    *({"type": "Split", "pattern": {"Regex": r"\p{L}+"}, "behavior": b, "invert": i} for b in BEHAVIORS for i in (False, True)),
    *({**SPLIT, "pattern": {"Regex": p}} for p in OTHER)]


def block(start):
    return "".join(f"x{chr(c)}1{chr(c)}{chr(c)} .{chr(c)}A{chr(c)}\u0301 " for c in range(start, start + 0x1000) if not 0xD800 <= c < 0xE000)


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def wrap(normalizer=None, pre_tokenizer=None):
    """A tokenizer of which each piece becomes a token."""
    return json.dumps({"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": normalizer,
                       "pre_tokenizer": pre_tokenizer, "post_processor": None, "decoder": None,
                       "model": {"type": "WordLevel", "vocab": {"?": 0}, "unk_token": "?"}})


def main():
    texts = [t[:200] for t in generate("characters", TEXTS)]
    rest = "\n".join(texts)
    entries = []
    for n in NORMALIZERS:
        t = Tokenizer.from_str(wrap(normalizer=n))
        entries.append({"json": wrap(normalizer=n), "normalized": True, "blocks": BLOCKS,
                        "hashes": "".join(digest(t.normalizer.normalize_str(i)) for i in [*map(block, BLOCKS), rest])})
    for p in PRE_TOKENIZERS + LIKE_OTHERS:
        entry = {"json": wrap(pre_tokenizer=p), "pattern": p.get("pattern", {}).get("Regex", ""), "blocks": SOME if p in LIKE_OTHERS else BLOCKS}
        try:
            entry["pattern"] and Regex(entry["pattern"])
        except Exception:
            entries.append({**entry, "refused": True})
            continue
        t = Tokenizer.from_str(entry["json"])
        entry["hashes"] = "".join(digest("".join(f"{a},{b};" for a, b in t.encode(i).offsets)) for i in [*map(block, entry["blocks"]), rest])
        entries.append(entry)
    with gzip.GzipFile(TARGET, "wb", 9, mtime=0) as f:
        f.write(json.dumps({"texts": texts, "entries": entries}, ensure_ascii=False).encode())
    print(f"{len(entries)} steps, {os.path.getsize(TARGET)} bytes")


if __name__ == "__main__":
    main()
