#!/usr/bin/env python3
"""Renders chat templates with jinja2, in the environment that transformers sets up, and writes golden.jsonl.gz.

    python tokenize/conformance/fetch.py && python tokenize/chat/testdata/golden.py     (needs jinja2==3.1.6)

The real templates come with the packages that fetch.py pins; FEATURES are small ones, each about one thing.
"""
import gzip
import json
import os
import sys

from environment import environment, render

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))


def user(text):
    return {"role": "user", "content": text}


def assistant(text, **more):
    return {"role": "assistant", "content": text, **more}


CALLS = [{"type": "function", "id": "a1", "function": {"name": "get_weather", "arguments": {"city": "Zürich", "days": 3, "units": None}}},
         {"type": "function", "id": "a2", "function": {"name": "now", "arguments": "{\"tz\": \"UTC\"}"}}]
TEXT_CALLS = [{"type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}}, {"type": "function", "function": {"name": "g", "arguments": "{}"}}]
TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "Says \"how\" it <is> & will be – ☀️\n", "parameters": {
    "type": "object", "properties": {"zeta": {"type": "string"}, "city": {"type": "string", "enum": ["a", "b"]}, "n": {"type": "number", "minimum": 0.5,
                                                                                                                        "maximum": 1e20}},
    "required": ["city"], "additionalProperties": False}}}]
SYSTEM = {"role": "system", "content": "You are  terse.\n"}
CONVERSATIONS = [
    [user("Hello")], [user("  spaces \n")], [SYSTEM, user("Hi")], [user("Hi"), assistant("Hello!"), user("How are you?")],
    [SYSTEM, user("1"), assistant("2"), user("3"), assistant("4")], [user("<|im_start|> {{ x }} {% y %} ümlaut 😀 \0 \u2028")],
    [assistant("first")], [user("a"), user("b")], [SYSTEM, SYSTEM, user("x")], [user("")],
    [user("q"), assistant("<think>\nhmm\n</think>\n\nanswer"), user("again"), assistant("<think>\nx</think>y")],
    [user("q"), assistant("z", reasoning_content="because\n"), user("more"), assistant("w", reasoning_content="why")],
    [user("weather?"), assistant("", tool_calls=CALLS), {"role": "tool", "content": "sunny"}, {"role": "tool", "content": "12:00"}, assistant("It is sunny.")],
    [user("weather?"), assistant(None, tool_calls=TEXT_CALLS), {"role": "tool", "content": "1"}, {"role": "tool", "content": "2"}, assistant("done"), user("ok")],
    [SYSTEM, user("w?"), assistant("Let me see.", tool_calls=CALLS[:1]), {"role": "tool", "content": "<tool_response>"}, user("<tool_response>x</tool_response>")],
    [{"role": "user", "content": [{"type": "text", "text": " two "}, {"type": "image"}, {"type": "text", "text": "parts"}]}],
    [{"role": "system", "content": [{"type": "text", "text": "sys"}]}, user("hi"), assistant("yo")],
    [{"role": "user", "content": 5}], [],
]
VARIATIONS = [{}, {"add_generation_prompt": True}, {"tools": TOOLS, "add_generation_prompt": True}, {"enable_thinking": False, "add_generation_prompt": True}]

