#!/usr/bin/env python3
"""Asks the `tokenizers` library how it normalizes every code point, and writes forms.bin and graphemes.bin.

    python tokenize/internal/normal/probe_forms.py

The library's normalization tables are older than anyone else's, so nothing is taken from Python's own Unicode tables:
they only propose one representative of each combining class, and the library then says where every mark sorts.
"""
import os
import struct
import sys
import unicodedata

from tokenizers import normalizers

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "ucd"))
from probe import CODE_POINTS, normalized, two_level  # noqa: E402

NFD, NFKD, NFC, NFKC = normalizers.NFD(), normalizers.NFKD(), normalizers.NFC(), normalizers.NFKC()
FORMS = (("NFC", NFC), ("NFD", NFD), ("NFKC", NFKC), ("NFKD", NFKD))
MAYBE = 1 << 4  # may combine with what stands before it


def changed(normalizer):
    return {c: s for c, s in normalized(normalizer) if s != chr(c)}


def hangul(c):
    return 0xAC00 <= c < 0xAC00 + 11172


def combining_classes(canonical):
    """Where each mark sorts, observed by what it changes places with."""
    def sorts_after(a, b):
        return NFD.normalize_str(chr(a) + chr(b)) != chr(a) + chr(b)

    representatives = {}
    for c in CODE_POINTS:
        ccc = unicodedata.combining(chr(c))
        if ccc and c not in canonical and ccc not in representatives and (sorts_after(c, 0x334) or sorts_after(0x345, c)):
            representatives[ccc] = c
    order = sorted(representatives.items())
    classes = {}
    for c in CODE_POINTS:
        if c in canonical or not (sorts_after(c, 0x334) or sorts_after(0x345, c)):
            continue
        lower = [ccc for ccc, r in order if sorts_after(c, r)]
        higher = [ccc for ccc, r in order if sorts_after(r, c)]
        same = [ccc for ccc, _ in order if ccc not in lower and ccc not in higher]
        assert len(same) == 1, (hex(c), same)
        classes[c] = same[0]
    return classes


def compositions(canonical):
    pairs = {}
    for c, d in canonical.items():
        if hangul(c) or len(d) < 2:
            continue
        first = NFC.normalize_str(d[:-1])
        if len(first) == 1 and NFC.normalize_str(first + d[-1]) == chr(c):
            pairs[ord(first), ord(d[-1])] = c
    return pairs


class Pool:
    """Strings by number; number 0 is none."""

    def __init__(self):
        self.numbers, self.text, self.starts = {}, bytearray(), [0]

    def number(self, s):
        if s not in self.numbers:
            self.numbers[s] = len(self.starts)
            self.text += s.encode()
            self.starts.append(len(self.text))
        return self.numbers[s]


def wide_two_level(values):
    pages, blocks, known = bytearray(), bytearray(), {}
    for start in range(0, 0x110000, 256):
        block = struct.pack("<256H", *values[start:start + 256])
        if block not in known:
            known[block] = len(known)
            blocks += block
        pages.append(known[block])
    return bytes(pages), bytes(blocks)


def section(*parts):
    return b"".join(struct.pack("<I", len(p)) + p for p in parts)


def forms():
    canonical = changed(NFD)
    ccc = combining_classes(canonical)
    pairs = compositions(canonical)
    flags = [0] * 0x110000
    for bit, (_, normalizer) in enumerate(FORMS):
        for c in changed(normalizer):
            flags[c] |= 1 << bit
    jamo = set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3))
    for c in {second for _, second in pairs} | jamo:
        flags[c] |= MAYBE
    for c, v in ccc.items():
        flags[c] |= v << 8
    distinct = sorted(set(flags))
    number = {f: i for i, f in enumerate(distinct)}
    parts = [struct.pack(f"<{len(distinct)}H", *distinct), *two_level([number[f] for f in flags])]

    pool = Pool()
    maps = {"canonical": canonical, "compatible": changed(NFKD), "lower": changed(normalizers.Lowercase())}
    for mapping in maps.values():
        values = [0] * 0x110000
        for c, s in mapping.items():
            if not (hangul(c) and mapping is not maps["lower"]):
                values[c] = pool.number(s)
        parts += wide_two_level(values)
    parts += [bytes(pool.text), struct.pack(f"<{len(pool.starts)}I", *pool.starts)]
    parts.append(b"".join(struct.pack("<III", a, b, c) for (a, b), c in sorted(pairs.items())))
    print({name: len(m) for name, m in maps.items()}, "ccc", len(ccc), "pairs", len(pairs), "kinds", len(distinct))
    return section(*parts)


