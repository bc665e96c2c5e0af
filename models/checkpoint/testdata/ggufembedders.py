"""Makes tiny GGUF files of models that embed, and what llama.cpp makes of texts with them.

Needs torch, transformers 5.23, gguf 0.19 and xllamacpp 2026.10; run it in this folder. ggufembedders/NAME.gguf is a model as llama.cpp's
converter keeps it, NAME.json texts with the tokens and the vector (those of tokens, where nothing is pooled) that llama.cpp gives of
each. transformers' vectors of the same tokens have to agree. The wheel exports llama.cpp's C interface; its structs of parameters are only
handed through, so their layout does not matter.
"""

import ctypes as c
import json
import os
import tempfile

import gguf
import numpy as np
import torch
import transformers as tf
import xllamacpp.xllamacpp as wheel
from safetensors.torch import load_file

import making

CONTROL, UNKNOWN, NORMAL = 3, 2, 1
A, P = gguf.MODEL_ARCH, gguf.PoolingType
LETTERS = [chr(97 + i) for i in range(26)]
MARKS = list("!$()+,-./:<=>[]^`|~") + ["\u2019", "\u201c"]
TEXTS = ["a", "the cat", "the cats sat on the mat and the dog was there", "abc def ghi " * 9, "the the the", ""]
# What BERT's tokenizer cleans, lowers, strips of accents and cuts at, and what it knows of none.
HARD = ["The CAT, a.b", "\u00c7a \u00e9", "a\u732bb\u732b", "Cafe\u0301 \u00df \u00d8 \u0130", "(a) [b]-c: d/e! $f ~g\u2019s \u201cx\u201d ^`|+<=>",
        "tab\tnew\r\nline\u00a0nbsp\u3000wide", "a\u200bb\u00adc\ufffdd\x07e", "\uff21\uff42 \ufb01 \u2460", "\uac00\u3042\u30a2 \u00e5\u0308", "\U0001f600 a", "thex og the\u00e9"]


class Opaque(c.Structure):
    _fields_ = [("bytes", c.c_uint64 * 64)]


class Batch(c.Structure):
    _fields_ = [("n_tokens", c.c_int32), ("token", c.POINTER(c.c_int32)), ("embd", c.c_void_p), ("pos", c.POINTER(c.c_int32)),
                ("n_seq_id", c.POINTER(c.c_int32)), ("seq_id", c.POINTER(c.POINTER(c.c_int32))), ("logits", c.POINTER(c.c_int8))]


lib = c.CDLL(wheel.__file__)
lib.llama_model_default_params.restype = lib.llama_context_default_params.restype = Opaque
lib.llama_model_load_from_file.restype, lib.llama_model_load_from_file.argtypes = c.c_void_p, [c.c_char_p, Opaque]
lib.llama_init_from_model.restype, lib.llama_init_from_model.argtypes = c.c_void_p, [c.c_void_p, Opaque]
lib.llama_model_get_vocab.restype, lib.llama_model_get_vocab.argtypes = c.c_void_p, [c.c_void_p]
lib.llama_tokenize.argtypes = [c.c_void_p, c.c_char_p, c.c_int32, c.POINTER(c.c_int32), c.c_int32, c.c_bool, c.c_bool]
lib.llama_batch_init.restype, lib.llama_batch_init.argtypes = Batch, [c.c_int32] * 3
lib.llama_decode.argtypes, lib.llama_set_embeddings.argtypes = [c.c_void_p, Batch], [c.c_void_p, c.c_bool]
lib.llama_pooling_type.argtypes = lib.llama_model_n_embd.argtypes = [c.c_void_p]
lib.llama_get_memory.restype, lib.llama_get_memory.argtypes = c.c_void_p, [c.c_void_p]
lib.llama_memory_clear.argtypes = [c.c_void_p, c.c_bool]
for name in ("llama_get_embeddings_seq", "llama_get_embeddings_ith"):
    getattr(lib, name).restype, getattr(lib, name).argtypes = c.POINTER(c.c_float), [c.c_void_p, c.c_int32]
quiet = c.CFUNCTYPE(None, c.c_int, c.c_char_p, c.c_void_p)(lambda *_: None)
lib.llama_log_set(quiet, None)
lib.llama_backend_init()


