#!/usr/bin/env python3
"""Asks transformers what conversations with models of each family become, and writes chats.jsonl.gz.

    python work/generation/testdata/chats.py     (made with torch 2.15 and transformers 5.23; make test has brought the templates)

Each line is a tiny checkpoint of models/checkpoint/testdata/tiny with its family's special tokens, template and ends: the files that
transformers saves, and cases: messages, the text and the ids that apply_chat_template makes of them, and the ids with which generate()
goes on until one of the ends. Templates are the makers' own out of .cache/templates; of families that are not there, what is written
below has the same constructs. The tokens' ids are drawn until each of a family's ends ends a text.
"""
import gzip
import json
import os
import random
import tempfile

import torch
import transformers as tf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

torch.set_num_threads(1)
tf.logging.set_verbosity_error()
tf.logging.disable_progress_bar()
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "../../..")
VOCAB, LONGEST, CLOSE = 64, 32, 2e-3

PHI4_MINI = """{% for message in messages %}{% if message['role'] == 'system' and 'tools' in message and message['tools'] is not none %}{{ '<|' + message['role'] + '|>' + \
message['content'] + '<|tool|>' + message['tools'] + '<|/tool|>' + '<|end|>' }}{% else %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endif %}{% endfor %}\
{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ eos_token }}{% endif %}"""
OLMO2 = """{{ bos_token }}{% for message in messages %}{% if message['role'] == 'system' %}{{ '<|system|>\n' + message['content'] + '\n' }}{% elif message['role'] == 'user' %}\
{{ '<|user|>\n' + message['content'] + '\n' }}{% elif message['role'] == 'assistant' %}{% if not loop.last %}{{ '<|assistant|>\n'  + message['content'] + eos_token + '\n' }}\
{% else %}{{ '<|assistant|>\n'  + message['content'] + eos_token }}{% endif %}{% endif %}{% if loop.last and add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}{% endfor %}"""
OLMO3 = """{%- set has_system = messages|selectattr('role', 'equalto', 'system')|list|length > 0 -%}
{%- if not has_system -%}{{- '<|im_start|>system\nhelp<|im_end|>\n' -}}{%- endif -%}
{%- for message in messages -%}
    {%- if message['role'] == 'system' -%}
        {{- '<|im_start|>system\n' + message['content'] -}}
        {%- if message.get('functions', none) is not none -%}{{- ' <functions>' + message['functions'] + '</functions>' -}}{%- endif -%}
        {{- '<|im_end|>\n' -}}
    {%- elif message['role'] == 'user' -%}
        {{- '<|im_start|>user\n' + message['content'] + '<|im_end|>\n' -}}
    {%- elif message['role'] == 'assistant' -%}
        {{- '<|im_start|>assistant\n' -}}
        {%- if message.get('content', none) is not none -%}{{- message['content'] -}}{%- endif -%}
        {%- if not loop.last -%}{{- '<|im_end|>' + '\n' -}}{%- else -%}{{- eos_token -}}{%- endif -%}
    {%- endif -%}
    {%- if loop.last and add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}
{%- endfor -%}"""
GLM4 = """[gMASK]<sop>
{%- if tools -%}<|system|>
{% for tool in tools %}{%- set function = tool.function if tool.get("function") else tool %}

## {{ function.name }}

{{ function | tojson(indent=4, ensure_ascii=False) }}{%- endfor %}{%- endif -%}
{%- for msg in messages %}{%- if msg.role == 'system' %}<|system|>
{{ msg.content }}{%- endif %}{%- endfor %}
{%- for message in messages if message.role != 'system' %}
    {%- set role = message['role'] %}
    {%- set content = message['content'] %}
    {%- set meta = message.get("metadata", "") %}
    {%- if role == 'user' %}<|user|>
{{ content }}{%- elif role == 'assistant' and not meta %}<|assistant|>
{{ content }}{%- elif role == 'assistant' and meta %}<|assistant|>{{ meta }}
{{ content }}{%- elif role == 'observation' %}<|observation|>
{{ content }}{%- endif %}
{%- endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"""

