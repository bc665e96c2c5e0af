"""Templates about exact text: numbers in every format, powers, rounding, parsing, wrapping, pretty printing, links, entities, case."""
import random

WORDS = ["alpha", "be-ta", "gamma-delta", "x", "--", "a--b", "well-known", "self-", "-lead", "state-of-the-art", "1-2", "foo_bar-baz", "e.g.", "(paren)", "longlonglonglongword",
         "it's-ok", "été-x", "a-b-c", "'q'-r", "100-mile", "?--!"]
LINKS = ["http://a.com", "www.x.org,", "(https://e.com/a_(b))", "<b@c.de>", "mailto:x@y.zz", "foo@bar", "ftp://z", "a.com", "sub.a.co.uk.", "x.y", "http://1.2.3.4:80/p?q#r",
         "http://[::1]", "HTTPS://EX.COM", "&lt;www.a.net&gt;", "(((www.b.com)))", "www.xn--abc.de", "a@b.c."]
MARKUP = ["<b>", "</b>", "<!-- c -->", "<!--", "-->", "<", "> ", "a", "&amp;", "&lt;", "&#39;", "&eacute;", "&eacute", "&notit;", "&#x41;", "&#128;", "&#0;", "  ", "\\n", "&hellip;",
          "&nbsp;", "&", "&;", "&#xD800;", "&copy"]
LETTERS = ["a", "B", "ß", "Σ", "σ", "ς", "İ", "ı", "ǆ", "ǅ", "ﬁ", " ", "-", "'", "1", "²", "٣", "é", "ŉ", "ᾳ", "ͅ", "Ⅷ", "ⓐ", "한", "ª", "\\u0301", "\\u200b", "\\x1c", "_", "."]
PARSED = ["0x1f", "0b11", " 12 ", "1_0", "1__0", "_1", "-0o7", "٣٤", "１２", "1e5", "1.5e-3", "inf", "-Infinity", "nAn", "1_0.5", "1._5", ".5", "5.", "+7", "0x", "00", "010", "1e400", "1 2", "²",
          "--1", "1e", "e5", "0_7"]
NUMBERS = ["0.5", "1.5", "2.5", "1e15", "1e16", "123456789.125", "0.1", "-0.0", "1e-5", "9.995", "0.0001", "99999.5", "1e300", "5e-324", "2.675"]
METHODS = ["upper", "lower", "title", "capitalize", "swapcase", "casefold", "isupper", "islower", "istitle", "isalpha", "isalnum", "isdigit", "isdecimal", "isnumeric", "isidentifier", "isspace",
           "isprintable", "split", "splitlines", "strip"]


class Exact:
    def __init__(self, r: random.Random):
        self.r, self.pick = r, r.choice

    def number(self):
        k = self.r.random()
        if k < 0.2:
            return str(self.r.randint(-1000, 1000))
        if k < 0.3:
            return str(self.r.randint(-10 ** 25, 10 ** 25))
        if k < 0.6:
            return repr(self.r.uniform(-1000, 1000))
        if k < 0.8:
            return repr(self.r.uniform(-1, 1) * 10 ** self.r.randint(-20, 25))
        return self.pick(NUMBERS)

    def case(self):
        return self.pick([self.format, self.percent, self.round, self.power, self.arithmetic, self.wrap, self.pretty, self.parse, self.links, self.markup, self.casing, self.other])()

    def format(self):
        parts = (["", "<", ">", "^", "=", "*^", "0<", "é>"], ["", "+", "-", " "], ["", "", "z"], ["", "", "#"], ["", "", "0"], ["", "5", "12", "20"], ["", "", ",", "_"],
                 ["", "", ".0", ".1", ".3", ".10"], ["", "", "d", "f", "e", "g", "G", "E", "F", "%", "n", "x", "b", "o", "X", "c", "s"])
        return "{{ '{:" + "".join(self.pick(p) for p in parts) + "}'.format(" + self.number() + ") }}"

    def percent(self):
        flags = "".join(self.pick(["", "#", "0", "-", " ", "+"]) for _ in range(2))
        return "{{ '%" + flags + self.pick(["", "8", "15"]) + self.pick(["", ".0", ".2", ".5"]) + self.pick("diuoxXeEfFgGsra") + "' % (" + self.number() + ",) }}"

    def round(self):
        return "{{ (%s)|round(%s) }} {{ (%s)|round(%s, 'ceil') }}" % (self.number(), self.pick(["0", "1", "2", "3", "-1", "-2", "5", "10", "none"]), self.number(), self.pick("012"))

    def power(self):
        return "{{ (%s) ** (%s) }}" % (self.pick(["2", "3.5", "0.1", "10", "1.0001", repr(self.r.uniform(0.001, 50))]), self.pick(["2", "0.5", "-3", "1.7", repr(self.r.uniform(-20, 20)), "100", "1e-3"]))

    def arithmetic(self):
        return "{{ (%s) %s (%s) }}" % (self.number(), self.pick(["+", "-", "*", "/", "//", "%", "<", "==", ">="]), self.number())

    def wrap(self):
        text = " ".join(self.pick(WORDS) for _ in range(self.r.randint(1, 12)))
        return '{{ "%s"|wordwrap(%d%s) }}' % (text, self.r.randint(1, 25), self.pick(["", ", false", ", break_on_hyphens=false"]))

    def pretty(self):
        words = lambda n: [self.pick(WORDS) for _ in range(n)]
        value = self.pick([lambda: [w * self.r.randint(1, 4) for w in words(self.r.randint(1, 12))], lambda: " ".join(words(40)), lambda: [{"b": words(9), "a": " ".join(WORDS)}],
                           lambda: {self.pick(WORDS): self.pick([1, None, self.pick(WORDS) * 5, words(2) * self.r.randint(1, 9)]) for _ in range(self.r.randint(1, 8))}])()
        return "{{ %r|pprint }}" % (value,)

    def parse(self):
        return "{{ '%s'|%s }}" % (self.pick(PARSED), self.pick(["int", "float", "int(0, 16)", "int(9, 0)", "int(0, 2)", "int(-1, 8)", "int(0, 36)"]))

    def links(self):
        return "{{ '%s'|urlize%s }}" % (" ".join(self.pick(LINKS) for _ in range(3)), self.pick(["", "(8)", "(none, true)"]))

    def markup(self):
        return "{{ '%s'|%s }}" % ("".join(self.pick(MARKUP) for _ in range(7)), self.pick(["striptags", "striptags", "e", "e|striptags"]))

    def casing(self):
        return '{{ "%s".%s() }}' % ("".join(self.pick(LETTERS) for _ in range(self.r.randint(1, 7))), self.pick(METHODS))

    def other(self):
        n = self.number
        return "{{ " + self.pick([f"[{n()}, {n()}, {n()}]|sort", f"[{n()}, {n()}]|max", f"({n()})|int", f"({n()})|filesizeformat(true)", f"({n()})|string|length", f"{n()}|tojson", f"({n()}).hex()",
                                  f"({n()}).as_integer_ratio()", f"({n()})|abs"]) + " }}"
