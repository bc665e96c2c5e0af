#!/usr/bin/env python3
"""Compares with Hugging Face on damaged tokenizer.json files: whichever both take must give the same tokens, what Hugging Face
refuses must be refused, and a refusal must name the place in the file.

    python tokenize/conformance/mutate.py [--seed N] [--count FILES]

What only we refuse is counted by reason; those are limits, not differences.
"""
import argparse
import collections
import copy
import json
import os
import random
import re
import sys

os.environ["RUST_BACKTRACE"] = "0"

from tokenizers import Tokenizer  # noqa: E402

from compare import Comparison  # noqa: E402
from compose import Composer  # noqa: E402
from go import Go  # noqa: E402
from texts import generate  # noqa: E402

VALUES = [None, True, False, 0, 1, -1, 2, 0.5, 1e300, 2**31, 2**32, 2**63, "", "a", " ", "▁", "\0", "<unk>", [], {}, ["a"], [["a", 0.0]], {"a": 0},
          "Isolated", "Removed", "first", "always", "ByteLevel", "BPE", "WordPiece", "Unigram", "WordLevel", "NFC", "Metaspace", "Sequence", "Fuse",
          "LongestFirst", "Right", {"type": "NFC"}, {"Regex": "("}, {"String": ""}, {"Regex": ""}, {"Fixed": 5}, "BatchLongest",
          {"max_length": 5, "strategy": "LongestFirst", "stride": 0, "direction": "Left"},
          {"strategy": "BatchLongest", "direction": "Left", "pad_to_multiple_of": 0, "pad_id": 0, "pad_type_id": 0, "pad_token": "x"}]

PLACE = re.compile(r"""([a-zA-Z_]+|\[".*"\])[.:\[]|model is missing$|not JSON at byte""")


def places(node, path=()):
    yield path
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for k, v in children:
        if len(path) < 3 or not isinstance(node, (dict, list)) or len(node) < 40:
            yield from places(v, (*path, k))


def damaged(file, r):
    """The file with one to three places changed, as text."""
    file = copy.deepcopy(file)
    for _ in range(r.choice((1, 1, 1, 2))):
        every = list(places(file))[1:]
        by_depth = collections.defaultdict(list)
        for p in every:
            by_depth[(len(p), p[0])].append(p)
        path = r.choice(by_depth[r.choice(list(by_depth))])
        node = file
        for k in path[:-1]:
            node = node[k]
        last, way = path[-1], r.randrange(10)
        alike = [v for v in VALUES if type(v) is type(node[last])]
        if way == 0:
            del node[last]
        elif way == 1 and isinstance(node, dict):
            node[r.choice(("type", "id", "content", "x", "vocab", "unk_token", "pattern", "dropout"))] = r.choice(VALUES)
        elif way == 2 and isinstance(node, list):
            node.insert(r.randrange(len(node) + 1), copy.deepcopy(r.choice((node[last], *VALUES))))
        elif way == 3 and isinstance(node[last], (int, float)):
            node[last] = r.choice((node[last] + 1, -node[last], node[last] * 1000, str(node[last])))
        elif way > 5 and alike:
            node[last] = copy.deepcopy(r.choice(alike))
        else:
            node[last] = copy.deepcopy(r.choice(VALUES))
    text = json.dumps(file, ensure_ascii=r.random() < 0.5)
    if r.random() < 0.1:
        at = r.randrange(len(text))
        text = text[:at] + r.choice(('"', "}", ",", "\\", "1", "")) + text[at + r.choice((0, 1)):]
    return text


def aborts(text, samples):
    """Whether the library ends its whole process on this file."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            tokenizer = Tokenizer.from_str(text)
            for t in samples:
                tokenizer.encode(t)
        except BaseException:
            pass
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=2000)
    args = parser.parse_args()
    taken = asked = different = both = aborted = 0
    ours_alone = collections.Counter()
    with Go() as go:
        for n in range(args.seed, args.seed + args.count):
            if n % 25 == args.seed % 25:
                texts = list(generate(n, 400))
                random.Random(n).shuffle(texts)
                file = json.loads(Composer(n, texts).tokenizer())
            text = damaged(file, random.Random(n))
            if aborts(text, texts[:15]):
                aborted += 1
                go.ask(op="load", json=text)  # that it answers at all is enough
                continue
            try:
                theirs, why = Tokenizer.from_str(text), None
            except BaseException as e:
                theirs, why = None, e
            answer = go.ask(op="load", json=text)
            if "error" in answer:
                if theirs:
                    ours_alone[re.sub(r'"[^"]*"|\d+|\[[^\]]*\]', "…", answer["error"])[:110]] += 1
                else:
                    both += 1
                if not PLACE.match(answer["error"]):
                    print(f"seed {n}: no place in {answer['error']!r}", flush=True)
                    different += 1
                continue
            if not theirs:
                if type(why).__name__ != "PanicException":
                    different += 1
                    print(f"seed {n}: taken only by us: {str(why)[:300]}", flush=True)
                continue
            ids = list(theirs.get_vocab(with_added_tokens=False).values())
            if len(set(ids)) < len(ids):
                continue  # which of two tokens an ID means is random there
            taken += 1
            c = Comparison(go, f"seed {n}", theirs)
            c.plain(texts[:15])
            asked, different = asked + c.asked, different + c.different
    print(f"{args.count} files: {taken} taken by both ({asked} comparisons), {both} refused by both, {sum(ours_alone.values())} only by us, {aborted} end the library's process; {different} differences")
    for reason, times in ours_alone.most_common():
        print(f"  {times:5} {reason}")
    sys.exit(different > 0)


if __name__ == "__main__":
    main()