# The checkpoint, the template, the special tokens, of which the first three are bos, eos and pad, the ends as the maker's
# generation_config.json and config.json have them, and whether the tokenizer puts bos before a text.
FAMILIES = {
    "gemma3": ("gemma3", "axolotl/gemma3.jinja", ["<bos>", "<eos>", "<pad>", "<start_of_turn>", "<end_of_turn>"], ["<eos>", "<end_of_turn>"], ["<eos>", "<end_of_turn>"], True),
    "phi3": ("phi3", "llama.cpp/microsoft-Phi-3.5-mini-instruct.jinja", ["<s>", "<|endoftext|>", "<unk>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"],
             ["<|end|>", "<|assistant|>", "<|endoftext|>"], ["<|endoftext|>"], False),
    "phi4-mini": ("phi3-long", PHI4_MINI, ["<|endoftext|>", "<|endoftext|>", "<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|tool|>", "<|/tool|>"],
                  ["<|end|>", "<|endoftext|>"], ["<|endoftext|>"], False),
    "granite": ("olmo2", "llama.cpp/ibm-granite-granite-3.3-2B-Instruct.jinja", ["<|end_of_text|>", "<|end_of_text|>", "<|end_of_text|>", "<|start_of_role|>", "<|end_of_role|>", "<|tool_call|>"],
                ["<|end_of_text|>"], ["<|end_of_text|>"], False),
    "olmo2": ("olmo2", OLMO2, ["<|endoftext|>", "<|endoftext|>", "<|pad|>"], ["<|endoftext|>"], ["<|endoftext|>"], False),
    "olmo3": ("olmo3", OLMO3, ["<|endoftext|>", "<|im_end|>", "<|pad|>", "<|im_start|>"], ["<|im_end|>", "<|endoftext|>"], ["<|endoftext|>"], False),
    "glm4": ("glm4", GLM4, [None, "<|endoftext|>", "<|endoftext|>", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"],
             ["<|endoftext|>", "<|user|>", "<|observation|>"], ["<|endoftext|>", "<|user|>", "<|observation|>"], False),
    "exaone4": ("exaone4", "axolotl/exaone4.jinja", ["[BOS]", "[|endofturn|]", "[PAD]", "[|system|]", "[|user|]", "[|assistant|]", "<think>", "</think>"], ["[|endofturn|]"], ["[|endofturn|]"], False),
    "lfm2": ("lfm2", "llama.cpp/LFM2-8B-A1B.jinja", ["<|startoftext|>", "<|im_end|>", "<|pad|>", "<|im_start|>", "<|tool_list_start|>"], ["<|im_end|>"], ["<|im_end|>"], True),
}


def said(*contents):
    return [{"role": role, "content": content} for role, content in contents]


CONVERSATIONS = [
    said(("system", "you help"), ("user", "find a word")),
    said(("system", " be <b> brief\n"), ("user", "Zürich & \"co\"?")),
    said(("system", "help"), ("user", "a"), ("assistant", "b c"), ("user", " d e \n")),
    said(("system", "help"), ("user", "one two")), said(("system", "x"), ("user", "the end")), said(("system", "yes"), ("user", "no no")),
    said(("user", "hello you")), said(("user", "q"), ("assistant", "<think>\nhm\n</think>\n\nyes"), ("user", "so")),
    said(("user", "what is it")), said(("user", "zz")), said(("user", "count: abc")), said(("user", "last <s> one")),
]
WORDS = ["Ċ", "ĊĊ", "Ġ", "user", "system", "assistant", "model"] + [chr(c) for c in range(ord("a"), ord("z") + 1)]


def named(tokens, template, specials, adds_bos):
    """A tokenizer of these tokens."""
    bos, eos, pad = specials[:3]
    t = Tokenizer(models.BPE({w: i for i, w in enumerate(tokens)}, [], unk_token="?", ignore_merges=True))
    t.pre_tokenizer, t.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    if adds_bos:
        t.post_processor = processors.TemplateProcessing(single=f"{bos} $A", pair=f"{bos} $A {bos} $B:1", special_tokens=[(bos, tokens.index(bos))])
    names = {k: v for k, v in (("bos_token", bos), ("eos_token", eos), ("pad_token", pad)) if v}
    rest = [s for s in dict.fromkeys(specials) if s and s not in names.values()]
    return tf.PreTrainedTokenizerFast(tokenizer_object=t, extra_special_tokens=rest, chat_template=template, **names)


def drawn(specials, seed):
    special = list(dict.fromkeys(s for s in specials if s))
    words = (WORDS + ["Ġ" + w for w in WORDS[7:]])[:VOCAB - 1 - len(special)]
    tokens = special + words + ["?"] + [f"<unused{i}>" for i in range(VOCAB - 1 - len(special) - len(words))]
    random.Random(seed).shuffle(tokens)
    return tokens


def generated(model, prompt, ends):
    prompt = torch.tensor([prompt])
    model.generation_config = tf.GenerationConfig(eos_token_id=ends or None, pad_token_id=0)
    with torch.no_grad():
        out = model.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=LONGEST, return_dict_in_generate=True, output_scores=True)
    close = min(float(s[0].topk(2).values.diff().abs()) for s in out.scores) < CLOSE
    return None if close else out.sequences[0, prompt.shape[1]:].tolist()


