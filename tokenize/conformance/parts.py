#!/usr/bin/env python3
"""Compares patterns and normalization forms alone with Hugging Face: scanner, compiled pattern and library.

    python tokenize/conformance/parts.py [--seed N] [--count N]
"""
import argparse
import base64
import collections
import struct
import sys

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from go import Go
from texts import generate

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace("{1,3}", "")
GPT4O = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = ("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|"
            "\\s*[\r\n]+|\\s+(?!\\S)|\\s+")
KNOWN = [GPT2, LLAMA3, QWEN2, GPT4O]
OTHER = [
    DEEPSEEK, r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
    r" ?[^(\s|[.,!?…。，、।۔،])]+", r"[0-9][0-9][0-9]", r"\d", r"\d{2,3}", r"\d{3}(?=\d)", r"(?=(\d{3})+(?!\d))", r"\w+|[^\w\s]+", r"\b", r"\B",
    r"^", r"$", r"\Z", r"\z", r"\A.", r".+", r"(?m).+", r"(?m:.)", r"\s+$", r"^\s+", r"[^\S\n]+", r"(?<=\s)\S", r"(?<!\p{L})\p{L}", r"(?<=ab|cd)e",
    r"a*", r"a*?", r"(?:ab|a)(?:bc|c)?", r"(?>a+)b|a", r"x?", r"", r"(?i:kelvin|skip)", r"(?i)[a-k]+", r"[[:alpha:]]+", r"[[:punct:]]", r"[[:^alnum:]]+",
    r"[\p{L}&&[^a-z]]+", r"[a-z&&[^aeiou]]+", r"\p{Han}+", r"\p{Hiragana}|\p{Katakana}", r"\p{^Latin}+", r"\P{L}+", r"[^\p{Cyrillic}]", r"\h+", r"\H",
    r"\x{1F600}|\u00e9|\x41", r"[\x{4e00}-\x{9fff}]", r"(?:\p{L}\p{M}*)+", r"\p{Emoji}", r"\p{Extended_Pictographic}", r"\p{Alphabetic}+", r"[\w']+",
    r"\p{Lu}\p{Ll}*(?=\p{Lu}|\b)", r"(a|b)+?c", r"(?<name>x)+", r"[\s\S]{1,5}", r"\p{Zs}+", r"[\r\n]+", r"\t", r"[^a]", r"[\p{P}$+<=>^~|`]+",
    r"(?!a)\w", r"(?:(?!the)\w)+", r"-+|=+|#+|\*+", r"\S+?(?=\s|\z)", r"[]a]", r"a{,3}", r"{", r"a{2}", r"[a-]", r"\p{Any}", r".", r"ſ|ß", r"[A-z]",
]


def chars(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False).offsets


def compare_patterns(go, texts):
    bad = collections.Counter()
    for pattern in KNOWN + OTHER:
        try:
            regex = Regex(pattern)
        except Exception:
            regex = None
        split = regex and pre_tokenizers.Split(regex, behavior="removed", invert=True)
        for compiled in (False, True) if pattern in KNOWN else (True,):
            answer = go.ask(op="split", pattern=pattern, texts=texts, compiled=compiled)
            if "error" in answer:
                print(("refused: " if regex else "refused by both: ") + answer["error"])
                continue
            if not regex:
                bad[pattern] += 1
                print(f"accepted though Oniguruma refuses it: {pattern}")
                continue
            for text, matches in zip(texts, answer["matches"]):
                expected = [o for _, o in split.pre_tokenize_str(text)]
                ours = [tuple(m) for m in matches if m[0] != m[1]]  # the library drops empty pieces
                if ours != expected:
                    bad[pattern] += 1
                    if bad[pattern] < 3:
                        print(f"DIFFERS {pattern!r} compiled={compiled} on {text!r}\n  theirs {expected}\n  ours   {ours}")
    return sum(bad.values())


def compare_empty(go, texts):
    """Where empty matches fall shows in what an isolating split makes of the text."""
    bad = 0
    for pattern in OTHER:
        try:
            split = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
        except Exception:
            continue
        answer = go.ask(op="split", pattern=pattern, texts=texts, compiled=True)
        for text, matches in zip(texts, answer.get("matches", ())):
            pieces, last = [], 0
            for start, end in matches:
                pieces += [(last, start), (start, end)]
                last = end
            pieces.append((last, len(text)))
            pieces = [p for p in pieces if p[0] < p[1]]
            expected = [o for _, o in split.pre_tokenize_str(text)]
            if pieces != expected:
                bad += 1
                if bad < 10:
                    print(f"DIFFERS isolated {pattern!r} on {text!r}\n  theirs {expected}\n  ours   {pieces}")
    return bad


def charsmaps():
    """A map that makes an X of everything, and one with words for a few letters and marks."""
    units = [0] * 1024
    units[0] = 256 << 10
    for c in range(1, 256):
        units[256 + c] = c | 1 << 8 | ((256 + c) ^ (512 + c)) << 10
        units[512 + c] = 1 << 31 | (0 if c >= 128 else 2 if c % 3 else 6)
    trie = struct.pack("<1024I", *units)
    return [struct.pack("<I", len(trie)) + trie + "X\0abc\0\0é\0".encode()]


def compare_forms(go, texts):
    bad = 0
    forms = [(n, getattr(normalizers, n)(), None) for n in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase")]
    forms += [("Precompiled", normalizers.Precompiled(m), base64.b64encode(m).decode()) for m in charsmaps()]
    for name, normalizer, charsmap in forms:
        tokenizer = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
        tokenizer.normalizer = normalizer
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\p{Any}"), behavior="isolated")
        answer = go.ask(op="normalize", form=name, texts=texts, **({"charsmap": charsmap} if charsmap else {}))
        here = 0
        for text, ours in zip(texts, answer["normalized"]):
            try:
                expected, offsets = normalizer.normalize_str(text), chars(tokenizer, text)
            except BaseException:  # the library panics where its own count of changes runs over
                continue
            if ours["text"] != expected or [tuple(o) for o in ours["offsets"]] != offsets or ours["quick"] and text != expected:
                here += 1
                if here < 4:
                    print(f"DIFFERS {name} on {text!r}\n  theirs {expected!r} {offsets}\n  ours   {ours}")
        bad += here
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=2000)
    args = parser.parse_args()
    texts = list(generate(args.seed, args.count))
    with Go() as go:
        bad = compare_forms(go, texts) + compare_patterns(go, texts) + compare_empty(go, texts)
    print(f"{len(KNOWN) + len(OTHER)} patterns and 6 forms on {len(texts)} texts, seed {args.seed}: {bad} differences")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
