"""Asks llama.cpp which tokens end a text and what texts become, for vocabularies of many kinds, and writes llamacpp.jsonl.gz.

    python models/checkpoint/internal/vocabulary/testdata/llamacpp.py     (needs xllamacpp 2026.10 and gguf 0.19)

Each line is a vocabulary as a GGUF file has it (keys, tokens, types, scores, merges) and llama.cpp's answers: eog, the ids for which
llama_vocab_is_eog holds, and of each text the ids of llama_tokenize with add_special and parse_special, as its server tokenizes.
The wheel exports llama.cpp's C interface. Its structs of parameters are only handed through, so their layout does not matter.
"""
import ctypes as c
import gzip
import json
import os
import tempfile

import gguf
import numpy as np
import xllamacpp.xllamacpp as wheel

HERE = os.path.dirname(os.path.abspath(__file__))
CONTROL, USER, NORMAL, UNUSED, BYTE, UNKNOWN = 3, 4, 1, 5, 6, 2


class Opaque(c.Structure):
    _fields_ = [("bytes", c.c_uint64 * 64)]


lib = c.CDLL(wheel.__file__)
lib.llama_model_default_params.restype = Opaque
lib.llama_model_load_from_file.restype, lib.llama_model_load_from_file.argtypes = c.c_void_p, [c.c_char_p, Opaque]
lib.llama_model_get_vocab.restype, lib.llama_model_get_vocab.argtypes = c.c_void_p, [c.c_void_p]
lib.llama_vocab_is_eog.restype, lib.llama_vocab_is_eog.argtypes = c.c_bool, [c.c_void_p, c.c_int32]
lib.llama_tokenize.argtypes = [c.c_void_p, c.c_char_p, c.c_int32, c.POINTER(c.c_int32), c.c_int32, c.c_bool, c.c_bool]
lib.llama_model_free.argtypes = [c.c_void_p]
quiet = c.CFUNCTYPE(None, c.c_int, c.c_char_p, c.c_void_p)(lambda *_: None)
lib.llama_log_set(quiet, None)
lib.llama_backend_init()


