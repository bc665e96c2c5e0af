#!/usr/bin/env python3
"""Compares our tokens with Hugging Face's on strings made from a seed, for each tokenizer that fetch.py knows.

    python tokenize/conformance/compare.py [--count 20000] [--seed 1] [--keep FILE] [NAME ...]

IDs, type ids, tokens, offsets, masks, both ways of decoding, pairs, truncation with overflow, padding, and bytes that
are not UTF-8. Exit status 1 if anything differs; --keep appends the strings that differ to a file of cases.
"""
import argparse
import base64
import json
import os
import random
import sys
import time

os.environ["RUST_BACKTRACE"] = "0"  # the library panics on some truncations; its stack helps nobody

from tokenizers import Tokenizer  # noqa: E402

from fetch import SOURCES, fetch  # noqa: E402
from go import Go  # noqa: E402
from texts import generate  # noqa: E402

CHUNK = 500
STRATEGIES = ("longest_first", "only_first", "only_second")


def expected(tokenizer, e, bare=False):
    out = {"ids": e.ids, "type_ids": e.type_ids, "tokens": e.tokens, "offsets": [list(o) for o in e.offsets],
           "special": e.special_tokens_mask, "attention": e.attention_mask,
           "overflowing": [expected(tokenizer, o, True) for o in e.overflowing]}
    if not bare:
        out["decoded"] = tokenizer.decode(e.ids, skip_special_tokens=False)
        out["skipped"] = tokenizer.decode(e.ids, skip_special_tokens=True)
    return out


def normal(answer, bare=False):
    out = {k: answer.get(k) or [] for k in ("ids", "type_ids", "tokens", "offsets", "special", "attention")}
    out["overflowing"] = [normal(o, True) for o in answer.get("overflowing") or ()]
    if not bare:
        out["decoded"], out["skipped"] = answer.get("decoded"), answer.get("skipped")
    return out


