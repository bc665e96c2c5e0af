#!/usr/bin/env python3
"""Compares what `textmill tokenize --tokenizer FILE` prints with Hugging Face, as a user would see it.

    python tokenize/conformance/command.py [--count 2000] [--seed 1] [NAME ...]

Through JSONL on standard input: with and without special tokens, back to text with and without them, the file's own truncation
and padding, JSON's ways to write a character, lines that are no records, and texts of a megabyte.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

os.environ["RUST_BACKTRACE"] = "0"

from tokenizers import Tokenizer  # noqa: E402

from fetch import ROOT, SOURCES, fetch  # noqa: E402
from texts import generate  # noqa: E402

BINARY = os.path.join(ROOT, "bin", "textmill")
MEGABYTE = 1_000_000
LONG = {"letter": "a" * MEGABYTE, "spaces": " " * MEGABYTE, "CJK": "漢" * (MEGABYTE // 3), "emoji": "😀" * (MEGABYTE // 4),
        "newlines": "\n" * MEGABYTE, "digits": "7" * MEGABYTE, "marks": "e" + "\u0301" * (MEGABYTE // 2), "ab": "ab" * (MEGABYTE // 2),
        "words": "the quick brown fox " * (MEGABYTE // 20), "punctuation": "!?" * (MEGABYTE // 2), "NULs": "\0" * MEGABYTE,
        "U+2581": "▁" * (MEGABYTE // 3), "joiners": "👩‍👩‍👧 " * (MEGABYTE // 19)}
BROKEN = [('{"id":"x","text":"\\ud800"}', "x"), ('{"id":"x","text":"a\\udc00b"}', "x"), ('{"id":"x","text":"\\ud83dx"}', "x"), ("[]", None), ("7", None),
          ('{"id":"x"}', "x"), ('{"id":"x","text":null}', "x"), ('{"id":"x","text":["a"]}', "x"), ('{"id":"x","text":"a"', None), ("", None),
          ('{"id":"x","text":"a"} {}', None), ("\x00", None)]


def command(path, lines, *flags):
    """The answers as JSON, one for each line."""
    done = subprocess.run([BINARY, "tokenize", "--tokenizer", path, *flags], input="\n".join(lines) + "\n", capture_output=True, encoding="utf-8",
                          errors="surrogateescape")
    if done.returncode:
        raise SystemExit(f"exit {done.returncode}: {done.stderr}")
    answers = done.stdout.split("\n")[:-1]
    if len(answers) != len(lines):
        raise SystemExit(f"{len(answers)} answers to {len(lines)} lines")
    return [json.loads(a) for a in answers]


def escaped(text, r):
    """A JSON string with some characters written in other ways."""
    out = []
    for c in text:
        way = r.random()
        if way < 0.6 and c >= " " and c not in '"\\':
            out.append(c)
        elif way < 0.8:
            units = c.encode("utf-16-be")
            out += [f"\\u{units[i] << 8 | units[i + 1]:04{r.choice('xX')}}" for i in range(0, len(units), 2)]
        else:
            out.append(json.dumps(c)[1:-1])
    return '"' + "".join(out) + '"'


class Check:
    def __init__(self, name):
        self.name, self.asked, self.different = name, 0, 0

    def same(self, what, text, ours, theirs):
        self.asked += 1
        if ours != theirs:
            self.different += 1
            if self.different < 5:
                for k in theirs if isinstance(theirs, dict) else ():
                    if not isinstance(ours, dict) or ours.get(k) != theirs[k]:
                        print(f"DIFFERS {self.name} {what} {text!r:.300} {k}\n  theirs {theirs[k]!r:.300}\n  ours   {ours.get(k)!r:.300}", flush=True)
                        break
                else:
                    print(f"DIFFERS {self.name} {what} {text!r:.300}\n  theirs {theirs!r:.300}\n  ours   {ours!r:.300}", flush=True)

    def encodings(self, what, path, tokenizer, texts, r, special=True):
        lines = [f'{{"id":"{i}","text":{escaped(t, r) if len(t) < 2000 else json.dumps(t, ensure_ascii=False)}}}' for i, t in enumerate(texts)]
        answers = command(path, lines, *([] if special else ["--no-special-tokens"]))
        for i, (text, answer) in enumerate(zip(texts, answers)):
            try:
                e = tokenizer.encode(text, add_special_tokens=special)
            except Exception as error:
                self.same(what, text, "error" in answer, bool(error))
                continue
            self.same(what, text, answer, {"id": str(i), "input_ids": e.ids, "attention_mask": e.attention_mask, "token_type_ids": e.type_ids,
                                           "offsets": [list(o) for o in e.offsets], "tokens": e.tokens})
        return [a.get("input_ids", []) for a in answers]

    def decodings(self, path, tokenizer, lists):
        lines = [json.dumps({"id": i, "input_ids": ids}) for i, ids in enumerate(lists)]
        for skip in (False, True):
            for i, (ids, answer) in enumerate(zip(lists, command(path, lines, "--decode", *(["--skip-special-tokens"] * skip)))):
                self.same(f"decode, skip {skip}", ids, answer, {"id": str(i), "text": tokenizer.decode(ids, skip_special_tokens=skip)})

    def broken(self, path):
        for (line, name), answer in zip(BROKEN, command(path, [line for line, _ in BROKEN])):
            self.same("broken", line, "error" in answer and ": " in answer["error"] and (name is None or answer["id"] == name), True)


def variants(text, r):
    """The tokenizer.json with truncation and padding of its own, of several kinds."""
    for strategy in ("LongestFirst", "OnlyFirst"):
        for direction in ("Right", "Left"):
            file = json.loads(text)
            file["truncation"] = {"direction": direction, "max_length": r.choice((8, 16)), "strategy": strategy, "stride": r.randrange(3)}
            size = r.choice(("BatchLongest", {"Fixed": r.choice((4, 24))}))
            file["padding"] = r.choice((None, {"strategy": size, "direction": r.choice(("Left", "Right")), "pad_to_multiple_of": r.choice((None, 8)),
                                               "pad_id": 3, "pad_type_id": 1, "pad_token": "[P]"}))
            yield json.dumps(file, ensure_ascii=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=[])
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    different = 0
    for name in args.names or SOURCES:
        path = os.path.join(fetch(name), "tokenizer.json")
        c, r, tokenizer = Check(name), random.Random(f"{args.seed}/{name}"), Tokenizer.from_file(path)
        texts = list(generate(f"command/{args.seed}/{name}", args.count, [t.content for t in tokenizer.get_added_tokens_decoder().values()]))
        lists = c.encodings("plain", path, tokenizer, texts, r)
        c.encodings("no specials", path, tokenizer, texts, r, special=False)
        size = tokenizer.get_vocab_size()
        c.decodings(path, tokenizer, lists + [[r.randrange(size + 5) for _ in range(r.randrange(30))] for _ in range(300)])
        c.broken(path)
        c.encodings("long", path, tokenizer, list(LONG.values()), r)
        with open(path, encoding="utf-8") as f:
            whole = f.read()
        for text in variants(whole, r):
            with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as f:
                f.write(text)
                f.flush()
                c.encodings("own truncation", f.name, Tokenizer.from_str(text), texts[:200], r)
        print(f"{name}: {c.asked} answers of the command, {c.different} differ", flush=True)
        different += c.different
    sys.exit(different > 0)


if __name__ == "__main__":
    main()
