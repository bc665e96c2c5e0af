#!/usr/bin/env python3
"""Makes random templates and what jinja2 renders of them, or the class of its error, for TestEveryExpressionAsInJinja2.

    python tokenize/chat/testdata/differential.py [--seed N] [--count N] [--out FILE]     (needs jinja2==3.1.6)

The seed that is committed makes differential.jsonl.gz; `make conformance` takes new ones.
"""
import argparse
import gzip
import json
import os
import random
import re
import signal
import warnings

import jinja2
import jinja2.filters
import jinja2.tests
from environment import environment
from exact import Exact

HERE = os.path.dirname(os.path.abspath(__file__))
CONTEXTS = [
    {"s": "hello world", "t": "ﬁne – Straße ΑΣ ²½ é😀", "e": "", "n": None, "i": 7, "z": 0, "big": 123456789012345678901234567890, "f": 2.5, "g": -0.125,
     "b": True, "l": [3, 1, 2], "w": ["b", "A", "c", "a"], "m": [1, "a", None, 2.0], "d": {"b": 1, "a": [1, 2], "items": "x"}, "x": {},
     "u": [{"role": "user", "content": " hi ", "n": 2}, {"role": "assistant", "content": None, "n": 1}, {"role": "user", "n": 2}],
     "h": "<a href='x'>&amp; \"q\"</a> <!-- c -->", "k": [[1, 2], [3, 4]], "v": "a,b,,c", "p": "line one\nline two\r\n\n\tthree"},
    {"s": "  Padded\t", "t": "İstanbul ǆ ŉ ﬃ ͅΣ", "e": " ", "n": None, "i": -3, "z": 1, "big": -(10 ** 20), "f": 1e16, "g": 0.1, "b": False, "l": [1.5, 2, True],
     "w": ["x", "X", "x", "é"], "m": [], "d": {"a": {"b": {"c": [0, "deep"]}}, "k": None}, "x": {"1": 2}, "u": [{"role": "system", "content": "S", "n": 0.5}],
     "h": "plain", "k": [], "v": "1;2;3", "p": "https://example.com/x?y=1 (www.a.org). me@b.co\nnot.a.link"},
]
TEXTS = ["", "a", "ab", "Hello", "x y  z", "%s", "%d%%", "{}", "{0}", "-7", "3.5", "0x1f", "1_000", "a-b_c", "<b>&", "it's", "q\"", "é", "ß", "Σ", "²", "٣", "\\n", "\\t|",
         "a,b;c", "ABC abc", "foo.bar", "user", "role", "content", "10", " 12 ", "inf", "nan", "1e3", "0b11", "z{{", "😀", "hello-big world-wide web", "&lt;x&gt; &eacute; &#233;"]
NUMBERS = ["0", "1", "2", "3", "-1", "7", "10", "100", "0x1f", "0b101", "0o17", "1_000", "2.5", "0.1", "1e3", "1.5e-7", "3.0", "-0.0", "123456789012345678901", "1e22", "0.5", "1.005"]
NAMES = ["s", "t", "e", "n", "i", "z", "big", "f", "g", "b", "l", "w", "m", "d", "x", "u", "h", "k", "v", "p", "missing"]
FILTERS = sorted(set(jinja2.filters.FILTERS) - {"random", "map", "select", "reject", "selectattr", "rejectattr", "sort", "dictsort"})
KEYS = ["'a'", "'b'", "1", "true", "none", "1.0", "s", "i", "l", "(1, 2)", "missing", "h|e", "big", "f"]
PLAIN = ["upper", "lower", "title", "capitalize", "trim", "length", "list", "first", "last", "string", "int", "float", "abs", "reverse", "sort", "join", "e", "safe",
         "tojson", "unique|list", "sum", "min", "max", "round", "default('d')", "count", "items|list", "striptags", "wordcount", "urlencode", "pprint", "dictsort",
         "forceescape", "filesizeformat", "batch(2)|list", "slice(2)|list", "indent", "center(9)", "xmlattr", "escape", "urlize"]
