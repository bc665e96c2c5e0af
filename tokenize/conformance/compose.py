#!/usr/bin/env python3
"""Compares with Hugging Face on tokenizers put together at random: every normalizer, pre-tokenizer, model, post-processor
and decoder beside every other, and added tokens of every kind.

    python tokenize/conformance/compose.py [--seed N] [--count TOKENIZERS] [--texts TEXTS_EACH]

Exit status 1 if anything differs. What Hugging Face itself cannot do (it panics, or its answer is random) does not count.
"""
import argparse
import json
import os
import random
import sys

os.environ["RUST_BACKTRACE"] = "0"

from tokenizers import Tokenizer  # noqa: E402

from compare import Comparison  # noqa: E402
from go import Go  # noqa: E402
from texts import generate  # noqa: E402

LITERALS = [" ", "a", "e", "▁", "  ", ".", "-", "é", "th", "漢", "<s>", "1"]
PATTERNS = [r"\s+", r"\d", r"\p{L}+", r"[aeiou]", r" {2,}", r"\p{Zs}", r"(?=[A-Z])", r"\p{P}", r"x*", r"\w+|[^\w\s]+", r"(?<=a)b",
            r"'s|'t| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
            r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"]
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
REFUSED = ("is empty once normalized", "is there twice once normalized")  # Hugging Face panics, or is random


class Composer:
    def __init__(self, seed, texts):
        self.r = random.Random(seed)
        self.corpus = " ".join(texts)
        self.words = [w for w in self.corpus.split() if len(w) < 9]

    def flip(self, p=0.5):
        return self.r.random() < p

    def pattern(self):
        return {"String": self.r.choice(LITERALS)} if self.flip() else {"Regex": self.r.choice(PATTERNS)}

    def sequence(self, field, part, depth):
        return {"type": "Sequence", field: [part(depth + 1) for _ in range(self.r.randrange(1, 4))]}

    def normalizer(self, depth=0):
        r = self.r
        kind = r.choice(["BertNormalizer", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Strip", "Replace", "Replace", "Prepend",
                         "Nmt", "ByteLevel"] + (["Sequence"] * 2 if depth < 2 else []) + ([None] * 2 if depth == 0 else []))
        extra = {
            "BertNormalizer": lambda: {"clean_text": self.flip(.7), "handle_chinese_chars": self.flip(.7),
                                       "strip_accents": r.choice([None, True, False]), "lowercase": self.flip(.6)},
            "Strip": lambda: {"strip_left": self.flip(.6), "strip_right": self.flip(.6)},
            "Replace": lambda: {"pattern": self.pattern(), "content": r.choice(["", " ", "▁", "xyz", "é"])},
            "Prepend": lambda: {"prepend": r.choice(["▁", " ", "ab"])},
        }
        if kind == "Sequence":
            return self.sequence("normalizers", self.normalizer, depth)
        return kind and {"type": kind, **extra.get(kind, dict)()}

    def pre_tokenizer(self, depth=0):
        r = self.r
        kind = r.choice(["BertPreTokenizer", "ByteLevel", "CharDelimiterSplit", "Metaspace", "Metaspace", "Split", "Split", "Whitespace",
                         "WhitespaceSplit", "Digits", "Punctuation", "UnicodeScripts", "FixedLength"]
                        + (["Sequence"] * 2 if depth < 2 else []) + ([None] if depth == 0 else []))
        extra = {
            "ByteLevel": lambda: {"add_prefix_space": self.flip(), "trim_offsets": True, "use_regex": self.flip(.6)},
            "CharDelimiterSplit": lambda: {"delimiter": r.choice(" a-é")},
            "Metaspace": lambda: {"replacement": r.choice("▁▁_"), "prepend_scheme": r.choice(["always", "first", "never"]), "split": self.flip(.6)},
            "Split": lambda: {"pattern": self.pattern(), "behavior": r.choice(BEHAVIORS), "invert": self.flip(.3)},
            "Digits": lambda: {"individual_digits": self.flip()},
            "Punctuation": lambda: {"behavior": r.choice(BEHAVIORS)},
            "FixedLength": lambda: {"length": r.randrange(1, 7)},
        }
        if kind == "Sequence":
            return self.sequence("pretokenizers", self.pre_tokenizer, depth)
        return kind and {"type": kind, **extra.get(kind, dict)()}

    def post_processor(self):
        r = self.r
        ends = {"sep": ["</s>", 2], "cls": ["<s>", 1]}
        spaces = {"type": "ByteLevel", "add_prefix_space": self.flip(), "trim_offsets": self.flip(.7), "use_regex": True}
        token = lambda name, type_id: {"SpecialToken": {"id": name, "type_id": type_id}}  # noqa: E731
        part = lambda name, type_id: {"Sequence": {"id": name, "type_id": type_id}}  # noqa: E731
        template = {"type": "TemplateProcessing",
                    "single": [token("<s>", r.randrange(2)), part("A", r.randrange(2))] + [token("</s>", 0)] * r.randrange(2),
                    "pair": [part("A", 0), token("</s>", 1), part("B", 1)],
                    "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]},
                                       "</s>": {"id": "</s>", "ids": [2, 7], "tokens": ["</s>", "x"]}}}
        bert = {"type": "BertProcessing", **ends}
        roberta = {"type": "RobertaProcessing", **ends, "trim_offsets": self.flip(.6), "add_prefix_space": self.flip()}
        last = r.choice([bert, roberta, template])
        return r.choice([None, spaces, last, last, {"type": "Sequence", "processors": [spaces, last]}])

    def decoder(self, depth=0):
        r = self.r
        kind = r.choice(["BPEDecoder", "ByteLevel", "WordPiece", "Metaspace", "CTC", "Replace", "Fuse", "Strip", "ByteFallback"]
                        + (["Sequence"] * 2 if depth < 2 else []) + ([None] if depth == 0 else []))
        extra = {
            "BPEDecoder": lambda: {"suffix": r.choice(["</w>", "e"])},
            "ByteLevel": lambda: {"add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            "WordPiece": lambda: {"prefix": "##", "cleanup": self.flip(.6)},
            "Metaspace": lambda: {"replacement": "▁", "prepend_scheme": r.choice(["always", "first", "never"]), "split": True},
            "CTC": lambda: {"pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": self.flip(.6)},
            "Replace": lambda: {"pattern": self.pattern(), "content": r.choice(["", " ", "b"])},
            "Strip": lambda: {"content": r.choice(" a▁"), "start": r.randrange(3), "stop": 0},
        }
        if kind == "Sequence":
            return self.sequence("decoders", self.decoder, depth)
        return kind and {"type": kind, **extra.get(kind, dict)()}

    def start(self, low, high):
        """The first few characters of some word."""
        return self.r.choice(self.words)[:self.r.randrange(low, high)]

    def model(self):
        base = ["<unk>", "<s>", "</s>", "<pad>", "[MASK]"]
        latin = [chr(c) for c in range(33, 300) if self.flip(.95)]
        number = lambda tokens: {t: i for i, t in enumerate(dict.fromkeys(tokens))}  # noqa: E731
        kind = self.r.choice(["BPE", "BPE", "byte BPE", "WordPiece", "WordLevel", "Unigram", "Unigram"])
        if kind == "WordLevel":
            words = [self.r.choice(["", "▁"]) + self.r.choice(self.words) for _ in range(400)]
            return {"type": kind, "vocab": number(base + words), "unk_token": self.r.choice(["<unk>", "<unk>", "nope"])}
        if kind == "WordPiece":
            pieces = [self.start(1, 6) for _ in range(300)] + ["##" + self.start(1, 4) for _ in range(200)]
            return {"type": kind, "vocab": number(base + latin + ["##" + c for c in latin] + pieces), "unk_token": "<unk>",
                    "continuing_subword_prefix": "##", "max_input_chars_per_word": self.r.choice([5, 20, 100])}
        fallback = self.flip(.4)
        of_bytes = [f"<0x{b:02X}>" for b in range(256)] if fallback else []
        if kind == "Unigram":
            pieces = [self.r.choice(["", "▁"]) + self.start(1, 6) for _ in range(500)]
            tokens = dict.fromkeys(base + latin + ["▁"] + pieces + of_bytes)
            return {"type": kind, "unk_id": self.r.choice([0, 0, 0, None]), "byte_fallback": fallback,
                    "vocab": [[t, round(-self.r.random() * 12, self.r.choice([1, 4, 14]))] for t in tokens]}
        return self.bpe(base, latin, [b for b in of_bytes if self.flip(.99)] if self.flip() else of_bytes, kind == "byte BPE")

    def bpe(self, base, latin, of_bytes, byte_level):
        prefix = suffix = None
        source, chars = self.corpus, latin + [" ", "▁", "é", "漢", "Ġ"]
        if byte_level:
            shown = [b for b in range(256) if 33 <= b < 127 or 0xA1 <= b < 0xAD or b >= 0xAE]
            table = {b: chr(b) for b in shown}
            table.update({b: chr(256 + i) for i, b in enumerate(b for b in range(256) if b not in table)})
            source, chars = "".join(table[b] for b in self.corpus.encode()), list(table.values())
        else:
            prefix, suffix = self.r.choice([None, None, None, "##"]), self.r.choice([None, None, None, "</w>"])
        tokens = base + chars + of_bytes
        tokens += [prefix + c for c in chars] if prefix else []
        tokens += [p + c + suffix for c in chars for p in ([""] + [prefix] * bool(prefix))] if suffix else []
        tokens = dict.fromkeys(tokens)
        merges = []
        for _ in range(400):
            at, n, m = self.r.randrange(len(source) - 8), self.r.randrange(1, 4), self.r.randrange(1, 4)
            left, right = source[at:at + n], source[at + n:at + n + m]
            if self.flip(.3):
                left, right = self.r.choice(list(tokens)[5:]), self.r.choice(list(tokens)[5:])
            if prefix and not right.startswith(prefix):
                right = prefix + right
            if left in tokens and right in tokens:
                tokens[left + right[len(prefix or ""):]] = None
                merges.append([left, right])
        return {"type": "BPE", "dropout": None, "unk_token": self.r.choice(["<unk>", None]), "continuing_subword_prefix": prefix,
                "end_of_word_suffix": suffix, "fuse_unk": self.flip(), "byte_fallback": bool(of_bytes), "ignore_merges": self.flip(.3),
                "vocab": {t: i for i, t in enumerate(tokens)}, "merges": merges}

    def added_tokens(self):
        return [{"id": i, "content": c, "single_word": self.flip(.3), "lstrip": self.flip(.3), "rstrip": self.flip(.3),
                 "normalized": self.flip(.4), "special": self.flip()}
                for i, c in enumerate(["<s>", "</s>", "[MASK]", "<extra>", "the", "  ", "Café"]) if self.flip(.6)]

    def tokenizer(self):
        return json.dumps({"version": "1.0", "truncation": None, "padding": None, "added_tokens": self.added_tokens(),
                           "normalizer": self.normalizer(), "pre_tokenizer": self.pre_tokenizer(),
                           "post_processor": self.post_processor(), "decoder": self.decoder(), "model": self.model()})


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--count", type=int, default=200)
    args.add_argument("--texts", type=int, default=40)
    args = args.parse_args()
    asked = different = refused = 0
    with Go() as go:
        for n in range(args.seed, args.seed + args.count):
            texts = list(generate(n, max(args.texts, 400)))
            random.Random(n).shuffle(texts)
            composed = Composer(n, texts).tokenizer()
            try:
                theirs = Tokenizer.from_str(composed)
            except BaseException as e:
                theirs, why = None, e
            answer = go.ask(op="load", json=composed)
            if "error" in answer:
                refused += 1
                if theirs and not any(reason in answer["error"] for reason in REFUSED):
                    different += 1
                    print(f"seed {n}: refused only by us: {answer['error']}", flush=True)
                continue
            if not theirs:
                if type(why).__name__ == "PanicException":
                    continue
                different += 1
                print(f"seed {n}: refused only by Hugging Face: {why}", flush=True)
                continue
            comparison = Comparison(go, f"seed {n}", theirs)
            comparison.plain(texts[:args.texts])
            comparison.bare_text(texts[:args.texts])
            asked, different = asked + comparison.asked, different + comparison.different
    print(f"{args.count} tokenizers, {refused} refused, {asked} comparisons, {different} differences")
    return different > 0


if __name__ == "__main__":
    sys.exit(main())