def ended(new, ids):
    """How many tokens a text has that any of these ids ends."""
    return next((i + 1 for i, id in enumerate(new) if id in ids), len(new))


def settle(model, template, specials, ends, adds_bos, talks):
    """Tokens of which each end ends a text of some length, while another text has none of them."""
    for seed in range(100):
        tokens = drawn(specials, seed)
        tok = named(tokens, template, specials, adds_bos)
        prompts = [tok.apply_chat_template(m, tokenize=True, return_dict=False, add_generation_prompt=True) for m in talks]
        texts = [generated(model, p, None) for p in prompts]
        good = [t for t in texts if t]
        asked = {id for p in prompts for id in p}
        for end in ends:  # one that no prompt has may be any token that none has
            if tokens.index(end) not in asked:
                id = next((t[i] for t in good for i in range(4, 20) if t[i] not in asked and t[i] not in t[:i] and tokens[t[i]] not in ends), None)
                if id is not None:
                    at = tokens.index(end)
                    tokens[at], tokens[id] = tokens[id], end
        ids = {tokens.index(end) for end in ends}
        lengths = [ended(t, ids) for t in good]
        if {t[n - 1] for t, n in zip(good, lengths) if 3 <= n < LONGEST} >= ids and LONGEST in lengths and len(good) > 4:
            return named(tokens, template, specials, adds_bos)
        print("not", seed, lengths, flush=True)
    raise SystemExit("no draw has a text for each end")


def files(path):
    out = {}
    for name in sorted(os.listdir(path)):
        with open(os.path.join(path, name), encoding="utf-8") as f:
            out[name] = f.read() if name.endswith(".jinja") else json.load(f)
    return out


def family(name, tiny, template, specials, ends, config_ends, adds_bos):
    source = os.path.join(ROOT, "models/checkpoint/testdata/tiny", tiny)
    model = tf.AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager").eval()
    text = template
    if template.endswith(".jinja"):
        with open(os.path.join(ROOT, ".cache/templates", template), encoding="utf-8", newline="") as f:
            text = f.read()
    talks = [c for c in CONVERSATIONS if name != "granite" or c[0]["role"] == "system"]  # granite's default speaks of the date
    tok = settle(model, text, specials, ends, adds_bos, talks)
    ids = tok.convert_tokens_to_ids(ends)
    cases = []
    for messages in talks:
        prompt = tok.apply_chat_template(messages, tokenize=True, return_dict=False, add_generation_prompt=True)
        if new := generated(model, prompt, ids):
            body = new[:-1] if new[-1] in ids else new
            cases.append({"messages": messages, "prompt": tok.apply_chat_template(messages, tokenize=False, add_generation_prompt=True), "ids": prompt, "new": new,
                          "text": tok.decode(body, skip_special_tokens=True)})
    model.generation_config = tf.GenerationConfig(eos_token_id=ids if len(ids) > 1 else ids[0], pad_token_id=tok.pad_token_id)
    with tempfile.TemporaryDirectory() as path:
        tok.save_pretrained(path)
        model.generation_config.save_pretrained(path)
        saved = files(path)
    if template.endswith(".jinja"):
        del saved["chat_template.jinja"]
    config = tok.convert_tokens_to_ids(config_ends)
    print(name, len(cases), [len(c["ids"]) for c in cases], [len(c["new"]) for c in cases])
    return {"family": name, "tiny": tiny, "files": saved, "template": template if template.endswith(".jinja") else "",
            "eos": config if len(config) > 1 else config[0], "cases": cases}


with gzip.GzipFile(os.path.join(HERE, "chats.jsonl.gz"), "wb", mtime=0) as f:
    for name, how in FAMILIES.items():  # granite's tiny checkpoint, whose embedding is also its head, says one token for ever
        f.write(json.dumps(family(name, *how), ensure_ascii=False).encode() + b"\n")