class LlamaCPP:
    def __init__(self, path):
        model = lib.llama_model_load_from_file(path.encode(), lib.llama_model_default_params())
        assert model, path
        self.vocab, self.size = lib.llama_model_get_vocab(model), lib.llama_model_n_embd(model)
        self.context = lib.llama_init_from_model(model, lib.llama_context_default_params())
        lib.llama_set_embeddings(self.context, True)

    def tokens(self, text):
        ids, raw = (c.c_int32 * 512)(), text.encode()
        return list(ids[:lib.llama_tokenize(self.vocab, raw, len(raw), ids, 512, True, True)])

    def vectors(self, ids):
        if memory := lib.llama_get_memory(self.context):
            lib.llama_memory_clear(memory, True)
        b = lib.llama_batch_init(len(ids), 0, 1)
        b.n_tokens = len(ids)
        for i, id in enumerate(ids):
            b.token[i], b.pos[i], b.n_seq_id[i], b.seq_id[i][0], b.logits[i] = id, i, 1, 0, 1
        assert lib.llama_decode(self.context, b) == 0
        take = lambda p: np.ctypeslib.as_array(p, (self.size,)).copy()
        if lib.llama_pooling_type(self.context) == P.NONE:
            return np.array([take(lib.llama_get_embeddings_ith(self.context, i)) for i in range(len(ids))])
        v = take(lib.llama_get_embeddings_seq(self.context, 0))
        return v / np.linalg.norm(v)


def bert_tokens(w):
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]"] + ["\u2581" + t for t in LETTERS + ["the", "cat", "\u732b", "\u00df", "\u00f8"] + MARKS] + LETTERS + ["og"]
    w.add_tokenizer_model("bert")
    w.add_token_list(tokens)
    w.add_token_types([CONTROL] * 5 + [NORMAL] * (len(tokens) - 5))
    w.add_bos_token_id(2)
    w.add_sep_token_id(3)
    w.add_unk_token_id(1)
    w.add_pad_token_id(0)
    w.add_mask_token_id(4)
    return len(tokens)


def pieces(w):
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>"] + [f"<0x{i:02X}>" for i in range(256)] + ["\u2581"] + LETTERS + ["th", "the", "\u2581the", "at"]
    w.add_tokenizer_model("llama")
    w.add_token_list(tokens)
    w.add_token_scores([0.0] * 260 + [-30.0 - i for i in range(27)] + [-1.0, -2.0, -3.0, -4.0])
    w.add_token_types([CONTROL] * 3 + [UNKNOWN] + [6] * 256 + [NORMAL] * 31)
    w.add_bos_token_id(2)
    w.add_eos_token_id(1)
    w.add_unk_token_id(3)
    w.add_pad_token_id(0)
    w.add_add_bos_token(True)
    w.add_add_eos_token(True)
    w.add_add_space_prefix(False)
    return len(tokens)


def bytes_(w):
    tokens = ["<|endoftext|>", "<|im_end|>"] + LETTERS + ["\u0120", "th", "the", "\u0120the"]
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2")
    w.add_token_list(tokens)
    w.add_token_types([CONTROL] * 2 + [NORMAL] * 30)
    w.add_token_merges(["t h", "th e", "\u0120 the"])
    w.add_eos_token_id(0)
    w.add_pad_token_id(0)
    w.add_add_bos_token(False)
    w.add_add_eos_token(True)
    return len(tokens)


small = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=128, initializer_range=0.2)
llm = dict(small, num_key_value_heads=1, head_dim=16)
gemma = dict(llm, num_hidden_layers=4, sliding_window=8, layer_types=["sliding_attention"] * 2 + ["full_attention", "sliding_attention"], query_pre_attn_scalar=16,
             use_bidirectional_attention=True, rope_parameters={"full_attention": {"rope_type": "default", "rope_theta": 1e6},
                                                                "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}})

# The architecture, the model, its tokens, its pooling, and whether causal attention is told.
MODELS = {
    "bert": (A.BERT, lambda n: tf.BertModel(tf.BertConfig(vocab_size=n, **small), add_pooling_layer=False), bert_tokens, P.CLS, False),
    "bert-none": (A.BERT, lambda n: tf.BertModel(tf.BertConfig(vocab_size=n, **small), add_pooling_layer=False), bert_tokens, P.NONE, False),
    "nomic-bert": (A.NOMIC_BERT, lambda n: tf.NomicBertModel(tf.NomicBertConfig(vocab_size=n, **small), add_pooling_layer=False), bert_tokens, P.MEAN, False),
    "qwen3": (A.QWEN3, lambda n: tf.Qwen3Model(tf.Qwen3Config(vocab_size=n, **llm)), bytes_, P.LAST, None),
    "llama-both-ways": (A.LLAMA, lambda n: tf.LlamaModel(tf.LlamaConfig(vocab_size=n, **llm)), pieces, P.MEAN, False),
    "gemma-embedding": (A.GEMMA_EMBEDDING, lambda n: tf.Gemma3TextModel(tf.Gemma3TextConfig(vocab_size=n, **gemma)), pieces, P.MEAN, None),
}


def keys(w, config, arch, pooling, causal):
    """The keys that llama.cpp's converter writes of a configuration."""
    w.add_block_count(config.num_hidden_layers)
    w.add_context_length(config.max_position_embeddings)
    w.add_embedding_length(config.hidden_size)
    w.add_feed_forward_length(config.intermediate_size)
    w.add_head_count(config.num_attention_heads)
    w.add_pooling_type(pooling)
    if causal is not None:
        w.add_causal_attention(causal)
    if arch in (A.BERT, A.NOMIC_BERT):
        w.add_layer_norm_eps(config.layer_norm_eps)
        w.add_token_type_count(2)
    else:
        w.add_head_count_kv(config.num_key_value_heads)
        w.add_layer_norm_rms_eps(config.rms_norm_eps)
        w.add_key_length(config.head_dim)
        w.add_value_length(config.head_dim)
    if arch != A.BERT:
        rope = config.rope_parameters
        w.add_rope_freq_base(rope.get("full_attention", rope)["rope_theta"])
    if arch == A.GEMMA_EMBEDDING:
        w.add_sliding_window(config.sliding_window)  # of config.json, before the class halves it
        w.add_sliding_window_pattern([t == "sliding_attention" for t in config.layer_types])


def tensors(model, arch):
    """Names as checkpoints have them, and values as the converter leaves them."""
    config = model.config
    with tempfile.TemporaryDirectory() as path:
        model.save_pretrained(path)
        values = load_file(os.path.join(path, "model.safetensors"))
    for name, v in values.items():
        v = v.numpy()
        if name.endswith("position_ids"):
            continue
        if arch == A.GEMMA_EMBEDDING and name.endswith("norm.weight"):
            v = v + 1
        if arch == A.LLAMA and name.endswith(("q_proj.weight", "k_proj.weight")):
            v = making.neighbours(v, config.num_attention_heads if "q_proj" in name else config.num_key_value_heads)
        yield name, v


def pooled(states, how):
    v = {P.NONE: states, P.CLS: states[0], P.LAST: states[-1], P.MEAN: states.mean(0)}[how]
    return v


for name, (arch, make, vocabulary, pooling, causal) in MODELS.items():
    torch.manual_seed(sum(name.encode()))
    path = os.path.join("ggufembedders", name)
    os.makedirs("ggufembedders", exist_ok=True)
    w = gguf.GGUFWriter(path + ".gguf", gguf.MODEL_ARCH_NAMES[arch])
    model = make(vocabulary(w)).eval()
    making.enliven(model)
    window = getattr(model.config, "sliding_window", None)
    if arch == A.GEMMA_EMBEDDING:
        model.config.sliding_window = 8
    keys(w, model.config, arch, pooling, causal)
    model.config.sliding_window = window
    model.config._attn_implementation = "eager"
    if arch == A.LLAMA:
        model.config.is_causal = False
    names = gguf.get_tensor_name_map(arch, model.config.num_hidden_layers)
    values = dict(tensors(model, arch))
    for hf, v in values.items():
        own = names.get_name(hf, try_suffixes=(".weight", ".bias")) or names.get_name("model." + hf, try_suffixes=(".weight", ".bias"))
        assert own, hf
        w.add_tensor(own, np.ascontiguousarray(v))
    dense = []
    if arch == A.GEMMA_EMBEDDING:
        dense = [torch.randn(64, 32) * 0.2, torch.randn(32, 64) * 0.2]
        for i, d in enumerate(dense):
            w.add_tensor(f"dense_{i + 2}.weight", d.numpy())
            w.add_dense_features_dims(f"dense_{i + 2}", d.shape[1], d.shape[0])
    making.write_gguf(w)
    theirs, out = LlamaCPP(path + ".gguf"), []
    for text in TEXTS + (HARD if vocabulary is not bytes_ else []):  # of the few bytes that those tokens have, no others are made
        ids = theirs.tokens(text)
        got = theirs.vectors(ids) if ids else []
        with torch.no_grad():
            want = pooled(model(torch.tensor([ids])).last_hidden_state[0], pooling)
        for d in dense:
            want = want @ d.T
        want = want.numpy()
        near = (got * want).sum(-1) / np.linalg.norm(got, axis=-1) / np.linalg.norm(want, axis=-1)
        print(name, len(ids), "1 - cosine to transformers", float(1 - near.min()))
        assert near.min() > 0.99999
        out.append({"text": text, "ids": ids, "values": making.rounded(got if got.ndim == 2 else [got])})
    with open(path + ".json", "w") as f:
        json.dump(out, f)