TESTS = sorted(jinja2.tests.TESTS)
METHODS = {
    "upper": "", "lower": "", "title": "", "capitalize": "", "swapcase": "", "casefold": "", "strip": "?s", "lstrip": "?s", "rstrip": "?s", "split": "?S?i", "rsplit": "?S?i",
    "splitlines": "?b", "replace": "ss?i", "find": "s?i?i", "rfind": "s?i?i", "index": "s?i", "rindex": "s", "count": "s?i?i", "startswith": "s?i?i", "endswith": "s?i",
    "join": "l", "center": "i?s", "ljust": "i?s", "rjust": "i?s", "zfill": "i", "expandtabs": "?i", "partition": "s", "rpartition": "s", "removeprefix": "s",
    "removesuffix": "s", "isdigit": "", "isdecimal": "", "isnumeric": "", "isalpha": "", "isalnum": "", "isspace": "", "isupper": "", "islower": "", "istitle": "",
    "isidentifier": "", "isprintable": "", "isascii": "", "format": "?a?a", "format_map": "d", "translate": "d", "maketrans": "ss", "striptags": "", "unescape": ""}
OTHERS = {"get": "s?a", "keys": "", "values": "", "items": "", "copy": "", "count": "a", "index": "a", "append": "a", "pop": "", "bit_length": "", "hex": "",
          "as_integer_ratio": "", "conjugate": "", "fromkeys": "l?a", "update": "d", "isdisjoint": "l", "clear": "", "sort": ""}
ATTRIBUTES = ["role", "content", "a", "b", "real", "imag", "numerator", "start", "stop", "__class__", "_x", "items", "0", "a.b", "n"]
FORMATS = ["{}", "{:>8}", "{:<8}|", "{:^9}", "{:*^9}", "{:08.3f}", "{:,}", "{:_}", "{:+d}", "{:x}", "{:#x}", "{:#o}", "{:b}", "{:e}", "{:.2E}", "{:g}", "{:.3g}", "{:%}", "{:.1%}",
           "{:5}", "{:05}", "{:=+7}", "{!r}", "{!s:>6}", "{!a}", "{:c}", "{:n}", "{:.2}", "{:#.3g}", "{: d}", "{:010,}", "{:010,.2f}", "{0[0]}", "{0.real}", "{0.role}",
           "{0[role]}", "{:{}}", "{0}{0}", "{1}{0}", "{a}", "{{}}", "{:z.1f}", "{:X}", "{:#b}", "{:,.3f}", "{:s}", "{:d}", "{:f}", "{:G}", "{", "}", "{:Q}", "{:^+#012x}", "{:_b}", "{:é>5}"]
PERCENTS = ["%s", "%r", "%d", "%5d", "%-5d|", "%05d", "%+d", "% d", "%x", "%#x", "%X", "%o", "%#o", "%e", "%.2e", "%f", "%.1f", "%08.2f", "%g", "%.3g", "%#.3g", "%G", "%c", "%a", "%%", "%s %s",
            "%(a)s", "%(b)d", "%.2s", "%10s|", "%-10s|", "%*d", "%.*f", "%i", "%u", "%q", "%", "%5%", "%ld", "%+.1e", "%.0f"]
