#!/usr/bin/env python3
"""Asks the `tokenizers` library what the named properties of Split patterns hold, and which script UnicodeScripts sees.

    python tokenize/internal/ucd/probe_properties.py

Writes properties.bin (name, then ranges as varint steps) and scripts.bin. A name that Oniguruma refuses is left out, so
that a pattern which uses it is refused here too.
"""
import os
import struct

from tokenizers import Regex, pre_tokenizers

from probe import ALL, CATEGORIES, CODE_POINTS, HERE, two_level

MAJOR = ["C", "L", "LC", "M", "N", "P", "S", "Z"]
LONG = """Letter Cased_Letter Uppercase_Letter Lowercase_Letter Titlecase_Letter Modifier_Letter Other_Letter Mark
Nonspacing_Mark Spacing_Mark Enclosing_Mark Number Decimal_Number Letter_Number Other_Number Punctuation
Connector_Punctuation Dash_Punctuation Open_Punctuation Close_Punctuation Initial_Punctuation Final_Punctuation
Other_Punctuation Symbol Math_Symbol Currency_Symbol Modifier_Symbol Other_Symbol Separator Space_Separator
Line_Separator Paragraph_Separator Other Control Format Surrogate Private_Use Unassigned""".split()
POSIX = "Alnum Alpha Blank Cntrl Digit Graph Lower Print Punct Space Upper XDigit Word".split()
BINARY = """Any Assigned ASCII Alphabetic Uppercase Lowercase White_Space Emoji Emoji_Presentation Emoji_Modifier
Emoji_Modifier_Base Emoji_Component Extended_Pictographic Ideographic Hex_Digit ASCII_Hex_Digit ID_Start ID_Continue
XID_Start XID_Continue Math Dash Diacritic Extender Cased Case_Ignorable Default_Ignorable_Code_Point
Variation_Selector Quotation_Mark Terminal_Punctuation Sentence_Terminal Unified_Ideograph Radical Join_Control
Noncharacter_Code_Point Pattern_White_Space Pattern_Syntax Soft_Dotted Grapheme_Extend Grapheme_Base
Regional_Indicator""".split()
SCRIPTS = """Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali Bhaiksuki
Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham Cherokee Chorasmian
Common Coptic Cuneiform Cypriot Cypro_Minoan Cyrillic Deseret Devanagari Dives_Akuru Dogra Duployan
Egyptian_Hieroglyphs Elbasan Elymaic Ethiopic Garay Georgian Glagolitic Gothic Grantha Greek Gujarati Gunjala_Gondi
Gurmukhi Gurung_Khema Han Hangul Hanifi_Rohingya Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic Inherited
Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada Katakana Kawi Kayah_Li Kharoshthi
Khitan_Small_Script Khmer Khojki Khudawadi Kirat_Rai Lao Latin Lepcha Limbu Linear_A Linear_B Lisu Lycian Lydian
Mahajani Makasar Malayalam Mandaic Manichaean Marchen Masaram_Gondi Medefaidrin Meetei_Mayek Mende_Kikakui
Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani Myanmar Nabataean Nag_Mundari Nandinagari
New_Tai_Lue Newa Nko Nushu Nyiakeng_Puachue_Hmong Ogham Ol_Chiki Ol_Onal Old_Hungarian Old_Italic Old_North_Arabian
Old_Permic Old_Persian Old_Sogdian Old_South_Arabian Old_Turkic Old_Uyghur Oriya Osage Osmanya Pahawh_Hmong Palmyrene
Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham SignWriting
Sinhala Sogdian Sora_Sompeng Soyombo Sundanese Sunuwar Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet
Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta Todhri Toto Tulu_Tigalari Ugaritic Unknown Vai
Vithkuqi Wancho Warang_Citi Yezidi Yi Zanabazar_Square""".split()



def ranges(pattern):
    """Inclusive ranges of code points that the one-character pattern matches."""
    split = pre_tokenizers.Split(Regex(pattern + "+"), behavior="removed", invert=True)
    found = []
    for _, (start, end) in split.pre_tokenize_str(ALL):
        if start < 0xD800 < end:  # the surrogates lie between; no text holds them
            found.append((CODE_POINTS[start], 0xD7FF))
            start = 0xD800
        found.append((CODE_POINTS[start], CODE_POINTS[end - 1]))
    return found


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def key(name):
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def properties():
    sources = [(key(name), r"\p{%s}" % name) for name in MAJOR + CATEGORIES + LONG + POSIX + BINARY + SCRIPTS]
    sources += [("[:%s:]" % name.lower(), "[[:%s:]]" % name.lower()) for name in POSIX]
    # Inside brackets \w lacks the superscripts that it has alone.
    sources += [(pattern % letter,) * 2 for letter in "wdsh" for pattern in ("\\%s", "[\\%s]")]
    bodies, names = {}, {}
    for name, pattern in sources:
        try:
            Regex(pattern)
        except Exception:
            print("unknown to Oniguruma:", name)
            continue
        body, last = bytearray(), 0
        for first, end in ranges(pattern):
            body += varint(first - last) + varint(end - first)
            last = end
        names[name] = bodies.setdefault(bytes(body), len(bodies))
    out = varint(len(bodies)) + b"".join(varint(len(b)) + b for b in bodies) + varint(len(names))
    for name, number in sorted(names.items()):
        out += varint(len(name)) + name.encode() + varint(number)
    print(len(names), "names", len(bodies), "sets", len(out), "bytes")
    return out


