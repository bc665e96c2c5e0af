"""Strings that tokenizers get wrong: every category of them, drawn from a seed."""
import os
import random
import sys
import sysconfig

SPACES = [chr(c) for c in (9, 10, 11, 12, 13, 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F,
                           0x3000, 0x200B, 0xFEFF, 0x180E, 0x2581)]
MARKS = [chr(c) for c in (*range(0x300, 0x370), 0x483, 0x591, 0x5B0, 0x64B, 0x670, 0x93C, 0x94D, 0x9BE, 0xE31, 0xF71, 0x1039,
                          0x1AB0, 0x1DC0, 0x20D0, 0x20DD, 0x302A, 0x3099, 0x309A, 0xFE20, 0x1D165, 0x1D16D, 0xFE0F, 0x200D, 0x200C)]
SCRIPT_RANGES = [
    (0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x24F), (0x250, 0x2AF), (0x370, 0x3FF), (0x400, 0x52F), (0x531, 0x587), (0x5D0, 0x5EA),
    (0x600, 0x6FF), (0x710, 0x74A), (0x900, 0x97F), (0x980, 0x9FF), (0xB80, 0xBFF), (0xC00, 0xC7F), (0xD00, 0xD7F),
    (0xD80, 0xDFF), (0xE00, 0xE7F), (0xE80, 0xEFF), (0xF00, 0xFFF), (0x1000, 0x109F), (0x10A0, 0x10FF), (0x1100, 0x11FF),
    (0x1200, 0x137F), (0x13A0, 0x13FF), (0x1780, 0x17FF), (0x1E00, 0x1EFF), (0x1F00, 0x1FFF), (0x2C00, 0x2C5F),
    (0x3040, 0x30FF), (0x3100, 0x318F), (0x3400, 0x3500), (0x4E00, 0x9FFF), (0xA000, 0xA0FF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF),
    (0xFB00, 0xFB4F), (0xFB50, 0xFDFF), (0xFF00, 0xFFEF), (0x10300, 0x103FF), (0x10400, 0x1044F), (0x12000, 0x12100),
    (0x16A0, 0x16FF), (0x1D400, 0x1D7FF), (0x1E900, 0x1E95F), (0x20000, 0x20100), (0x2B820, 0x2B91F), (0x2F800, 0x2FA1D),
    (0x30000, 0x30050)]
EMOJI = ["😀", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "🇺🇸🇫🇷", "❤️", "☎️", "©️", "🤷🏾‍♀️", "1️⃣", "🫠", "🧑‍🚀", "👨🏻‍❤️‍💋‍👨🏿", "⌚", "🀄"]
WORDS = """the of and to in is that for it was on are as with his they I at be this have from or one had by hot word but what some
we can out other were all there when up use your how said an each she which do their time if will way about many then them write
would like so these her long make thing see him two has look more day could go come did number sound no most people my over know
water than call first who may down side been now find any new work part take get place made live where after back little only
naïve café résumé coöperate Zürich Ångström façade jalapeño Straße İstanbul DŽungla ﬁne ﬂow ǅ ΑΣΟΣ Σίσυφος Привет мир Ελληνικά
שלום مرحبا नमस्ते ภาษาไทย 안녕하세요 こんにちは 世界 中文分词 日本語 ქართული հայերեն ትግርኛ བོད་ཡིག ខ្មែរ မြန်မာ සිංහල తెలుగు தமிழ்""".split()
CONTRACTIONS = ["don't", "I'll", "we've", "they're", "it's", "I'm", "he'd", "DON'T", "I'LL", "IT'S", "'ſ", "'S", "’s", "o'clock", "'twas",
                "rock'n'roll", "''", "'", "'re're", "x'ſy", "'K", "'LL've", "'d'm"]
NUMBERS = ["0", "12", "123", "1234", "12345678901234567890", "3.14159", "1e-9", "0xDEADBEEF", "1,234,567.89", "١٢٣", "²³", "½", "Ⅷ", "①②③", "１２３",
           "૧૨", "𝟙𝟚𝟛", "一二三", "10km", "v1.2.3", "+1-800-555", "2024-02-29T12:34:56Z", "٣.٤", "1st", "5'11\"", "〇", "𐄇", "௧௨"]