STRFTIME = ["%Y-%m-%d", "%-d %B %Y", "%H:%M:%S", "%I %p", "%j %U %W %V %G", "%a %A %b", "%c|%x|%X", "%e|%k|%l", "%^a %#p", "%_m|%-m|%05d", "%D %F %T %R %r", "%y %C %u %w", "%%|%n|%t", "%f", "%Z%z|"]
SPACES = ["{%- {} %}", "{% {} -%}", "{% {} %}", "{%+ {} %}", "{%- {} -%}", "{% {} +%}"]
SETS = re.compile(r"(items|keys)\(\)\)? - ")  # views make sets, which textmill refuses
REFUSED = (" at 0x", "<class ", "<function", "<bound method", "<built-in", "<generator", "<method")


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def pick(self, options):
        return self.r.choice(options)

    def chance(self, p):
        return self.r.random() < p

    def text(self):
        s = self.pick(TEXTS)
        return '"' + s.replace('"', '\\"') + '"' if self.chance(0.3) else "'" + s.replace("'", "\\'") + "'"

    def of(self, kind, depth):
        if kind == "s":
            return self.text() if self.chance(0.8) else self.any(depth)
        if kind == "S":
            return self.pick(["none", "','", "' '", "'a'", "'-'", "sep=' '", "''"])
        if kind == "i":
            return self.pick(["0", "1", "2", "5", "-1", "12", "none", "i"])
        if kind == "b":
            return self.pick(["true", "false", "1"])
        if kind == "l":
            return self.pick(["w", "l", "['a', 'b']", "('x',)", "'ab'", "d", "m", "range(3)", "w|map('upper')"])
        if kind == "d":
            return self.pick(["d", "x", "{'a': 1}", "{97: 'b', 98: none}", "dict(a=2)", "{'b': 'y'}"])
        return self.any(depth)

    def arguments(self, spec, depth):
        out, i = [], 0
        while i < len(spec):
            optional = spec[i] == "?"
            i += optional
            if optional and self.chance(0.55):
                break
            out.append(self.of(spec[i], depth))
            i += 1
        return "(" + ", ".join(out) + ")"

    def atom(self):
        n = self.r.random()
        if n < 0.42:
            return self.pick(NAMES)
        if n < 0.62:
            return self.text()
        if n < 0.8:
            return self.pick(NUMBERS)
        return self.pick(["true", "false", "none", "[]", "{}", "()", "(1,)", "[1, 2, 3]", "['b', 'a']", "{'a': 1, 2: 'b', none: [true]}", "range(4)", "(1, 'two', 3.0)", "{1: 2, true: 3, 1.0: 4}",
                          "[[1, 'a'], ['b']]", "['it\\'s', \"q\\\"\", 'é\\x00\\u200b']", "s|e", "h|safe", "h|e", "dict(a=1, b=2)", "w|map('upper')", "d.items()", "joiner('|')", "namespace(a=1)",
                          "range(10, 0, -3)", "cycler('x', 'y')", "[none, true, 1.5]", "'%s' % s"])

    def any(self, depth):
        return self.atom() if depth <= 0 else self.node(depth)

    def node(self, depth):
        kinds = [(2, None), (3, self.binary), (5, self.filtered), (4, self.method), (2, self.item), (2, self.tested), (2, self.compared), (1, self.conditional), (1, self.container),
                 (2, self.formatted), (2, self.sliced), (2, self.mapped), (1, self.unary), (1, self.called), (1, self.concatenated), (1, self.logic)]
        f = self.r.choices([k for _, k in kinds], [w for w, _ in kinds])[0]
        return self.atom() if f is None else f(depth - 1)

    def group(self, depth):
        e = self.any(depth)
        return e if e.isidentifier() or self.chance(0.1) else f"({e})"

    def binary(self, depth):
        if self.chance(0.1):  # no power that is complex: textmill refuses those
            return f"{self.group(depth)} ** {self.pick(['0', '1', '2', '3', '-1', '10', 'true', 'i', 's'])}"
        if self.chance(0.05):
            return f"{self.pick(['2', '0.5', '10', 'f', '3.7', '1e-3', '0.0'])} ** {self.pick(['0.5', '2.5', 'g', '-0.5', '1e3', '1.1', '-3.3'])}"
        return f"{self.group(depth)} {self.pick(['+', '-', '*', '/', '//', '%', '+', '*', '~'])} {self.group(min(depth, 1))}"

    def concatenated(self, depth):
        return " ~ ".join(self.group(depth) for _ in range(self.r.randint(2, 3)))

    def unary(self, depth):
        return self.pick(["-", "+", "not "]) + self.group(depth)

    def logic(self, depth):
        return f"{self.group(depth)} {self.pick(['and', 'or'])} {self.group(depth)}"

    def compared(self, depth):
        ops = ["==", "!=", "<", ">", "<=", ">=", "in", "not in"]
        e = f"{self.group(depth)} {self.pick(ops)} {self.group(depth)}"
        return e + f" {self.pick(ops)} {self.group(0)}" if self.chance(0.2) else e

    def conditional(self, depth):
        e = f"{self.group(depth)} if {self.group(depth)}"
        return e if self.chance(0.2) else f"{e} else {self.group(depth)}"

    def container(self, depth):
        items = [self.any(depth) for _ in range(self.r.randint(0, 3))]
        kind = self.r.randrange(3)
        if kind == 0:
            return "[" + ", ".join(items) + "]"
        if kind == 1:
            return "(" + "".join(i + ", " for i in items) + ")"
        return "{" + ", ".join(f"{self.pick(KEYS)}: {i}" for i in items) + "}"

    def item(self, depth):
        if self.chance(0.5):
            return f"{self.group(depth)}[{self.pick(['0', '-1', '1', '5', repr(self.pick(ATTRIBUTES)), 'i', 's', 'true', '1.0', 'none'])}]"
        name = self.pick(ATTRIBUTES)
        return f"{self.group(depth)}.{name}"

    def sliced(self, depth):
        part = lambda: self.pick(["", "", "1", "-1", "2", "-2", "0", "10", "none"])
        return f"{self.group(depth)}[{part()}:{part()}{self.pick(['', '', ':' + self.pick(['1', '2', '-1', '-2', '0', '3', '9'])])}]"

    def tested(self, depth):
        name = self.pick(TESTS)
        argument = ""
        if name in ("divisibleby", "sameas", "in", "eq", "equalto", "ne", "gt", "lt", "ge", "le", "greaterthan", "lessthan", "==", "!=", ">", "<", ">=", "<="):
            if not name.isidentifier():
                name = "eq"
            argument = f"({self.any(min(depth, 1)) if name != 'sameas' else self.pick(['none', 'true', 'false', '[]', 'x'])})" if name == "sameas" or self.chance(0.7) else " " + self.pick(["1", "2", "'a'", "l", "[1]", "none"])
        elif not name.isidentifier():
            name = "defined"
        return f"{self.group(depth)} is {self.pick(['', 'not '])}{name}{argument}"

    def filtered(self, depth):
        of = self.group(depth)
        for _ in range(self.r.choice([1, 1, 1, 2])):
            of += "|" + (self.pick(PLAIN) if self.chance(0.55) else self.special())
        return of

    def special(self):
        p = self.pick
        return p([
            lambda: f"replace({self.text()}, {self.text()}{p(['', ', 1', ', count=2'])})", lambda: f"join({self.text()}{p(['', ', attribute=' + repr(p(ATTRIBUTES))])})",
            lambda: f"default({self.atom()}{p(['', ', true', ', boolean=false'])})", lambda: f"int({p(['7', 'default=none', '0, 16', '0, 0', '1, 2', 'base=8', '-1, 36'])})",
            lambda: "float(" + p(['1.5', 'none', 'default=s']) + ")", lambda: "round(" + p(['1', '2', '-1', '0, \"ceil\"', '1, \"floor\"', 'none', '3', 'method=\"ceil\"', '-2']) + ")",
            lambda: "truncate(" + p(['5', '5, true', '4, false, \"…\"', '3, true, \"\", 0', '9, leeway=0', 'length=8, end=\"<\"']) + ")", lambda: "batch(" + p(['2', '3', '2, \"x\"', '1', '0', '3, none']) + ")|list",
            lambda: "slice(" + p(['2', '3', '2, \"-\"', '1', '5']) + ")|list", lambda: "sort(" + p(['reverse=true', 'true', 'case_sensitive=true', 'attribute=\"n\"', 'attribute=\"role,n\"', 'false, true']) + ")",
            lambda: "unique(" + p(['true', 'attribute=\"role\"', 'case_sensitive=true']) + ")|list", lambda: p(['min', 'max']) + "(" + p(['true', 'attribute=\"n\"', 'case_sensitive=true']) + ")",
            lambda: "groupby(" + p(['\"role\"', '\"n\"', '\"role\", default=\"z\"', '0', '\"content\", case_sensitive=true']) + ")", lambda: "sum(" + p(['\"n\"', 'attribute=0', 'start=1', 'start=[]', 'start=0.5']) + ")",
            lambda: "dictsort(" + p(['true', 'by=\"value\"', 'reverse=true', 'false, \"value\"', 'by=\"x\"']) + ")",
            lambda: "indent(" + p(['2', '2, true', '4, blank=true', '\"> \"', 'width=1, first=true, blank=true', 'first=true']) + ")", lambda: "wordwrap(" + p(['5', '8, false', '10, wrapstring=\"|\"', '6, break_on_hyphens=false', '3', '20']) + ")",
            lambda: "center(" + p(['0', '5', '12', '13']) + ")", lambda: "trim(" + p(['\"a\"', '\"h \"', 'chars=\" \"', 'none']) + ")", lambda: "format(" + self.arguments('?a?a', 0)[1:-1] + ")",
            lambda: "tojson(" + p(['indent=2', 'sort_keys=true', 'ensure_ascii=true', 'separators=(\",\", \":\")', 'indent=0', 'indent=\"\\t\"', 'true', 'indent=1, sort_keys=true']) + ")",
            lambda: "attr(" + p(['\"real\"', '\"role\"', '\"upper\"', '\"x\"', '\"start\"']) + ")", lambda: "filesizeformat(" + p(['true', 'binary=true', 'false']) + ")",
            lambda: "urlize(" + p(['10', 'nofollow=true', 'target=\"_blank\"', '5, rel=\"x y\"', 'extra_schemes=[\"foo:\"]']) + ")", lambda: "xmlattr(" + p(['false', 'autospace=true']) + ")",
            lambda: f"{p(FILTERS)}", lambda: f"{p(FILTERS)}({self.atom()})", lambda: f"{p(FILTERS)}({self.atom()}, {self.atom()})"])()

    def mapped(self, depth):
        of = self.pick(["u", "u", "l", "w", "k", "m", "d", "n", "s", self.group(depth)])
        p = self.pick
        how = p([lambda: "map(" + p(['\"upper\"', '\"int\"', '\"string\"', '\"length\"', '\"first\"', 'attribute=\"role\"', 'attribute=\"n\"', 'attribute=\"a.b\"', 'attribute=0', 'attribute=\"content\", default=\"z\"', '\"default\", \"x\"', '\"replace\", \"a\", \"b\"', '\"round\", 1', '\"join\", \"-\"', '\"nofilter\"', '\"abs\"', '\"tojson\"', '\"attr\", \"real\"']) + ")",
                 lambda: p(['select', 'reject']) + "(" + p(['', '\"odd\"', '\"string\"', '\"gt\", 1', '\"none\"', '\"in\", [1, \"a\"]', '\"defined\"', '\"equalto\", 2', '\"number\"', '\"notest\"', '\"mapping\"']) + ")",
                 lambda: p(['selectattr', 'rejectattr']) + "(" + p(['\"role\"', '\"role\", \"equalto\", \"user\"', '\"content\", \"none\"', '\"content\", \"defined\"', '\"n\", \"gt\", 1', '0', '\"x.y\"', '\"n\", \"in\", [1]']) + ")"])()
        return f"{of}|{how}" + p(["|list", "|list", "|join(',')", "|first", "|list|length", "|sum", "|tojson", "|sort", "|map('string')|join"])

    def method(self, depth):
        if self.chance(0.75):
            name = self.pick(sorted(METHODS))
            of = self.pick(["s", "t", "h", "v", "p", "e", self.text(), self.text(), "s|e", "h|safe", self.group(depth)])
            return f"{of}.{name}{self.arguments(METHODS[name], min(depth, 1))}"
        name = self.pick(sorted(OTHERS))
        return f"{self.pick(['d', 'x', 'l', 'w', 'i', 'f', 'big', '(1, 2)', 'range(5)', 'd.keys()', self.group(depth)])}.{name}{self.arguments(OTHERS[name], 0)}"

    def formatted(self, depth):
        if self.chance(0.5):
            f = "".join(self.pick(FORMATS) for _ in range(self.r.choice([1, 1, 2])))
            quoted = "'" + f + "'"
            if self.chance(0.12):
                quoted = f"({quoted}|safe)"
            arguments = [self.pick(["i", "f", "g", "s", "big", "true", "none", "l", "d", "u[0]", "h", "h|e", "3", "-1234567.891", "1e30", "65", "missing", self.any(0)]) for _ in range(self.r.randint(1, 3))]
            if self.chance(0.3):
                arguments.append("a=" + self.atom())
            return f"{quoted}.format({', '.join(arguments)})"
        f = "".join(self.pick(PERCENTS) for _ in range(self.r.choice([1, 1, 2])))
        quoted = "'" + f + "'"
        if self.chance(0.12):
            quoted = f"({quoted}|safe)"
        of = self.pick(["i", "s", "f", "big", "d", "(i, f)", "(s, i)", "('a',)", "(3, 2.5)", "{'a': 1, 'b': 2}", "l", "65", "-0.5", "h", "true", "missing", "(h|e, s)", self.group(min(depth, 1))])
        return f"{quoted} % {of}"

    def called(self, depth):
        p = self.pick
        return p([lambda: f"range({p(['5', '1, 6', '9, 0, -2', '2, 9, 3', '0', '-1', '1.5', '3, 3'])}){p(['', '|list', '[1]', '[::2]', '|sum', '|last'])}", lambda: f"dict({p(['a=1', 'd', '[(1, 2)]', 'd, z=1', '[[1]]'])})",
                  lambda: "namespace(" + p(['a=1', 'd', '_a=1']) + ")." + p(['a', 'b', '_a']), lambda: "cycler(" + p(['1, 2', '\"a\"', '']) + ")." + p(['next()', 'current', 'pos', 'reset()']), lambda: "joiner(" + p(['', '\"; \"']) + ")()",
                  lambda: "strftime_now(" + repr(p(STRFTIME)) + ")", lambda: "dict.fromkeys(" + p(['w', '\"ab\"', 'l, 0']) + ")", lambda: p(NAMES) + "(" + self.atom() + ")", lambda: "raise_exception(s)",
                  lambda: f"{p(['joiner', 'cycler', 'namespace', 'range', 'lipsum', 'messages', 'loop', 'self', 'caller', 'varargs'])} is defined"])()

    def output(self, depth):
        return "{{" + self.pick(["", "", "", "-"]) + " " + self.any(depth) + " " + self.pick(["", "", "", "-"]) + "}}"

    def tag(self, text):
        return self.pick(SPACES if self.chance(0.3) else SPACES[2:3]).replace("{}", text)

    def space(self):
        return self.pick(["", "", "", " ", "\n", "\n  ", "x", " y\n"])

    def body(self, depth, loop=False):
        out = self.space()
        for _ in range(self.r.randint(1, 2)):
            out += (self.statement(depth - 1, loop) if depth > 0 and self.chance(0.55) else self.output(1)) + self.space()
        return out

    def statement(self, depth, loop=False):
        p = self.pick
        kinds = [self.for_loop, self.for_loop, self.if_tag, self.if_tag, self.set_tag, self.set_tag, self.set_block, self.macro, self.call, self.with_tag, self.filter_block, self.namespaced, self.odd]
        if loop and self.chance(0.4):
            return p(["{{ loop.index }}", "{{ loop.first }}{{ loop.last }}", "{{ loop.revindex0 }}/{{ loop.length }}", "{{ loop.previtem }}|{{ loop.nextitem }}", "{{ loop.cycle('a', 'b') }}", "{{ loop.changed(q) }}",
                      "{% if loop.index == 2 %}{% break %}{% endif %}", "{% if q %}{% continue %}{% endif %}", "{% set outer = q %}{{ outer }}", "{{ loop.depth }}", "{{ loop }}", "{{ loop|length }}", "{{ j() }}{{ q }}",
                      "{% set ns.a = q %}", "{{ outer }}", "{% set c = loop.index0 %}"])
        return p(kinds)(depth)

    def for_loop(self, depth):
        target = self.pick(["q", "q", "q", "q, r", "(q, r)", "q, (r, c)"])
        over = self.pick(["l", "w", "u", "m", "s", "d", "d.items()", "range(3)", "k", "n", "missing", "x|dictsort", "u|groupby('role')", "[1, 2, 3, 4]", "(1,), (2,)", self.any(1)])
        test = f" if {self.any(1) if self.chance(0.3) else self.pick(['q', 'q is odd', 'q != 1', 'loop is defined', 'q is string', 'false'])}" if self.chance(0.3) else ""
        end = "{% else %}" + self.body(depth) if self.chance(0.3) else ""
        if self.chance(0.1):
            return self.tag(f"for q in [[1, [2, 3]], 4]{test} recursive") + "{{ loop(q) if q is iterable else q ~ '@' ~ loop.depth }}" + end + self.tag("endfor")
        return self.tag(f"for {target} in {over}{test}") + self.body(depth, True) + end + self.tag("endfor")

    def if_tag(self, depth):
        out = self.tag(f"if {self.any(1)}") + self.body(depth)
        if self.chance(0.3):
            out += self.tag(f"elif {self.any(1)}") + self.body(depth)
        if self.chance(0.4):
            out += self.tag("else") + self.body(depth)
        return out + self.tag("endif")

    def set_tag(self, depth):
        return self.tag(f"set {self.pick(['q', 'c', 's', 'outer', 'q, r', 'i'])} = {self.any(2)}") + self.pick(["", "{{ q }}", "{{ outer }}{{ c }}"])

    def set_block(self, depth):
        return self.tag("set " + self.pick(['q', 'c']) + self.pick(['', '', '|upper', '|trim|e', '|replace(\"a\", \"b\")'])) + self.body(depth) + self.tag("endset") + "[{{ q }}{{ c }}]"

    def macro(self, depth):
        signature = self.pick(["", "a", "a, b=2", "a='x', b=a", "q", "a, caller=none", "a=c, c=1"])
        body = self.body(depth) + self.pick(["{{ a }}{{ b }}", "{{ varargs }}", "{{ kwargs }}", "{{ caller() if caller else '-' }}", "{{ q }}{{ outer }}", "{{ f(a) if a is number and a > 3 and a < 6 else a }}", ""])
        call = self.pick(["f()", "f(1)", "f(1, 2)", "f(b=3)", "f(1, 2, 3)", "f(1, z=4)", "f(*[1, 2])", "f(**{'a': 5})", "f(5)", "f", "f.name ~ f.arguments", "f(q=7)|upper"])
        return self.tag(f"macro f({signature})") + body + self.tag("endmacro") + "{{ " + call + " }}"

    def call(self, depth):
        return ("{% macro g(a=1) %}<{{ caller" + self.pick(["()", "(a)", "(a, 2)", "(y=3)"]) + " }}>{% endmacro %}" + self.tag(f"call{self.pick(['', '(y)', '(y=1)', '(y, w=2)'])} g({self.pick(['', '1', 'a=s'])})")
                + self.body(depth) + "{{ y }}" + self.tag("endcall"))

    def with_tag(self, depth):
        return self.tag(f"with {self.pick(['q = 1', 'q = s, r = q', 'a = ' + self.any(1), 'q, r = (1, 2)'])}") + self.body(depth) + "{{ q }}{{ r }}" + self.tag("endwith")

    def filter_block(self, depth):
        return self.tag("filter " + self.pick(['upper', 'trim', 'replace(\"a\", \"b\")|title', 'e', 'indent(2)', 'length', 'wordcount|string', 'default(q)'])) + self.body(depth) + self.tag("endfilter")

    def namespaced(self, depth):
        return "{% set ns = namespace(a=" + self.atom() + ", c=0) %}{% for q in " + self.pick(["l", "w", "range(3)"]) + " %}{% set ns.a = " + self.pick(["q", "ns.a ~ q", "ns.a + 1", "[ns.a]", "loop.index"]) + " %}{% endfor %}{{ ns.a }}{{ ns }}"

    def soup(self):
        """Pieces of templates in any order, mostly tags that match, for the lexer and its white space."""
        pieces = ["{%- if 1 %}", "{% if 1 -%}", "{% if 1 %}", "{%+ if 0 +%}", "{% endif %}", "{%- endif -%}", "{% endif +%}", "{{ s }}", "{{- i -}}", "{{+1}}", "{#- c -#}", "{# c #}", "{#+ c +#}", "{% raw %}",
                  "{%- raw -%}", "{% endraw %}", "{%- endraw -%}", "{%+ endraw +%}", " ", "\n", "\n\n", "\t", "  ", "x", "y", "\r\n", "\r", "{", "}", "%", "#", "{{", "}}", "{%", "%}", "{#", "-", "\u00a0", "\x0b", "é"]
        weights = [3] * 18 + [4] * 9 + [1] * (len(pieces) - 27)
        return "".join(self.r.choices(pieces, weights, k=self.r.randint(2, 9)))

    def odd(self, depth):
        return self.pick([
            "{% raw %}{{ x }} {% if %}{% endraw %}", "{# comment {{ x }} #}", "{#- trimmed -#}", "{% generation %}{{ s }}{% endgeneration %}", "{% block a %}{{ s }}{{ q }}{% endblock %}{{ self.a() }}", "{% print s, i %}",
            "{% if missing %}{{ missing|nofilter }}{{ 1 is notest }}{% endif %}ok", "{{ s if true else s|nofilter }}", "{{ true or s|nofilter }}", "{{ s or s|nofilter }}", "{{ 1|nofilter }}", "{% for q in [] %}{{ q|nofilter }}{% endfor %}",
            "{% include 'x' ignore missing %}", "{% import 'x' as y %}", "{% if false %}{% extends 'x' %}{% endif %}z", "{% autoescape true %}{{ h }}{{ h|safe ~ h }}{{ [h]|join('<') }}{% endautoescape %}{{ h }}",
            "{% set j = joiner() %}{{ j() }}{{ j() }}", "{% set y = cycler('odd', 'even') %}{{ y.next() }}{{ y.next() }}{{ y.current }}", "{% set d.k %}v{% endset %}{{ d }}", "{{ 'a' 'b' \"c\" }}", "{{ [1, 2,] }}{{ (1,) }}{{ {} }}",
            "{% for q in l %}{% block b scoped %}{{ q }}{% endblock %}{% endfor %}", "{% for q in l %}{% continue %}{% else %}none{% endfor %}", "{% macro q() %}{{ s }}{% endmacro %}{{ q() }}{% set s = 2 %}{{ q() }}", "{{ f(1) }}",
            "{% set q = 1 %}{% for a in [1, 2] %}{% set q = q + a %}{{ q }}{% endfor %}{{ q }}", "{% if z %}{% set s = 5 %}{% endif %}{{ s }}", "{{ undefined.x }}", "{{ x.y.z }}", "{{ '\\x41\\u00e9\\N{DASH}' }}", "{{ '\\N{BULLET}\\101' }}",
            "{% for q in u %}{{ loop.changed(q.role) }}{{ loop.cycle(*w) }}{% endfor %}", "{% set q %}{% for a in l %}{{ a }}{% break %}{% endfor %}{% endset %}{{ q }}", "{% filter upper|lower %}{{ s }}{% endfilter %}"])