FEATURES = r"""
{{ 1 + 2 * 3 - 4 // 3 % 2 ** 3 }} {{ 7 / 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 2 ** -1 }} {{ 7.5 // 2 }} {{ 1e3 }} {{ 10 ** 3 }} {{ -2 ** 2 }} {{ 1_000 }}
{{ 0.1 + 0.2 }} {{ 1e16 }} {{ 1e-5 }} {{ 123456789.0 }} {{ 1.5e300 * 1e10 }} {{ 3.0 }} {{ 1e22 }} {{ 0.0001 }}
{{ "a" ~ 1 ~ none ~ true ~ 1.0 ~ [1, "x'y", none] ~ {"k": (1,), "t": (1, 2)} }}
{{ ["it's", 'say "x"', "both ' and \"", "\n\t\\", "é\x00\u200b😀"] }}
{{ "abc"[1] }}{{ "abc"[-1] }}{{ "abc"[::-1] }}{{ "abcdef"[1:-1:2] }}{{ [1,2,3][5:] }}{{ "abc"[10] }}|{{ [1,2,3][-2:] }}{{ (1,2,3)[::-1] }}
{{ x is defined }} {{ x is not defined }} {{ x }} {{ x | default("d") }} {{ "" | default("e", true) }} {{ none | d("f") }} {{ not x }}
{% for a in [1,2,3] %}{{ loop.index }}{{ loop.first }}{{ loop.last }}{{ loop.revindex0 }}{{ loop.length }}{{ loop.previtem }}-{{ loop.nextitem }};{% else %}none{% endfor %}
{% for a in [] %}x{% else %}empty{% endfor %}{% for k, v in {"b": 1, "a": 2}.items() %}{{ k }}={{ v }},{% endfor %}{% for k in {"b": 1} %}{{ k }}{% endfor %}
{% for a in range(10) if a is even %}{% if a == 6 %}{% break %}{% endif %}{% if a == 2 %}{% continue %}{% endif %}{{ a }}/{{ loop.length if false else "n" }} {% endfor %}
{% set x = 1 %}{% for a in [1,2] %}{% set x = x + a %}{{ x }}{% endfor %}{{ x }}{% set ns = namespace(x=1, y="q") %}{% for a in [1,2] %}{% set ns.x = ns.x + a %}{% endfor %}{{ ns.x }}{{ ns.y }}
{% set x %}  block {{ 1 }} {% endset %}[{{ x }}]{% set y | upper | trim %} abc {% endset %}[{{ y }}]{% set a, b = 1, "z" %}{{ a }}{{ b }}
{% macro m(a, b=2, c="x") %}({{ a }}{{ b }}{{ c }}){% endmacro %}{{ m(1) }}{{ m(1, c=3) }}{{ m() }}{% call m(9) %}{% endcall %}
{% macro outer() %}<{{ caller("p") }}>{% endmacro %}{% call(v) outer() %}in {{ v }}{% endcall %}
{% macro r(n) %}{{ n }}{% if n > 0 %}{{ r(n - 1) }}{% endif %}{% endmacro %}{{ r(3) }}
{% with a = 1, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}{% filter upper %}abc {{ 1 }}{% endfilter %}
{% for i in [[1,[2,3]],4] recursive %}{% if i is iterable %}[{{ loop(i) }}]{% else %}{{ i }}@{{ loop.depth }}{% endif %}{% endfor %}
{% if 1 %}  a  {%- endif %}   b
  {%- if true %} c {% endif -%}   d  {{- " e " -}}  f
    {% if true %}
    indented
    {% endif %}
  {%+ if true %} kept {% endif %}
{# comment #}x {#- trimmed -#} y
{% raw %}{{ not }} {% this %}{% endraw %}{%- raw -%}  {{ z }}  {%- endraw -%} end
{{ "tab\tnl\n\x41\u00e9\U0001F600\101 \q '" }}{{ 'a' 'b' "c" }}
{{ [1, "é😀\u2028<&>'\"\\", none, true, 1.5, {"b": [], "a": {}}] | tojson }} {{ {"b": 1, "a": [1, {"c": 2}]} | tojson(indent=2) }} {{ {"b":1,"a":2} | tojson(sort_keys=true, separators=(",", ":")) }} {{ "é😀\x7f" | tojson(ensure_ascii=true) }} {{ [] | tojson(indent=4) }} {{ {1: 2, none: 3, 1.5: 4} | tojson }}
{{ "  x y  " | trim }}|{{ "xxaxx" | trim("x") }}|{{ " a ".strip() }}|{{ "\n a\n".lstrip("\n") }}|{{ "ab".rstrip("b") }}|{{ "a-b-c".split("-") }}|{{ " a  b ".split() }}|{{ "a-b-c".split("-", 1) }}|{{ "a-b-c".rsplit("-", 1) }}|{{ "a,b,".split(",")[-1] }}|
{{ "Hello World".upper() }} {{ "ΑΣ".lower() }} {{ "straße" | upper }} {{ "hello wORLD" | capitalize }} {{ "abc".title() }} {{ "a\nb\r\nc".splitlines() }} {{ "aXbX".replace("X", "-") }} {{ "aXbX".replace("X", "-", 1) }} {{ "aXb" | replace("X", "") }}
{{ "abc".startswith("a") }} {{ "abc".startswith(("x", "a")) }} {{ "abc".endswith("c") }} {{ "abc".find("c") }} {{ "abc".find("z") }} {{ "äbc".index("c") }} {{ "aab".count("a") }} {{ "12".isdigit() }} {{ "a1".isalnum() }} {{ "".isalpha() }} {{ " ".isspace() }} {{ "ab".isupper() }}
{{ "a=b=c".partition("=") }} {{ "a=b=c".rpartition("=") }} {{ "prefix-x".removeprefix("prefix-") }} {{ "x.py".removesuffix(".py") }} {{ ", ".join(["a", "b"]) }} {{ "7".zfill(3) }}
{{ [3,1,2] | sort }} {{ [3,1,2] | sort(reverse=true) }} {{ ["b","A","c"] | sort }} {{ ["b","A","c"] | sort(case_sensitive=true) }} {{ [{"n":2},{"n":1}] | sort(attribute="n") }} {{ [1,1,2] | unique | list }} {{ ["a","A"] | unique | list }}
{{ [1,2,3] | first }} {{ [1,2,3] | last }} {{ [] | first }} {{ [1,2,3] | sum }} {{ [1,2,3] | min }} {{ [1,2,3] | max }} {{ [1,2] | join }} {{ [1,2] | join("-") }} {{ [{"a":1},{"a":2}] | join(",", attribute="a") }} {{ [1,2,3] | reverse | list }} {{ "abc" | reverse }} {{ [1,2,3] | length }} {{ "äb" | count }} {{ "abc" | list }}
{{ [1,2,3,4] | select("odd") | list }} {{ [1,2,3,4] | reject("gt", 2) | list }} {{ [{"r":"u"},{"r":"a"},{}] | selectattr("r", "equalto", "u") | list }} {{ [{"r":"u"},{}] | selectattr("r", "defined") | list }} {{ [{"r":"u"},{"r":""}] | rejectattr("r") | list }} {{ [{"a":{"b":1}}] | map(attribute="a.b") | list }} {{ ["a"] | map("upper") | join }} {{ [{"a":1},{}] | map(attribute="a", default="z") | list }}
{{ {"b":1,"a":2} | dictsort }} {{ {"b":1} | items | list }} {{ {"a":1}.get("a") }} {{ {"a":1}.get("z") }} {{ {"a":1}.get("z", 5) }} {{ {"a":1}.keys() | list }} {{ {"a":1}.values() | list }} {{ "a" in {"a":1} }} {{ {"items": 1}["items"] }} {{ {"a": {"b": 2}}.a.b }} {{ {"a":1}["b"] is defined }}
{{ "5" | int }} {{ "x" | int }} {{ "x" | int(7) }} {{ 3.9 | int }} {{ "3.9" | int }} {{ "2.5" | float }} {{ -3 | abs }} {{ 2.567 | round(2) }} {{ 2.5 | round }} {{ 3.5 | round }} {{ 2.1 | round(0, "ceil") }} {{ 42 | string }} {{ "<a&'\">" | e }} {{ "x" | safe }}
{{ "a\nb\n\nc" | indent }}|{{ "a\nb" | indent(2, true) }}|{{ "a\n\nb" | indent(2, blank=true) }}|{{ "a\nb" | indent("> ") }}|{{ "a\n" | indent }}|
{{ 1 is number }} {{ 1 is integer }} {{ true is integer }} {{ 1.0 is float }} {{ "a" is string }} {{ [] is iterable }} {{ {} is mapping }} {{ "a" is sequence }} {{ none is none }} {{ true is boolean }} {{ true is true }} {{ 1 is true }} {{ 4 is divisibleby 2 }} {{ 3 is odd }} {{ "A" is upper }} {{ 1 is in [1,2] }} {{ 1 is eq 1 }} {{ 1 is ne(2) }} {{ none is iterable }} {{ range is callable }} {{ 1 is sameas 1 }}
{{ 1 == 1.0 }} {{ true == 1 }} {{ "a" < "b" }} {{ [1,2] < [1,3] }} {{ 1 < 2 < 3 }} {{ 1 in [1] and 2 not in [1] }} {{ "b" in "abc" }} {{ none == none }} {{ [1] == [1] }} {{ {"a":1} == {"a":1.0} }} {{ (1,) == [1] }}
{{ "yes" if true else "no" }} {{ "yes" if false }}| {{ 1 and 0 }} {{ 0 or "x" }} {{ not 0 }} {{ not (1 and 0) or 1 }} {{ "a" if 0 else "b" if 0 else "c" }} {{ (1 if true) + 1 }}
{{ strftime_now("%Y-%m-%d") }} {{ strftime_now("%d %b %Y %H:%M:%S %A %B %p %I %y %j %%") }}
{{ range(3) | list }} {{ range(1, 7, 2) | list }} {{ range(5, 0, -2) | list }} {{ dict(a=1, b="c") }} {{ loop is defined }}
{% generation %}tracked {{ 1 }}{% endgeneration %} after
{% for m in [1,2,3,4] %}{{ loop.cycle("a", "b") }}{{ loop.changed(m // 2) }}{% endfor %}
{% set t = 1, 2 %}{{ t }}{{ () }}{{ (1) }}{{ [1, 2,] }}{{ {"a": 1,} }}
{{ messages[0].nothing }}{{ messages[0]["nothing"] is defined }}{{ messages | length }}{{ messages[-1]["role"] }}
{{ x.y }}
{{ 1 + "a" }}
{{ none + 1 }}
{{ raise_exception("no: " ~ 1) }}
{{ [].append(1) }}
{{ {"a": 1}.update({}) }}
{{ x() }}
{{ 1 / 0 }}
{{ "a" | nofilter }}
{{ 1 is notest }}
{% unknown %}
{% if %}{% endif %}
{% for x in 5 %}{% endfor %}
{{ {"a": 1}.a.b.c }}
{{ unclosed
{% if 1 %}no end
{{ [1, 2 }}
{{ range(1000000) | length }}
{{ "abc" | length > 2 and messages }}
{%- for message in messages -%}  {{ message.role }}  {%- if not loop.last %},{% endif -%}  {%- endfor %}
{{ [1,2,3] | tojson | length }}{{ ("a" ~ "b") | upper }}{{ -1 | abs }}{{ "a" "b" | upper }}
{{ [[1, 2], [3, 4]] | map("first") | list }}{{ [1, 2] | map("string") | join("") }}{{ ["1", "2"] | map("int") | sum }}
""".strip("\n").split("\n")
MULTILINE = [
    "line one\n{% if true %}\nline two\n{% endif %}\nline three\n", "a\n\n{{ 1 }}\n\n", "{% for x in [1,2] %}\n  - {{ x }}\n{% endfor %}\nend\n",
    "\t {% set x = 1 %}\t\n{{ x }}\r\nz\r", "{#- c -#}\n  {# d #}\n  text\n", "  {%- for x in [1] %}\n  {{- x }}\n  {%- endfor %}\n\n", "{{ 'a\nb' }}\n\n\n",
    "x\n  {% raw %}\n  {{ y }}\n  {% endraw %}\nz", "{% if true %}\u00a0\u2003{%- endif %}|", "\x0b {% if true %}y{% endif %}", "{{ 1 }}\n{%- if true %}\n{%+ endif %}\n q",
]


