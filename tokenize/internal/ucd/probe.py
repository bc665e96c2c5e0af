#!/usr/bin/env python3
"""Asks the `tokenizers` library which class every code point has, and writes classes.bin.

Run it with the interpreter that holds the pinned `tokenizers`:

    python tokenize/internal/ucd/probe.py [--check FILE.json.gz]

Nothing is taken from Python's own Unicode tables: each class is observed through the component that uses it.
--check compares the result with an independent probe.
"""
import argparse
import array
import gzip
import json
import os
import struct
import sys

from tokenizers import Regex, normalizers, pre_tokenizers

HERE = os.path.dirname(os.path.abspath(__file__))
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
ALL = "".join(map(chr, CODE_POINTS))

# The order of the bits is that of the constants in ucd.go; general categories follow in the top five bits.
FLAGS = [
    "Letter", "Number", "Mark", "Punct", "Symbol", "Upper", "Lower", "Title", "Space", "Word", "Numeric",
    "PunctOld", "ControlOld", "CJK", "MarkOld", "Combining", "RustWord", "RustSpace", "CleanSpace",
]
CATEGORIES = [
    "Cn", "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po",
    "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Co",
]


def onig(pattern):
    """The set of code points that a one-character Oniguruma pattern matches."""
    split = pre_tokenizers.Split(Regex(pattern), behavior="removed", invert=True)
    found = set()
    for _, (start, end) in split.pre_tokenize_str(ALL):
        found.update(CODE_POINTS[start:end])
    return found


def normalized(normalizer):
    """(code point, what the normalizer makes of it alone) for every code point."""
    return ((c, normalizer.normalize_str(chr(c))) for c in CODE_POINTS)


def between(pre_tokenizer, after):
    """What a pre-tokenizer gives for 'a' + c + after: the list of pieces that touch c, for every code point."""
    width = 2 + len(after)
    text = "".join("a" + chr(c) + after for c in CODE_POINTS)
    pieces = [[] for _ in CODE_POINTS]
    for piece, (start, end) in pre_tokenizer.pre_tokenize_str(text):
        for i in range(start // width, (end - 1) // width + 1):
            lo, hi = max(start, i * width) - i * width, min(end, (i + 1) * width) - i * width
            pieces[i].append((lo, hi))
    return zip(CODE_POINTS, pieces)


def probe():
    sets = {name: onig(pattern) for name, pattern in {
        "Letter": r"\p{L}", "Number": r"\p{N}", "Mark": r"\p{M}", "Punct": r"\p{P}", "Symbol": r"\p{S}",
        "Upper": r"\p{Lu}", "Lower": r"\p{Ll}", "Title": r"\p{Lt}", "Space": r"\s", "Word": r"\w"}.items()}
    categories = {name: onig(r"\p{%s}" % name) for name in CATEGORIES if name != "Cn"}

    bert = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    sets["CJK"] = {c for c, s in normalized(normalizers.BertNormalizer(**{**bert, "handle_chinese_chars": True}))
                   if s == " " + chr(c) + " "}
    sets["MarkOld"] = {c for c, s in normalized(normalizers.BertNormalizer(**{**bert, "strip_accents": True})) if s == ""}
    clean = dict(normalized(normalizers.BertNormalizer(**{**bert, "clean_text": True})))
    sets["ControlOld"] = {c for c, s in clean.items() if s == ""}
    sets["CleanSpace"] = {c for c, s in clean.items() if s == " "}
    sets["Combining"] = {c for c, s in normalized(normalizers.StripAccents()) if s == ""}

    # BertPreTokenizer isolates punctuation and drops white space; a plain character stays with its neighbours.
    seen = {c: p for c, p in between(pre_tokenizers.BertPreTokenizer(), "a")}
    sets["PunctOld"] = {c for c, p in seen.items() if (1, 2) in p}
    sets["RustSpace"] = {c for c, p in seen.items() if all(hi <= 1 or lo >= 2 for lo, hi in p)}
    isolated = {c for c, p in between(pre_tokenizers.Punctuation(), "a") if (1, 2) in p}
    assert isolated == sets["PunctOld"], "Punctuation and BertPreTokenizer disagree"
    sets["Numeric"] = {c for c, p in between(pre_tokenizers.Digits(individual_digits=True), "a") if (1, 2) in p}
    seen = {c: p for c, p in between(pre_tokenizers.Whitespace(), " ")}
    sets["RustWord"] = {c for c, p in seen.items() if (0, 2) in p}
    assert {c for c, p in seen.items() if p == [(0, 1)]} == sets["RustSpace"], "Whitespace has another \\s"
    return sets, categories


def two_level(values):
    """Page index, blocks of 256, deduplicated."""
    pages, blocks, known = bytearray(), bytearray(), {}
    for start in range(0, 0x110000, 256):
        block = bytes(values[start:start + 256])
        if block not in known:
            known[block] = len(known)
            blocks += block
        pages.append(known[block])  # raises when there are more than 256 blocks
    return bytes(pages), bytes(blocks)


def pack(sets, categories):
    masks = array.array("Q", [0]) * 0x110000
    for bit, name in enumerate(FLAGS):
        for c in sets[name]:
            masks[c] |= 1 << bit
    for number, name in enumerate(CATEGORIES):
        for c in categories.get(name, ()):
            masks[c] |= number << 27
    distinct = sorted(set(masks))
    index = {m: i for i, m in enumerate(distinct)}
    pages, blocks = two_level([index[m] for m in masks])
    body = pages + blocks
    return struct.pack("<II", len(distinct), len(blocks)) + b"".join(struct.pack("<I", m) for m in distinct) + body


def check(sets, path):
    names = {"punct": "PunctOld", "s": "Space", "L": "Letter", "N": "Number", "M": "Mark", "P": "Punct", "S": "Symbol",
             "Lu": "Upper", "Ll": "Lower", "Lt": "Title", "w": "Word", "digit": "Numeric", "bert_strip_accents": "MarkOld",
             "bert_cjk": "CJK", "strip_accents": "Combining", "ctrl": "ControlOld", "bertspace": "RustSpace",
             "cleanspace": "CleanSpace"}
    with gzip.open(path) as f:
        other = json.load(f)
    bad = 0
    for theirs, ours in names.items():
        difference = set(other[theirs]) ^ sets[ours]
        if difference:
            bad += 1
            print(f"{theirs} / {ours}: {len(difference)} differ, first {sorted(difference)[:8]}", file=sys.stderr)
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check")
    args = parser.parse_args()
    sets, categories = probe()
    if args.check and check(sets, args.check):
        sys.exit(1)
    with open(os.path.join(HERE, "classes.bin"), "wb") as f:
        f.write(pack(sets, categories))
    for name in FLAGS:
        print(f"{name} {len(sets[name])}")


if __name__ == "__main__":
    main()