CLASSES = ["Any", "Control", "Extend", "ZWJ", "SpacingMark", "Prepend", "L", "V", "T", "LV", "LVT", "Pictograph", "Consonant"]
LINKER, INCB_EXTEND = 1 << 4, 1 << 5


def everything_to_x():
    """A charsmap that turns any grapheme of less than six bytes, and any character of a longer one, into one X.

    So the length of the result tells where the graphemes end.
    """
    units = [0] * 1024
    units[0] = 256 << 10
    for c in range(1, 256):
        units[256 + c] = c | 1 << 8 | ((256 + c) ^ (512 + c)) << 10
        units[512 + c] = 1 << 31
    trie = struct.pack("<1024I", *units)
    return normalizers.Precompiled(struct.pack("<I", len(trie)) + trie + b"X\0")


def graphemes():
    charsmap = everything_to_x()

    def pieces(text):
        return len(charsmap.normalize_str(text))

    values = [0] * 0x110000
    for c in CODE_POINTS:
        if c == 0:
            values[c] = CLASSES.index("Control")  # the trie cannot hold NUL; it is a control character like any other
            continue
        ch = chr(c)
        after = pieces("a" + ch) == 1
        extra = 0
        if c == 0x200D:
            name = "ZWJ"
        elif after:
            name = "Extend" if pieces("☎" + ch + "\u200d©\u0300") == 5 else "SpacingMark"
        elif pieces(ch + "\u0300\u0300") == 2:
            name = "Control"
        elif pieces(ch + "a\u0300\u0300") == 4:
            name = "Prepend"
        elif pieces(ch + "\u200d©\u0300") == 4:
            name = "Pictograph"
        elif pieces(ch + "\u094d\u0915\u0300") == 4:
            name = "Consonant"
        else:
            name = jamo(pieces, ch)
        if after:
            extra |= LINKER if pieces("\u0915" + ch + "\u0915\u0300") == 4 else 0
            extra |= INCB_EXTEND if pieces("\u0915" + ch + "\u094d\u0915\u0300") == 5 else 0
        values[c] = CLASSES.index(name) | extra
    print({name: sum(v & 15 == i for v in values) for i, name in enumerate(CLASSES)},
          "linkers", sum(v & LINKER != 0 for v in values), "incb extend", sum(v & INCB_EXTEND != 0 for v in values))
    return section(*two_level(values))


def jamo(pieces, ch):
    before_v, before_t = pieces(ch + "\u1161\u0300") == 3, pieces(ch + "\u11a8\u0300") == 3
    after_l, after_v = pieces("\u1100" + ch + "\u0300") == 3, pieces("\u1161" + ch + "\u0300") == 3
    if len(ch.encode()) != 3:
        return "Any"
    return {(True, False, True, False): "L", (True, True, True, True): "V", (False, True, False, True): "T",
            (True, True, True, False): "LV", (False, True, True, False): "LVT"}.get(
                (before_v, before_t, after_l, after_v), "Any")


def main():
    for name, build in (("forms.bin", forms), ("graphemes.bin", graphemes)):
        with open(os.path.join(HERE, name), "wb") as f:
            f.write(build())


if __name__ == "__main__":
    main()
