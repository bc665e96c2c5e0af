"""Writes order.jsonl.gz: the order in which torch.sort leaves arrays with equal values.

    python models/sample/testdata/order.py      (needs torch 2.15 for CPU, on Linux x86-64)

Values are whole numbers, and null is -Inf. Long orders are given as the SHA-256 of their ids, comma-separated.
"""
import gzip
import hashlib
import json
import os
import random

import torch

HERE = os.path.dirname(os.path.abspath(__file__))


class Adversary:
    """McIlroy's antiqsort: decides values while they are compared, so that each pivot is among the lowest that are left."""

    def __init__(self, n):
        self.gas, self.val, self.solid, self.candidate = n, [n] * n, 0, 0

    def less(self, x, y):
        if self.val[x] == self.gas and self.val[y] == self.gas:
            self.val[x if x == self.candidate else y] = self.solid
            self.solid += 1
        if self.val[x] == self.gas:
            self.candidate = x
        elif self.val[y] == self.gas:
            self.candidate = y
        return self.val[x] < self.val[y]


def killer(n):
    """Makes the quicksort in std::sort give up and sort by heap: its pivots are medians of the second, middle and last."""
    foe, a, ranges = Adversary(n), list(range(n)), [(0, n)]
    less = foe.less
    while ranges:
        lo, hi = ranges.pop()
        if hi - lo <= 16:
            continue
        i, j, k = lo + 1, lo + (hi - lo) // 2, hi - 1
        if less(a[i], a[j]):
            m = j if less(a[j], a[k]) else k if less(a[i], a[k]) else i
        else:
            m = i if less(a[i], a[k]) else k if less(a[j], a[k]) else j
        a[lo], a[m] = a[m], a[lo]
        first, last = lo + 1, hi
        while True:
            while less(a[first], a[lo]):
                first += 1
            last -= 1
            while less(a[lo], a[last]):
                last -= 1
            if first >= last:
                break
            a[first], a[last] = a[last], a[first]
            first += 1
        ranges += [(lo, first), (first, hi)]
    return foe.val


def arrays():
    rng = random.Random(5)
    for n in [1, 2, 3, 15, 16, 17, 18, 19, 20, 31, 32, 33, 34, 47, 48, 63, 64, 65, 100, 127, 128, 129, 255, 300, 777, 1000, 1500, 2000]:
        for distinct in sorted({1, 2, 3, 5, 1 + n // 10, 1 + n // 2}):
            values = [rng.randrange(distinct) for _ in range(n)]
            yield values
            if n < 1000:
                yield sorted(values)
                yield sorted(values, reverse=True)
            yield [v if rng.random() < 0.3 else None for v in values]
    for n, distinct in [(8000, 100), (20000, 2), (49152, 30), (50000, 7)]:
        yield [min(abs(int(rng.gauss(0, distinct / 4))), distinct - 1) for _ in range(n)]
    for n in [40, 100, 500, 1200]:
        values = killer(n)
        yield values
        yield [v // 2 for v in values]
        yield [min(v, n * 3 // 4) for v in values]
        yield [max(v, n // 2) for v in values]


def main():
    torch.set_num_threads(1)
    lines = []
    for values in arrays():
        x = torch.tensor([[float("-inf") if v is None else v for v in values]], dtype=torch.float32)
        order = torch.sort(x, descending=False)[1][0].tolist()
        row = {"values": values, "sha256": hashlib.sha256(",".join(map(str, order)).encode()).hexdigest()}
        if len(order) <= 64:
            row["order"] = order
        lines.append(json.dumps(row, separators=(",", ":")) + "\n")
    with gzip.GzipFile(os.path.join(HERE, "order.jsonl.gz"), "wb", mtime=0) as f:
        f.write("".join(lines).encode())


if __name__ == "__main__":
    main()
