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


def main():
    for name, build in (("scripts.bin", scripts), ("properties.bin", properties)):
        path = os.path.join(HERE, name)
        with open(path + ".new", "wb") as f:
            f.write(build())
        os.replace(path + ".new", path)


if __name__ == "__main__":
    main()
