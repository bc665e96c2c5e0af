#!/usr/bin/env python3
"""Asks the `tokenizers` library for the matches of random patterns in random texts, and writes patterns.jsonl.gz.

    python tokenize/internal/split/testdata/patterns.py [SEED COUNT]

A line is [pattern, [[text, marked], ...]]: marked is the text with each match replaced by U+F8FF, as Replace does it. A pattern
that the library refuses has null instead of the list. With SEED and COUNT the lines go to standard output, for longer trials.
"""
import gzip
import json
import os
import random
import sys

from tokenizers import Regex, normalizers

HERE = os.path.dirname(os.path.abspath(__file__))
MARK = "\uf8ff"

CHARS = list("aabbcdk sS1_-") + ["é", "É", "я", "Я", "ß", "漢", "\u0301", "\n", "\r", "\r\n", "\u2028", "\u200d", "👩", "👧", "🇫", "🇷", "각", "ᄀ", "ᅡ", "ﬁ", "fi", "ſ", "K", "st", "ι", "\x85", "\t", "#", "{", "]"]
PROPERTIES = ["L", "Lu", "^L", "N", "Greek", "Latin", "Han", "Hira", "In_Cyrillic", "Alphabetic", "Emoji", "M", "Zs", "White_Space", "Extended_Pictographic", "Any"]
POSIX = ["alpha", "digit", "space", "upper", "lower", "punct", "alnum", "word", "xdigit", "^alpha", "cntrl", "graph", "print", "blank"]
REAL = [
    r"\p{N}{1,3}+", r"\s+(?!\S)|\s+", r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
    r"(?x) \p{L}+ # letters" + "\n" + r"| \p{N}+ | [^\p{L}\p{N}]", r"\X", r"\R|\X", r"\G\p{L}+|\s", r"(?<=\p{L}\p{N}?)\s", r"\d{1,3}(?=(?:\d{3})*\b)", r"(?<=[^\n]\n|^)\s*\w+", r"[[:alpha:]]++|[[:^alpha:]]",
    r"(?<word>\w+)\s?", r"\w+\K\s", r"\h{2,}", r"(?:\r\n|[\n\r]){1,2}+", r"(?i)éa|я", r"[\p{L}&&[^\p{Lu}]]+", r"(?m:.)+?b", r"a(?i)b|c", r"(?-i)a(?i:b)",
]


def char(rng, within):
    c = rng.choice(CHARS)
    special = "\\[]^-&" if within else "\\.[]{}()*+?|^$#"
    if len(c) == 1 and c in special or c in " \t\n" and rng.random() < 0.5:
        return "\\" + c if c not in "\n\r\t" else {"\n": r"\n", "\r": r"\r", "\t": r"\t"}[c]
    return c


def member(rng, depth):
    r = rng.random()
    if r < 0.5:
        return char(rng, True)
    if r < 0.6:
        return rng.choice(["a-c", "0-9", "A-Z", "à-ý", "а-я", "一-龥", "\\x{61}-\\x{64}"])
    if r < 0.7:
        return rng.choice([r"\w", r"\s", r"\d", r"\h", r"\S", r"\W", r"\b", r"\n", r"\x41", r"\0"])
    if r < 0.8:
        return r"\%s{%s}" % (rng.choice("pP"), rng.choice(PROPERTIES))
    if r < 0.88:
        return "[:%s:]" % rng.choice(POSIX)
    if r < 0.95 and depth < 2:
        return brackets(rng, depth + 1)
    return rng.choice(["-", "&&", "]", "^", "a-\\d"])


def brackets(rng, depth=0):
    return "[" + rng.choice(["", "", "^"]) + "".join(member(rng, depth) for _ in range(rng.randint(1, 3))) + "]"


def atom(rng, depth):
    r = rng.random()
    if r < 0.4:
        return char(rng, False)
    if r < 0.5:
        return brackets(rng)
    if r < 0.57:
        return rng.choice([".", r"\w", r"\s", r"\d", r"\h", r"\S", r"\W", r"\D", r"\H"])
    if r < 0.64:
        return rng.choice([r"\X", r"\R", r"\N", r"\O", r"\X", r"\R"])
    if r < 0.7:
        return r"\%s{%s}" % (rng.choice("ppP"), rng.choice(PROPERTIES))
    if r < 0.76:
        return rng.choice(["^", "$", r"\b", r"\B", r"\A", r"\z", r"\Z", r"\G", r"\y", r"\Y", r"\K"])
    if r < 0.8:
        return rng.choice(["(?#c)", r"\x61", r"\x{e9}", r"\u0061", r"\0", r"\141", r"\o{141}", r"\cA", r"\e", r"\_", r"\E", r"\p", "{", "{x}", "a{,}", "]", "\\k<n>", "\\1", "(?~ab)", r"\g<1>", "(?(1)a)", "*", ")", "("])
    if depth > 2:
        return "a"
    inner = alternatives(rng, depth + 1)
    return rng.choice(["(%s)", "(?:%s)", "(?:%s)", "(?>%s)", "(?=%s)", "(?!%s)", "(?<=%s)", "(?<!%s)", "(?<n>%s)", "(?'n'%s)", "(?i:%s)", "(?m:%s)", "(?x:%s)", "(?i-m:%s)", "(?-i:%s)", "(?i)%s", "(?x)%s"]) % inner


def repeat(rng):
    return rng.choice(["*", "+", "?", "*?", "+?", "??", "*+", "++", "?+", "{2}", "{1,2}", "{2,}", "{,2}", "{1,2}+", "{2}+", "{1,}+", "{,2}+", "{1,2}?", "{2}?", "{1,}?", "{2}{2}", "{1,2}*", "{1,2}++", "**", "+*", "?*", "+?*", "??+", "{0}", "{0,1}", " +"])


def alternatives(rng, depth=0):
    out = []
    for _ in range(rng.choices([1, 2, 3], [6, 3, 1])[0]):
        seq = ""
        for _ in range(rng.choices([0, 1, 2, 3, 4], [1, 6, 5, 3, 1])[0]):
            seq += atom(rng, depth)
            if rng.random() < 0.35:
                seq += repeat(rng)
        out.append(seq)
    return "|".join(out)


def text(rng):
    return "".join(rng.choice(CHARS) for _ in range(rng.randint(1, 14)))


def line(pattern, texts):
    try:
        replace = normalizers.Replace(Regex(pattern), MARK)
    except Exception as e:
        return None if "undefined error code" in str(e) else [pattern, None]  # that one is a fault of Oniguruma's own
    try:
        return [pattern, [[t, replace.normalize_str(t)] for t in texts]]
    except BaseException as e:
        if "retry-limit" in str(e):
            return None
        raise


def main():
    rng = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 6000
    patterns = REAL * 3 if len(sys.argv) <= 1 else []
    while len(patterns) < count:
        patterns.append(rng.choice(["", "", "", "", "(?i)", "(?x)", "(?m)"]) + alternatives(rng))
    answers = (line(p, [text(rng) for _ in range(4)]) for p in patterns)
    lines = (json.dumps(a, ensure_ascii=False, separators=(",", ":")) + "\n" for a in answers if a)
    if len(sys.argv) > 1:
        sys.stdout.writelines(lines)
        return
    with open(os.path.join(HERE, "patterns.jsonl.gz"), "wb") as f, gzip.GzipFile("", "wb", 9, f, mtime=0) as z:
        for one in lines:
            z.write(one.encode())


main()