CODE = ["def f(x):\n    return x**2  # square\n", "for (int i = 0; i < n; ++i) {\n\tsum += a[i];\n}\n", "SELECT * FROM t WHERE a='b' AND c<>1;",
        "<div class=\"x\">&nbsp;</div>", "{\"key\": [1, 2.5, null, true]}", "https://example.org/a?b=c&d=%20#frag", "user@example.org",
        "C:\\path\\to\\file.txt", "$HOME/.config/*", "std::vector<std::pair<int,int>> v;", "a&&b||!c", "/* comment */ // x", "```go\nfmt.Println()\n```",
        "camelCaseIdentifier snake_case_name SCREAMING_CASE kebab-case XMLHttpRequest", "if err != nil {\r\n\treturn err\r\n}", "\\u0041\\n\\t", "###\n\n\n---",
        "λ x → x + 1", "x = y //= z", "a.b.c().d[0]->e", "# -*- coding: utf-8 -*-", "<?php echo $x; ?>", "∀x∈ℝ: ∃y", "$$\\frac{a}{b}$$"]
CONTROLS = [chr(c) for c in (*range(0, 32), 0x7F, *range(0x80, 0xA0), 0xAD, 0x61C, 0x200E, 0x200F, 0x202A, 0x202E, 0x2060, 0x2066, 0xFFF9,
                             0xFFFC, 0xFFFD, 0xFFFE, 0xFFFF, 0xE000, 0xF8FF, 0xE0001, 0xE0041, 0xE01EF, 0xF0000, 0x10FFFD, 0x10FFFF)]
LOOKALIKES = ["<s>", "</s>", "<unk>", "<pad>", "[CLS]", "[SEP]", "[MASK]", "[UNK]", "[PAD]", "<|endoftext|>", "<|im_start|>", "<|im_end|>",
              "<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>", "<mask>", "▁", "▁▁", "Ġ", "Ċ",
              "##ing", "<0x0A>", "<0xFF>", "<｜begin▁of▁sentence｜>", "<｜User｜>", "<|endofprompt|>", "<|return|>", "<META>", "<EOT>", "<extra_id_0>", "[cls]", "<S>",
              "< s>", "<s", "s>", "<|im_start", "|im_end|>", "<image_soft_token>", "<unused0>", "[INST]", "\n\n", "\n\n\n", "\t\t", "  ", "   ", "<|", "|>",
              "<think>", "</think>", "<tool_call>", "<｜tool▁sep｜>", "<|message|>", "<|channel|>", "<filename>", "<jupyter_code>"]
INTERESTING = [0x130, 0x131, 0x17F, 0x212A, 0x1E9E, 0xDF, 0x3A3, 0x3C2, 0x1C4, 0x1F88, 0xFB03, 0x2126, 0x32FF, 0x33FF, 0x3300, 0xFDFA, 0x1F12F, 0x2FA1D,
               0x340, 0x344, 0x958, 0x2ADC, 0x1D15E, 0xAC00, 0xAC01, 0x1100, 0x1161, 0x11A8, 0x11A7, 0x11C3, 0xD7A3, 0x2B820, 0x2B81F, 0x2CEAF, 0x9FA5,
               0x9FA6, 0x3097, 0x30FB, 0x30FC, 0x30FF, 0x303F, 0x2122, 0xBD, 0xA8, 0xB4, 0x37A, 0x1FEF, 0x2000, 0x3131, 0xFF9E, 0xFFA0, 0x1F1E6, 0x1F3FB,
               0x915, 0x94D, 0x937, 0x1039A, 0x110BD, 0x600, 0x6DD, 0x8E2, 0x1193F, 0xD4E, 0xD800 - 1, 0xE000, 0x11366, 0x16FF0, 0x1E94B, 0x0F0C, 0x2011]


def natural(limit=400):
    """Prose and code that lie about on any machine with Python: sentences and source of its own library."""
    pieces = []
    base = sysconfig.get_paths()["stdlib"]
    for name in ("this.py", "argparse.py", "textwrap.py", "unicodedata.py", "difflib.py", "LICENSE.txt", "pydoc_data/topics.py", "random.py",
                 "statistics.py", "encodings/cp1251.py", "turtle.py"):
        path = os.path.join(base, name)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                pieces.append(f.read())
    return pieces


