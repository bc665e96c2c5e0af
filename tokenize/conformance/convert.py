"""Makes a tokenizer.json of what carries the same tokenizer in another form: GGUF metadata and SentencePiece models."""
import base64
import json
import os
import struct


def write(folder, tokenizer):
    with open(os.path.join(folder, "tokenizer.json"), "w", encoding="utf-8") as f:
        json.dump(tokenizer, f, ensure_ascii=False)


def added(number, content, special=True, **flags):
    return {"id": number, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
            "special": special, **flags}


# GGUF: magic, version, counts, then key, type and value of each metadata entry; little endian.

def gguf_metadata(path):
    with open(path, "rb") as f:
        def number(form):
            return struct.unpack("<" + form, f.read(struct.calcsize(form)))[0]

        def string():
            return f.read(number("Q")).decode()

        scalars = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}

        def value(kind):
            if kind == 8:
                return string()
            if kind == 9:
                inner, count = number("I"), number("Q")
                return [value(inner) for _ in range(count)]
            return number(scalars[kind])

        assert f.read(4) == b"GGUF", path
        number("I"), number("Q")
        return {string(): value(number("I")) for _ in range(number("Q"))}


def smollm2(folder):
    m = gguf_metadata(os.path.join(folder, "model.gguf"))
    tokens, kinds = m["tokenizer.ggml.tokens"], m["tokenizer.ggml.token_type"]
    assert m["tokenizer.ggml.model"] == "gpt2" and m["tokenizer.ggml.pre"] == "smollm", m["tokenizer.ggml.pre"]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    write(folder, {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [added(i, t) for i, (t, kind) in enumerate(zip(tokens, kinds)) if kind == 3],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level]},
        "post_processor": None, "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "vocab": {t: i for i, t in enumerate(tokens)},
                  "merges": m["tokenizer.ggml.merges"]}})


# SentencePiece: a protobuf message of pieces (1: text, 2: score, 3: type) and a normalizer (2: charsmap)

def fields(message):
    at = 0

    def varint():
        nonlocal at
        n = shift = 0
        while True:
            b = message[at]
            at += 1
            n |= (b & 0x7F) << shift
            shift += 7
            if b < 0x80:
                return n

    while at < len(message):
        key = varint()
        if key & 7 == 2:
            size = varint()
            yield key >> 3, message[at:at + size]
            at += size
        elif key & 7 == 0:
            yield key >> 3, varint()
        else:
            size = 4 if key & 7 == 5 else 8
            yield key >> 3, message[at:at + size]
            at += size


def sentencepiece(path):
    with open(path, "rb") as f:
        model = list(fields(f.read()))
    pieces = []
    for number, body in model:
        if number == 1:
            piece = dict(fields(body))
            pieces.append((piece[1].decode(), struct.unpack("<f", piece[2])[0] if 2 in piece else 0.0))
    charsmap = next(dict(fields(body))[2] for number, body in model if number == 3)
    return pieces, base64.b64encode(charsmap).decode()


def unigram(folder, pieces, unknown, extra, normalizers, pre_tokenizer, template):
    """template is the single sequence: names of special tokens, and None for the text."""
    numbers = {t: i for i, (t, _) in enumerate(pieces)}
    items = [{"Sequence": {"id": "A", "type_id": 0}} if t is None else {"SpecialToken": {"id": t, "type_id": 0}} for t in template]
    pair = items + [json.loads(json.dumps(i).replace('"A"', '"B"')) for i in items]
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    write(folder, {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [added(numbers[t], t, lstrip=t == "<mask>") for t in extra],
        "normalizer": {"type": "Sequence", "normalizers": normalizers},
        "pre_tokenizer": pre_tokenizer(metaspace),
        "post_processor": {"type": "TemplateProcessing", "single": items, "pair": pair, "special_tokens": {
            t: {"id": t, "ids": [numbers[t]], "tokens": [t]} for t in template if t is not None}},
        "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": numbers[unknown], "vocab": pieces, "byte_fallback": False}})


def t5(folder):
    pieces, charsmap = sentencepiece(os.path.join(folder, "spiece.model"))
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)] + pieces[3:] + [(f"<extra_id_{i}>", 0.0) for i in range(9, -1, -1)]
    special = ["<pad>", "</s>", "<unk>"] + [f"<extra_id_{i}>" for i in range(9, -1, -1)]
    unigram(folder, pieces, "<unk>", special,
            [{"type": "Precompiled", "precompiled_charsmap": charsmap}, {"type": "Strip", "strip_left": False, "strip_right": True},
             {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}],
            lambda metaspace: metaspace, [None, "</s>"])


def xlm_roberta(folder):
    pieces, charsmap = sentencepiece(os.path.join(folder, "spiece.model"))
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)] + pieces[3:] + [("<mask>", 0.0)]
    unigram(folder, pieces, "<unk>", ["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
            [{"type": "Precompiled", "precompiled_charsmap": charsmap}],
            lambda metaspace: {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]}, ["<s>", None, "</s>"])