def scripts():
    """Number 0 never splits; the others are numbered as they appear."""
    split = pre_tokenizers.UnicodeScripts()

    def apart(a, b):
        return len(split.pre_tokenize_str(chr(a) + chr(b))) == 2

    examples, values = [], [0] * 0x110000
    last = 0
    for c in CODE_POINTS:
        if not apart(ord("a"), c) and not apart(ord("漢"), c):
            continue
        if last and not apart(examples[last - 1], c):
            values[c] = last
            continue
        for number, example in enumerate(examples, 1):
            if not apart(example, c):
                last = number
                break
        else:
            examples.append(c)
            last = len(examples)
        values[c] = last
    print(len(examples), "scripts")
    pages, blocks = two_level(values)
    return struct.pack("<I", len(blocks)) + pages + blocks


def folds():
    """What (?i) lets a character match beside itself: for each, 1 if several letters too, 2 if together with others one
    character, and the other characters."""
    cased = {chr(c) for first, last in ranges(r"\p{Cased}") for c in range(first, last + 1)}
    cased |= {c for c in ALL if c.casefold() != c or c.lower() != c or c.upper() != c}
    several = {c: c.casefold() for c in ALL if len(c.casefold()) > 1}
    cased = sorted(cased | set("".join(several.values())))
    singles, groups = "\n".join(cased), "\n".join(sorted(set(several.values())))

    def matches(pattern, text):
        split = pre_tokenizers.Split(Regex("(?i)" + pattern), behavior="removed", invert=True)
        return [piece for piece, _ in split.pre_tokenize_str(text)]

    def escaped(text):
        return "".join("\\x{%x}" % ord(c) for c in text)

    parts = {c for group in set(several.values()) for c in group if any(len(m) == 1 for m in matches(escaped(group), singles))}
    entries = []
    for c in cased:
        others = sorted({o for m in matches(escaped(c), singles) for o in m} - {c})
        flags = any(len(m) > 1 for m in matches(escaped(c), groups)) | 2 * (c in parts)
        if others or flags:
            entries.append((ord(c), flags, [ord(o) for o in others]))
    out, last = varint(len(entries)), 0
    for c, flags, others in entries:
        out += varint(c - last) + varint(flags) + varint(len(others)) + b"".join(map(varint, others))
        last = c
    print(len(entries), "characters with other cases,", len(out), "bytes")
    return out


def segments():
    """The class by which \\y finds the borders of grapheme clusters, and 128 for what joins behind a pictograph and U+200D."""
    lines = {}

    def joined(before, after):
        """The characters that have no border before them behind `before`, where `after` follows without one."""
        key = before, after
        if key not in lines:
            text = "".join("\n" + before + c + after for c in ALL)
            pattern = r"(?<=\n%s)%s\O" % (before, r"\Y" if before else "") + (r"(?=%s\n)" % "".join(r"\Y" + c for c in after) if after else r"(?=\n|\z)")
            split = pre_tokenizers.Split(Regex(pattern), behavior="removed", invert=True)
            lines[key] = {ord(piece) for piece, _ in split.pre_tokenize_str(text) if len(piece) == 1}
        return lines[key]

    mark, zwj, l, v, t, lv, regional, person = "\u0301", "\u200d", "\u1100", "\u1161", "\u11a8", "\uac00", "\U0001F1EB", "\U0001F469"
    behind, plain = joined("a", ""), joined("", mark)  # nothing joins behind a control
    extend = behind & joined(person, zwj + person)
    sets = [
        set(),
        {0x0D}, {0x0A},
        set(CODE_POINTS) - plain - {0x0D, 0x0A},
        extend - {0x200D}, {0x200D},
        joined(regional, "") - behind,
        joined("", "a") - behind,
        behind - extend - {0x200D},
        joined("", l), joined("", v) & joined(v, "") - behind, joined("", t) & joined(t, "") - behind,
        joined("", v) - joined("", l) - joined(v, ""), joined("", t) - joined("", v) - joined(t, ""),
    ]
    prepend = sets[7]
    values = [0] * 0x110000
    for number, members in enumerate(sets):
        for c in members - (prepend if number > 8 else set()):
            values[c] = number
    for c in joined(person + zwj, "") - behind:
        values[c] |= 128
    print([len(s) for s in sets], len(joined(person + zwj, "") - behind))
    pages, blocks = two_level(values)
    return struct.pack("<I", len(blocks)) + pages + blocks


def main():
    for name, build in (("scripts.bin", scripts), ("properties.bin", properties), ("folds.bin", folds), ("segments.bin", segments)):
        path = os.path.join(HERE, name)
        with open(path + ".new", "wb") as f:
            f.write(build())
        os.replace(path + ".new", path)


if __name__ == "__main__":
    main()