class Texts:
    def __init__(self, seed, added=()):
        self.random = random.Random(seed)
        self.added = [a for a in added if a] or ["<s>"]
        self.natural = natural()
        self.kinds = [self.script, self.words, self.emoji, self.marks, self.controls, self.spaces, self.numbers, self.contractions,
                      self.code, self.runs, self.specials, self.any_code_point, self.assigned, self.prose, self.interesting, self.mixture,
                      self.mixture, self.short, self.ascii_noise]

    def one(self, depth=0):
        return self.random.choice(self.kinds)()

    def pick(self, items, low=1, high=8, glue=("", " ")):
        r = self.random
        g = r.choice(glue)
        return g.join(r.choice(items) for _ in range(r.randint(low, high)))

    def char_of(self, span):
        return chr(self.random.randint(*span))

    def script(self):
        r = self.random
        spans = r.sample(SCRIPT_RANGES, r.choice((1, 1, 2, 3)))
        return "".join(self.char_of(r.choice(spans)) if r.random() < 0.85 else r.choice(" .,'-") for _ in range(r.randint(1, 40)))

    def words(self):
        text = self.pick(WORDS, 1, 14, (" ", " ", ", ", "-", "", "  "))
        return self.random.choice((str, str.upper, str.title, str.swapcase))(text)

    def emoji(self):
        return self.pick(EMOJI + WORDS[:5], 1, 8)

    def marks(self):
        r = self.random
        out = ""
        for _ in range(r.randint(1, 6)):
            out += self.char_of(r.choice(SCRIPT_RANGES)) if r.random() < 0.5 else r.choice("aeiouncAEIOU가각")
            out += "".join(r.choice(MARKS) for _ in range(r.choice((0, 1, 1, 2, 3, r.randint(4, 40)))))
        return out

    def controls(self):
        return self.pick(CONTROLS + ["a", "b ", "é", "1"], 1, 10, ("", "x", " "))

    def spaces(self):
        r = self.random
        return "".join(r.choice((r.choice(SPACES) * r.choice((1, 1, 2, 5)), r.choice(WORDS), " ", "\n", r.choice("!.;a1"))) for _ in range(r.randint(1, 12)))

    def numbers(self):
        return self.pick(NUMBERS + [str(self.random.randint(0, 10**self.random.randint(1, 20)))], 1, 8, ("", " ", ",", "."))

    def contractions(self):
        return self.pick(CONTRACTIONS + WORDS, 1, 8, ("", " "))

    def code(self):
        return self.pick(CODE, 1, 4, ("", "\n", " "))

    def runs(self):
        r = self.random
        unit = r.choice([r.choice(WORDS), chr(r.randint(33, 126)), r.choice(SPACES), r.choice(EMOJI), self.char_of(r.choice(SCRIPT_RANGES)), "=", "-", "a", "ab"])
        return r.choice(("", "x", " ")) + unit * r.choice((3, 10, 50, r.randint(2, 200))) + r.choice(("", "y", " ", "\n"))

    def specials(self):
        r = self.random
        parts = [r.choice((r.choice(self.added), r.choice(LOOKALIKES), r.choice(WORDS), r.choice((" ", "  ", "\n", "")), r.choice(self.added)[:-1]))
                 for _ in range(r.randint(1, 8))]
        return r.choice(("", " ")).join(parts)

    def any_code_point(self):
        r = self.random
        return "".join(self.code_point() for _ in range(r.randint(1, 20)))

    def code_point(self):
        while True:
            c = self.random.randint(0, 0x10FFFF)
            if not 0xD800 <= c <= 0xDFFF:
                return chr(c)

    def assigned(self):
        r = self.random
        return "".join(chr(r.choice((r.randint(0, 0x7FF), r.randint(0x800, 0xD7FF), r.randint(0xE000, 0xFFFF), r.randint(0x10000, 0x1FFFF),
                                     r.randint(0x20, 0x17F)))) for _ in range(r.randint(1, 30)))

    def prose(self):
        r = self.random
        text = r.choice(self.natural)
        at = r.randrange(len(text))
        return text[at:at + r.randint(5, 500)]

    def interesting(self):
        r = self.random
        return "".join(chr(r.choice(INTERESTING)) if r.random() < 0.6 else r.choice(("a", " ", "\u0301", "'", "e", "1", "क", "\u200d")) for _ in range(r.randint(1, 12)))

    def short(self):
        r = self.random
        return "".join(r.choice((" ", "a", "'", "\n", "1", "é", "字", "!", self.code_point(), r.choice(SPACES))) for _ in range(r.randint(0, 4)))

    def ascii_noise(self):
        r = self.random
        return "".join(chr(r.choice((r.randint(32, 126), r.randint(0, 127)))) for _ in range(r.randint(1, 60)))

    def mixture(self):
        r = self.random
        return r.choice(("", " ", "\n")).join(r.choice(self.kinds[:15])() for _ in range(r.randint(2, 4)))


FIXED = ["", " ", "\n", "\0", "a\0b", "\ufffd", "Hello, world!", "  leading", "trailing  ", "\r\n", "▁", " ▁ ", "a" * 300, "é" * 50, "字" * 50]


def generate(seed, count, added=()):
    texts = Texts(seed, added)
    yield from FIXED[:count]
    for _ in range(count - len(FIXED)):
        yield texts.one()


if __name__ == "__main__":
    for text in generate(int(sys.argv[1]), int(sys.argv[2])):
        print(repr(text))