def outcome(env, source, names):
    try:
        want, again = (env.from_string(source).render(json.loads(json.dumps(names))) for _ in range(2))
        return {"want": want} if want == again else None
    except jinja2.exceptions.TemplateError as e:
        return {"error": type(e).__name__}
    except TimeoutError:
        return None
    except KeyError as e:  # a slice of a dict: since Python 3.12 a slice can be a key, and an error all the same
        return {"error": "TypeError" if e.args and isinstance(e.args[0], slice) else "KeyError"}
    except Exception as e:
        return {"error": type(e).__name__}


def stop(*_):
    raise TimeoutError


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=12000)
    parser.add_argument("--out", default=os.path.join(HERE, "differential.jsonl.gz"))
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, stop)
    env, maker = environment(), Maker(args.seed)
    for kind in (jinja2.utils.Joiner, jinja2.utils.Cycler):  # addresses that never repeat, to tell the templates that show one
        kind.__repr__ = lambda self: f"<jinja2.utils.{type(self).__name__} object at 0x{random.randrange(2**44, 2**45):x}>"
    env.cache = None
    exact = Exact(maker.r)
    rendered = errors = 0
    seen = set()
    with gzip.GzipFile(args.out, "wb", compresslevel=9, mtime=0) as f:
        f.write(json.dumps({"contexts": CONTEXTS}, ensure_ascii=False).encode() + b"\n")
        while rendered + errors < args.count:
            n = maker.r.random()
            source = maker.soup() if n < 0.06 else exact.case() if n < 0.2 else maker.output(maker.r.randint(1, 3)) if n < 0.6 else maker.statement(2) if n < 0.8 else maker.body(3)
            which = maker.r.randrange(len(CONTEXTS))
            if source in seen:
                continue
            seen.add(source)
            signal.setitimer(signal.ITIMER_REAL, 2)
            case = outcome(env, source, CONTEXTS[which])
            signal.setitimer(signal.ITIMER_REAL, 0)
            if case is None or case.get("error") in ("MemoryError", "RecursionError", "NameError"):
                continue  # NameError: jinja2 writes infinity into Python source as inf
            want = case.get("want", "")
            if len(want) > 1000 or any(r in want.lower() for r in REFUSED) or any(0xD800 <= ord(c) < 0xE000 for c in want) or ("error" in case and maker.chance(0.5)) or SETS.search(source):
                continue
            rendered += "want" in case
            errors += "error" in case
            f.write(json.dumps({"source": source, "context": which, **case}, ensure_ascii=False).encode() + b"\n")
    print(f"seed {args.seed}: {rendered} rendered, {errors} errors")


if __name__ == "__main__":
    main()