def byte_alphabet():
    """GPT-2's letters for bytes, in the order of bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters, more = {b: chr(b) for b in plain}, 0
    for b in range(256):
        if b not in letters:
            letters[b] = chr(256 + more)
            more += 1
    return [letters[b] for b in range(256)]


def bpe(specials, keys, types=CONTROL, more=()):
    """A byte-level vocabulary, with specials behind the bytes and what is merged."""
    merges = ["H e", "l l", "ll o", "He llo", "Ġ w", "o r", "Ġw or", "1 2", "12 3", *more]
    tokens = byte_alphabet() + [m.replace(" ", "") for m in merges]
    kinds = [NORMAL] * len(tokens) + (list(types) if isinstance(types, (list, tuple)) else [types] * len(specials))
    tokens = tokens + specials
    by_name = {t: i for i, t in enumerate(tokens)}
    keys = {"tokenizer.ggml.model": "gpt2", **{k: by_name.get(v, v) if k.endswith("_token_id") else v for k, v in keys.items()}}
    return {"keys": keys, "tokens": tokens, "types": kinds, "merges": merges}


def spm(specials, keys, types=CONTROL):
    """A SentencePiece vocabulary with bytes."""
    pieces = ["▁", "H", "e", "l", "o", "w", "r", "d", "He", "ll", "llo", "Hello", "▁Hello", "▁w", "or", "▁wor"]
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + pieces + specials
    kinds = [UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256 + [NORMAL] * len(pieces)
    kinds += list(types) if isinstance(types, (list, tuple)) else [types] * len(specials)
    scores = [0.0] * 259 + [-float(i) for i in range(len(pieces))] + [0.0] * len(specials)
    by_name = {t: i for i, t in enumerate(tokens)}
    keys = {"tokenizer.ggml.model": "llama", **{k: by_name.get(v, v) if k.endswith("_token_id") else v for k, v in keys.items()}}
    return {"keys": keys, "tokens": tokens, "types": kinds, "scores": scores}


K = "tokenizer.ggml."
BOS, EOS, EOT, EOM, UNK, PAD, PRE = (K + k for k in ("bos_token_id", "eos_token_id", "eot_token_id", "eom_token_id", "unknown_token_id", "padding_token_id", "pre"))
ADD_BOS, ADD_EOS, ADD_SEP, SPACE = K + "add_bos_token", K + "add_eos_token", K + "add_sep_token", K + "add_space_prefix"
LLAMA3 = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>"]
CHATML = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
SMOLLM2 = CHATML + ["<repo_name>", "<reponame>", "<file_sep>", "<filename>", "<gh_stars>", "<issue_start>", "<jupyter_code>", "<empty_output>"]
QWEN = CHATML + ["<|object_ref_start|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"]
NAMES = ["<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "<end_of_turn>", "<|endoftext|>", "</s>", "<|eom_id|>",
         "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<turn|>", "<|tool_response>", "<｜end▁of▁sentence｜>", "[e~["]
OTHERS = ["<|im_start|>", "<|start|>", "<bos>", "<pad>", "[PAD]", "<|begin_of_text|>", "<start_of_turn>", "<|assistant|>", "<|user|>", "<|eos|>", "<|end_header_id|>",
          "<|EOT|>", "<end>", "<|endofturn|>", "<|eot|>", "[/INST]", "<unused0>", "<PRE>", "<REPO>", "<reponame>", "<|fim_repo|>", "<|file_sep|>"]

CASES = {
    "llama 3, eos and eot the same": bpe(LLAMA3, {PRE: "llama-bpe", BOS: "<|begin_of_text|>", EOS: "<|eot_id|>", EOT: "<|eot_id|>"}),
    "llama 3, eos is the end of text": bpe(LLAMA3, {PRE: "llama3", BOS: "<|begin_of_text|>", EOS: "<|end_of_text|>"}),
    "llama 3 with its end of message": bpe(LLAMA3, {PRE: "llama-v3", BOS: "<|begin_of_text|>", EOS: "<|end_of_text|>", EOM: "<|eom_id|>", EOT: "<|eot_id|>"}),
    "llama 3, BOS switched off": bpe(LLAMA3, {PRE: "llama-bpe", BOS: "<|begin_of_text|>", EOS: "<|eot_id|>", ADD_BOS: False}),
    "llama 3, EOS switched on": bpe(LLAMA3, {PRE: "llama-bpe", BOS: "<|begin_of_text|>", EOS: "<|eot_id|>", ADD_EOS: True}),
    "tekken": bpe(["<s>", "</s>", "[INST]", "[/INST]"], {PRE: "tekken", BOS: "<s>", EOS: "</s>"}),
    "falcon 3": bpe(CHATML, {PRE: "falcon3", BOS: "<|endoftext|>", EOS: "<|endoftext|>"}),
    "pixtral": bpe(["<s>", "</s>"], {PRE: "pixtral", BOS: "<s>", EOS: "</s>"}),
    "qwen2": bpe(QWEN, {PRE: "qwen2", BOS: "<|endoftext|>", EOS: "<|im_end|>", PAD: "<|endoftext|>"}),
    "qwen2, BOS switched on": bpe(QWEN, {PRE: "qwen2", BOS: "<|endoftext|>", EOS: "<|im_end|>", ADD_BOS: True}),
    "qwen2 by another name": bpe(QWEN, {PRE: "deepseek-r1-qwen", BOS: "<|endoftext|>", EOS: "<|im_end|>"}),
    "smollm": bpe(SMOLLM2, {PRE: "smollm", BOS: "<|im_start|>", EOS: "<|im_end|>", PAD: "<|im_end|>"}),
    "smollm, whose unknown token is the end of text": bpe(SMOLLM2, {PRE: "smollm", BOS: "<|im_start|>", EOS: "<|im_end|>", PAD: "<|im_end|>", UNK: "<|endoftext|>"}),
    "gpt-2": bpe(["<|endoftext|>"], {PRE: "gpt-2", BOS: "<|endoftext|>", EOS: "<|endoftext|>"}),
    "gpt-2, both switched on": bpe(["<|endoftext|>"], {PRE: "gpt-2", BOS: "<|endoftext|>", EOS: "<|endoftext|>", ADD_BOS: True, ADD_EOS: True}),
    "gpt-2, SEP switched on": bpe(["<|endoftext|>", "<sep>"], {PRE: "gpt-2", BOS: "<|endoftext|>", EOS: "<|endoftext|>", ADD_SEP: True, K + "seperator_token_id": "<sep>"}),
    "starcoder": bpe(["<|endoftext|>", "<fim_prefix>", "<reponame>", "<|file_sep|>"], {PRE: "starcoder", BOS: "<|endoftext|>", EOS: "<|endoftext|>"}),
    "an eos id that is out of range": bpe(CHATML, {PRE: "qwen2", EOS: 9999}),
    "every name": bpe(NAMES[:3] + NAMES[4:19] + NAMES[20:] + OTHERS, {PRE: "gpt-2", EOS: "<|im_start|>"}),
    "every name, user-defined": bpe(NAMES[:3] + NAMES[4:19] + NAMES[20:] + OTHERS, {PRE: "gpt-2", EOS: "<|im_start|>"}, USER),
    "every name, as normal tokens": bpe(NAMES[:3] + NAMES[4:19] + NAMES[20:] + OTHERS, {PRE: "gpt-2", EOS: "<|im_start|>"}, NORMAL),
    "harmony: the end of a message goes on": bpe(["<|endoftext|>", "<|return|>", "<|call|>", "<|end|>", "<|start|>"], {PRE: "gpt-2", EOS: "<|return|>"}),
    "half of harmony": bpe(["<|endoftext|>", "<|return|>", "<|end|>", "<|start|>"], {PRE: "gpt-2", EOS: "<|return|>"}),
    "solar: the end of a message goes on": bpe(["<|endoftext|>", "<|flush|>", "<|calls|>", "<|end|>"], {PRE: "gpt-2", EOS: "<|endoftext|>"}),
    "harmony, where a key names the end of a message": bpe(["<|endoftext|>", "<|return|>", "<|call|>", "<|end|>"], {PRE: "gpt-2", EOS: "<|return|>", EOT: "<|end|>"}),
    "a tool's answer beside </s>": bpe(["</s>", "<|tool_response>", "<turn|>", "<eos>"], {PRE: "gpt-2", EOS: "<eos>"}),
    "sentencepiece": spm([], {BOS: "<s>", EOS: "</s>", UNK: "<unk>"}),
    "sentencepiece, no ids at all": spm([], {}),
    "sentencepiece, BOS switched off": spm([], {BOS: "<s>", EOS: "</s>", ADD_BOS: False}),
    "sentencepiece, EOS switched on": spm([], {BOS: "<s>", EOS: "</s>", ADD_EOS: True}),
    "sentencepiece, no space in front": spm([], {BOS: "<s>", EOS: "</s>", SPACE: False}),
    "a base model with ChatML": spm(["<|im_start|>", "<|im_end|>"], {BOS: "<s>", EOS: "</s>"}),
    "the same, user-defined": spm(["<|im_start|>", "<|im_end|>"], {BOS: "<s>", EOS: "</s>"}, USER),
    "gemma's turns": spm(["<start_of_turn>", "<end_of_turn>"], {BOS: "<s>", EOS: "</s>"}),
    "phi 4": bpe(["<|endoftext|>", "<|end|>", "<|user|>"], {PRE: "gpt-4o", BOS: "<|endoftext|>", EOS: "<|endoftext|>", EOT: "<|end|>"}),
    "glm 4": bpe(["<|endoftext|>", "[gMASK]", "<sop>", "<|user|>", "<|observation|>"], {PRE: "glm4", BOS: "[gMASK]", EOS: "<|endoftext|>", EOT: "<|user|>"}),
    "glm 4 by another name": bpe(["<|endoftext|>", "<|user|>"], {PRE: "chatglm-bpe", EOS: "<|endoftext|>"}),
    "olmo 2": bpe(["<|endoftext|>", "<|user|>"], {PRE: "dbrx", BOS: "<|endoftext|>", EOS: "<|endoftext|>"}),
    "olmo": bpe(["<|endoftext|>"], {PRE: "olmo", EOS: "<|endoftext|>"}),
    "exaone 4": bpe(["[BOS]", "[|endofturn|]", "[PAD]"], {PRE: "exaone4", BOS: "[BOS]", EOS: "[|endofturn|]", PAD: "[PAD]"}),
    "lfm2": bpe(["<|pad|>", "<|startoftext|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>"], {PRE: "lfm2", BOS: "<|startoftext|>", EOS: "<|im_end|>", PAD: "<|pad|>"}),
    "granite": bpe(["<|end_of_text|>", "<|start_of_role|>", "<|end_of_role|>"], {PRE: "refact", BOS: "<|end_of_text|>", EOS: "<|end_of_text|>", PAD: "<|end_of_text|>"}),
    "qwen 3.5, marks belong to letters": bpe(CHATML, {PRE: "qwen35", EOS: "<|im_end|>", PAD: "<|endoftext|>"}, more=["llo Ì"]),
    "phi's turns": spm(["<|endoftext|>", "<|assistant|>", "<|end|>", "<|user|>"], {BOS: "<s>", EOS: "<|endoftext|>"}, [CONTROL, CONTROL, CONTROL, USER]),
    "code llama's infill": spm(["▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>", "_<EOT>"], {BOS: "<s>", EOS: "</s>"}),
}
TEXTS = ["Hello", "Hello world", "Hello 123 456", "Hello<|im_end|>", "<|eot_id|>Hello", "Hello</s> Hello", "<end_of_turn>", "<|end|>Hello", "Hello'llo 12345 HelloHello/\n  wor", "llo\u0334 ll"]


def write(path, v):
    """A Llama of one layer and zeros around the vocabulary."""
    w = gguf.GGUFWriter(path, "llama")
    w.add_block_count(1)
    w.add_context_length(32)
    w.add_embedding_length(32)
    w.add_feed_forward_length(32)
    w.add_head_count(2)
    w.add_layer_norm_rms_eps(1e-5)
    for key, value in v["keys"].items():
        {str: w.add_string, bool: w.add_bool, int: w.add_uint32}[type(value)](key, value)
    w.add_token_list(v["tokens"])
    w.add_token_types(v["types"])
    if "scores" in v:
        w.add_token_scores(v["scores"])
    if "merges" in v:
        w.add_token_merges(v["merges"])
    square, n = np.zeros((32, 32), np.float32), len(v["tokens"])
    w.add_tensor("token_embd.weight", np.zeros((n, 32), np.float32))
    w.add_tensor("output_norm.weight", np.ones(32, np.float32))
    for name in ("attn_norm", "ffn_norm"):
        w.add_tensor(f"blk.0.{name}.weight", np.ones(32, np.float32))
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        w.add_tensor(f"blk.0.{name}.weight", square)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def ask(path, v):
    model = lib.llama_model_load_from_file(path.encode(), lib.llama_model_default_params())
    if not model:
        raise SystemExit(f"llama.cpp does not load {v['keys']}")
    vocab, out, texts = lib.llama_model_get_vocab(model), (c.c_int32 * 256)(), []
    for text in TEXTS:
        raw = text.encode()
        n = lib.llama_tokenize(vocab, raw, len(raw), out, 256, True, True)
        texts.append({"text": text, "ids": list(out[:n])})
    eog = [i for i in range(len(v["tokens"])) if lib.llama_vocab_is_eog(vocab, i)]
    lib.llama_model_free(model)
    return {"eog": eog, "texts": texts}


def main():
    lines = []
    for name, v in CASES.items():
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "m.gguf")
            write(path, v)
            answers = ask(path, v)
        lines.append(json.dumps({"name": name, **v, **answers}, ensure_ascii=False) + "\n")
        print(name, [v["tokens"][i] for i in answers["eog"]], answers["texts"][0]["ids"])
    with gzip.GzipFile(os.path.join(HERE, "llamacpp.jsonl.gz"), "wb", mtime=0) as f:
        f.write("".join(lines).encode())


if __name__ == "__main__":
    main()