def templates():
    for name in ("llama3", "qwen3", "gemma3", "deepseek_v3"):
        with open(os.path.join(ROOT, ".cache", "tokenizers", name, "tokenizer_config.json"), encoding="utf-8") as f:
            config = json.load(f)
        yield name, config["chat_template"], special_tokens(config)
    with open(os.path.join(HERE, "smollm2.jinja"), encoding="utf-8") as f:
        yield "smollm2", f.read(), {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>"}
    for number, source in enumerate(FEATURES):
        yield f"feature {number}", source, None
    for number, source in enumerate(MULTILINE):
        yield f"white space {number}", source, None


def special_tokens(config):
    tokens = {}
    for name, value in config.items():
        if name.endswith("_token") and isinstance(value, (str, dict)):
            tokens[name] = value if isinstance(value, str) else value["content"]
    return tokens


def main():
    rows = failures = 0
    e = environment()
    with gzip.GzipFile(os.path.join(HERE, "golden.jsonl.gz"), "wb", mtime=0) as f:
        for name, source, tokens in templates():
            cases = [(c, v) for c in CONVERSATIONS for v in VARIATIONS] if tokens is not None else [(CONVERSATIONS[3], {})]
            row = {"name": name, "source": source, "tokens": tokens or {}, "cases": []}
            for messages, variation in cases:
                names = {"tools": None, "documents": None, "add_generation_prompt": False, **variation}
                case = {"names": {"messages": messages, **names}}
                try:
                    case["want"] = render(e.from_string(source), messages, **names, **(tokens or {}))
                except Exception as problem:
                    case["error"] = type(problem).__name__
                    failures += 1
                row["cases"].append(case)
                rows += 1
            f.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    print(f"{rows} cases, {failures} of which are errors", file=sys.stderr)


if __name__ == "__main__":
    main()