class Comparison:
    def __init__(self, go, name, tokenizer, keep=None):
        self.go, self.name, self.tokenizer, self.keep = go, name, tokenizer, keep
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.asked = self.different = 0

    def differs(self, text, mode, theirs, ours):
        self.different += 1
        if self.keep:
            with open(self.keep, "a", encoding="utf-8") as f:
                f.write(json.dumps({"tokenizer": self.name, "mode": mode, "text": text}) + "\n")
        if self.different <= 5:
            print(f"DIFFERS {self.name} {mode} on {text!r}", flush=True)
            for k in theirs:
                if theirs[k] != ours.get(k):
                    print(f"  {k}\n    theirs {theirs[k]!r:.600}\n    ours   {ours.get(k)!r:.600}")

    def run(self, texts, mode, encode, shown=None, bare=False, **request):
        """encode gives the library's encoding of one text; it may raise where the library cannot."""
        answers = self.go.ask(op="encode", texts=texts, bare=bare, **request)["encoded"]
        for text, answer in zip(shown or texts, answers):
            self.asked += 1
            try:
                theirs = expected(self.tokenizer, encode(text), bare)
            except BaseException as e:
                if type(e).__name__ == "PanicException":  # nothing to compare with; that ours answers at all is enough
                    continue
                if not isinstance(e, Exception):
                    raise
                if not answer.get("error"):
                    self.differs(text, mode, {"error": str(e)}, {"error": None})
                continue
            if answer.get("error"):
                self.differs(text, mode, {"error": None}, answer)
                continue
            ours = normal(answer, bare)
            if ours != theirs or not bare and not answer["body"] and "pair" not in mode and "cut" not in mode and "pad" not in mode:
                self.differs(text, mode, {**theirs, "body": True}, {**ours, "body": answer.get("body", True)})

    def plain(self, texts):
        self.run(texts, "plain", self.tokenizer.encode)

    def bare_text(self, texts):
        self.run(texts, "no specials", lambda t: self.tokenizer.encode(t, add_special_tokens=False), nospecial=True)

    def pairs(self, texts, r):
        others = texts[1:] + texts[:1]
        pair = dict(zip(texts, others))
        self.run(texts, "pair", lambda t: self.tokenizer.encode(t, pair[t]), pairs=[pair[t] for t in texts])

    def cut(self, texts, r):
        room = self.tokenizer.num_special_tokens_to_add(False)
        length = room + r.choice((3, 5, 8, 20))
        stride, direction = r.randrange(0, length - room), r.choice(("right", "left"))
        self.tokenizer.enable_truncation(length, stride=stride, strategy="longest_first", direction=direction)
        self.run(texts, f"cut {length}/{stride} {direction}", self.tokenizer.encode, bare=True,
                 truncation={"MaxLength": length, "Stride": stride, "Strategy": "longest_first", "Left": direction == "left"})
        self.tokenizer.no_truncation()

    def cut_pairs(self, texts, r):
        texts = [t[:150] for t in texts]  # every piece of one is combined with every piece of the other
        pair = dict(zip(texts, texts[1:] + texts[:1]))
        room = self.tokenizer.num_special_tokens_to_add(True)
        length, strategy, direction = room + r.choice((6, 9, 30)), r.choice(STRATEGIES), r.choice(("right", "left"))
        stride = r.randrange(0, (length - room) // 2)
        self.tokenizer.enable_truncation(length, stride=stride, strategy=strategy, direction=direction)
        self.run(texts, f"cut pair {length}/{stride} {strategy} {direction}", lambda t: self.tokenizer.encode(t, pair[t]), bare=True,
                 pairs=[pair[t] for t in texts],
                 truncation={"MaxLength": length, "Stride": stride, "Strategy": strategy, "Left": direction == "left"})
        self.tokenizer.no_truncation()

    def padded(self, texts, r):
        length, left, multiple = r.choice((4, 16, 64)), r.random() < 0.5, r.choice((None, 8))
        token = self.tokenizer.id_to_token(0) or "x"
        self.tokenizer.enable_padding(direction="left" if left else "right", pad_id=0, pad_type_id=1, pad_token=token, length=length,
                                      pad_to_multiple_of=multiple)
        self.run(texts, f"pad {length} {left} {multiple}", self.tokenizer.encode, bare=True,
                 padding={"Length": length, "MultipleOf": multiple or 0, "Left": left, "ID": 0, "TypeID": 1, "Token": token})
        self.tokenizer.no_padding()

    def broken(self, texts, r):
        """Bytes that are no UTF-8: as if each maximal invalid part were U+FFFD."""
        raws = []
        for t in texts:
            b = bytearray(t.encode())
            for _ in range(r.randint(1, 4)):
                at = r.randint(0, len(b))
                if r.random() < 0.5:
                    b[at:at] = bytes(r.choice((r.randrange(0x80, 0x100), 0xE2, 0xF0, 0xED, 0xA0, 0xC0, 0xF4, 0x90, 0xFF)) for _ in range(r.randint(1, 4)))
                else:
                    del b[at:at + r.randint(1, 2)]
            raws.append(bytes(b))
        shown = [b.decode("utf-8", errors="replace") for b in raws]
        self.run([base64.b64encode(b).decode() for b in raws], "broken", self.tokenizer.encode, shown=shown, base64=True)

    def decoding(self, r):
        """Any IDs in any order, some of which no token has."""
        size = self.tokenizer.get_vocab_size(True)
        lists = [[r.randrange(size + 3) if r.random() < 0.9 else r.randrange(min(size, 300)) for _ in range(r.randint(0, 20))] for _ in range(CHUNK)]
        for ids, answer in zip(lists, self.go.ask(op="decode", ids=lists)["decoded"]):
            self.asked += 1
            theirs = {"decoded": self.tokenizer.decode(ids, skip_special_tokens=False), "skipped": self.tokenizer.decode(ids, skip_special_tokens=True)}
            if theirs != answer:
                self.differs(ids, "decode", theirs, answer)

    def all(self, texts, seed):
        r = random.Random(seed)
        chunks = [texts[i:i + CHUNK] for i in range(0, len(texts), CHUNK)]
        for chunk in chunks:
            self.plain(chunk)
        for chunk in r.sample(chunks, min(len(chunks), 8)):
            self.bare_text(chunk)
            distinct = sorted(set(chunk))
            self.pairs(distinct, r)
            self.cut(chunk, r)
            self.cut_pairs(distinct, r)
            self.padded(chunk, r)
            self.broken(chunk, r)
            self.decoding(r)


def load(go, path):
    answer = go.ask(op="load", path=path)
    if "error" in answer:
        raise SystemExit(answer["error"])
    return Tokenizer.from_file(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=[])
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep")
    args = parser.parse_args()
    total = 0
    with Go() as go:
        for name in args.names or SOURCES:
            began = time.time()
            path = os.path.join(fetch(name), "tokenizer.json")
            tokenizer = load(go, path)
            added = [t.content for t in tokenizer.get_added_tokens_decoder().values()]
            c = Comparison(go, name, tokenizer, args.keep)
            c.all(list(generate(f"{args.seed}/{name}", args.count, added)), args.seed)
            total += c.different
            print(f"{name}: {c.asked} encodings and decodings of {args.count} strings, {c.different} differ ({time.time() - began:.0f} s)", flush=True)
    sys.exit(total > 0)


if __name__ == "__main__":
    main()
