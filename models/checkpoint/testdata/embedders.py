"""Makes tiny sentence-transformers checkpoints and the vectors that the reference gives of them.

Needs torch, transformers 5.23, sentence-transformers 6.2 and tokenizers; run it in this folder. embedders/NAME is a directory in
the Hub's layout, with golden.json beside it: texts, and for each set of a job's params the vector of every text.
"""

import json
import os
import shutil
import sys

import numpy as np
import torch
import transformers as tf
from sentence_transformers import SentenceTransformer
from sentence_transformers import models as st
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors

import making

SPECIALS = ["<pad>", "<unk>", "<s>", "</s>"]
WORDS = [f"w{i}" for i in range(60)]
PROMPTS = ["Instruct", "query", "Query", "title", "none", "text", "task", "find", ":", "|", "-"]
VOCAB = SPECIALS + WORDS + PROMPTS
PAD, UNK, BOS, EOS = range(4)
QUERY = "Instruct: find text\nQuery: "

common = dict(vocab_size=len(VOCAB), hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
              max_position_embeddings=64, initializer_range=0.2, bos_token_id=BOS, eos_token_id=EOS, pad_token_id=PAD)
headed = dict(common, head_dim=16)
plain = dict(common, num_attention_heads=2, num_key_value_heads=1)
yarn = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=16)


def texts():
    rng = np.random.default_rng(3)
    lengths = (1, 2, 3, 5, 8, 13, 21, 30, 44, 70)
    return [" ".join(rng.choice(WORDS, n)) for n in lengths] + ["w1, strange words", "", "W3 w4 QUERY"]


def tokenizer(path, template, side, length):
    """Words, with what the template puts around a text."""
    t = Tokenizer(models.WordLevel({w: i for i, w in enumerate(VOCAB)}, unk_token="<unk>"))
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex(r"[:|-]"), "isolated")])
    t.post_processor = processors.TemplateProcessing(single=template, pair=f"{template} $B:1", special_tokens=[("<s>", BOS), ("</s>", EOS)])
    fast = tf.PreTrainedTokenizerFast(tokenizer_object=t, pad_token="<pad>", unk_token="<unk>", bos_token="<s>", eos_token="</s>", padding_side=side,
                                      model_max_length=length)
    fast.save_pretrained(path)


def build(name, cls, config, template="$A </s>", side="left", length=None, modules=lambda dim: [st.Pooling(dim, "lasttoken")], bf16=True,
          prompts=None, similarity=None, truncate=None, cases=({},), finish=lambda path: None, saved=None, lower=False):
    print(name)
    torch.manual_seed(len(name) * 31 + ord(name[0]))
    path, base = os.path.join("embedders", name), os.path.join("embedders", name + ".base")
    for p in (path, base):
        shutil.rmtree(p, ignore_errors=True)
    model = cls(config).eval()
    making.enliven(model)
    if bf16:
        model = model.to(torch.bfloat16)
    model.save_pretrained(base)
    tokenizer(base, template, side, length or config.max_position_embeddings)
    transformer = st.Transformer(base, model_kwargs={"dtype": torch.float32, "attn_implementation": "eager"}, do_lower_case=lower, **({"max_seq_length": length} if length else {}))
    chain = modules(transformer.get_embedding_dimension())
    for m in chain:
        making.enliven(m)
    whole = SentenceTransformer(modules=[transformer] + chain, device="cpu", prompts=prompts, similarity_fn_name=similarity, truncate_dim=truncate)
    whole.save_pretrained(path, create_model_card=False)
    # sentence-transformers saved the weights as fp32; they are those of the base.
    if saved is not False:
        model.save_pretrained(path)
    finish(path)
    shutil.rmtree(base)
    golden(path, cases)


def golden(path, cases):
    model = SentenceTransformer(path, device="cpu", model_kwargs={"dtype": torch.float32, "attn_implementation": "eager"})
    out = {"texts": texts(), "cases": []}
    for case in cases:
        params = dict(case)
        given = {k: params[k] for k in ("prompt_name", "prompt") if k in params}
        if "dimensions" in params:
            given["truncate_dim"] = params["dimensions"]
        vectors = np.stack([model.encode([t], **given)[0] for t in out["texts"]])
        out["cases"].append({"params": params, "vectors": making.rounded(vectors)})
    with open(os.path.join(path, "golden.json"), "w") as f:
        json.dump(out, f)


qwen3 = dict(prompts={"query": QUERY, "document": ""}, similarity="cosine", modules=lambda d: [st.Pooling(d, "lasttoken"), st.Normalize()],
             cases=({}, {"prompt_name": "query"}, {"prompt_name": "document"}, {"dimensions": 8}, {"prompt_name": "query", "dimensions": 16}))

bert = dict(vocab_size=len(VOCAB), hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=64, initializer_range=0.2)
MODES = ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]


def flags(*on):
    """The pooling's config as files of before have it."""
    def finish(path):
        keys = ["cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"]
        with open(os.path.join(path, "1_Pooling", "config.json"), "w") as f:
            json.dump({"word_embedding_dimension": 32, **{f"pooling_mode_{k}": k in on for k in keys}}, f, indent=2)
    return finish


def lower_case(path):
    """sentence_bert_config.json as it was until sentence-transformers 5; the tokenizer saved after has its own normalizer then."""
    with open(os.path.join(path, "sentence_bert_config.json"), "w") as f:
        json.dump({"max_seq_length": 30, "do_lower_case": True}, f, indent=2)
    tokenizer(path, "<s> $A </s>", "right", 64)


def folders(path):
    """The encoder in a folder of its own, its lengths in a file as sentence-transformers called it for RoBERTa."""
    inner = os.path.join(path, "0_Transformer")
    os.mkdir(inner)
    os.remove(os.path.join(path, "sentence_bert_config.json"))
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        os.rename(os.path.join(path, name), os.path.join(inner, name))
    with open(os.path.join(inner, "sentence_roberta_config.json"), "w") as f:
        json.dump({"max_seq_length": 20, "do_lower_case": False}, f, indent=2)
    with open(os.path.join(path, "modules.json")) as f:
        modules = json.load(f)
    modules[0]["path"] = "0_Transformer"
    with open(os.path.join(path, "modules.json"), "w") as f:
        json.dump(modules, f, indent=2)


def labse(d):
    return [st.Pooling(d, "cls"), st.Dense(d, d, activation_function=torch.nn.Tanh()), st.Normalize()]


def chain(d):
    return [st.Pooling(d, ["cls", "max"]), st.Dropout(0.5), st.LayerNorm(2 * d), st.Dense(2 * d, 24, activation_function=torch.nn.GELU()),
            st.Normalize(), st.Dense(24, 40, bias=False, activation_function=torch.nn.Identity())]


def residual(d):
    return [st.Pooling(d, "mean"), st.Normalize(), st.Dense(d, d, activation_function=torch.nn.ReLU(), use_residual=True),
            st.Dense(d, 16, activation_function=torch.nn.SiLU(), use_residual=True), st.Dense(16, 16, activation_function=torch.nn.Sigmoid())]


def encoder(name, modules, prompts={"query": "find: ", "passage": "text: "}, cases=({}, {"prompt_name": "query"}), **more):
    build(name, tf.BertModel, tf.BertConfig(**bert), template="<s> $A </s>", side="right", modules=modules, prompts=prompts, cases=cases, **more)


def pools(mode, **more):
    return lambda n: encoder(n, lambda d: [st.Pooling(d, mode, include_prompt=False)], **more)


MODELS = {
    **{f"pool-{m}": pools(m, length=24) for m in MODES},
    "pool-all": pools(MODES),
    "pool-flags": lambda n: encoder(n, lambda d: [st.Pooling(d, ["max", "mean", "lasttoken"])], finish=flags("lasttoken", "mean_tokens", "max_tokens")),
    "lowercase": lambda n: encoder(n, lambda d: [st.Pooling(d, "mean")], lower=True, finish=lower_case),
    "folders": lambda n: encoder(n, lambda d: [st.Pooling(d, "mean"), st.Dense(d, 12), st.Normalize()], finish=folders),
    "labse": lambda n: encoder(n, labse, truncate=12, prompts={"query": "find: "}, cases=({}, {"dimensions": 32}, {"dimensions": 5}), similarity="dot"),
    "modules": lambda n: encoder(n, chain, cases=({}, {"prompt_name": "query", "dimensions": 7})),
    "residual": lambda n: encoder(n, residual),
    # Qwen3-Embedding: a generator's architecture with modules; the tokenizer appends the end token.
    "qwen3-embedding": lambda n: build(n, tf.Qwen3ForCausalLM, tf.Qwen3Config(**headed, tie_word_embeddings=True), length=48, **qwen3),
    "qwen3-fp32": lambda n: build(n, tf.Qwen3Model, tf.Qwen3Config(**headed), side="right", bf16=False, **qwen3),
    # e5-mistral: a window that texts are longer than, both ends marked.
    "mistral": lambda n: build(n, tf.MistralModel, tf.MistralConfig(**headed, sliding_window=6), template="<s> $A </s>"),
    # gte-Qwen2: tokens see both ways.
    "qwen2-both-ways": lambda n: build(n, tf.Qwen2Model, tf.Qwen2Config(**plain, is_causal=False, rope_parameters=yarn),
                                       modules=lambda d: [st.Pooling(d, "lasttoken"), st.Normalize()]),
    "qwen2-window-both-ways": lambda n: build(n, tf.Qwen2Model, tf.Qwen2Config(**plain, is_causal=False, use_sliding_window=True, sliding_window=3,
                                              max_window_layers=1), modules=lambda d: [st.Pooling(d, "mean")]),
    "llama": lambda n: build(n, tf.LlamaModel, tf.LlamaConfig(**headed, attention_bias=True), template="<s> $A", modules=lambda d: [st.Pooling(d, "mean")]),
    "eurobert": lambda n: build(n, tf.EuroBertModel, tf.EuroBertConfig(**headed, mask_token_id=1), template="<s> $A </s>", side="right",
                                modules=lambda d: [st.Pooling(d, "mean")]),
}

gemma = dict(headed, num_hidden_layers=4, layer_types=["sliding_attention"] * 2 + ["full_attention", "sliding_attention"], query_pre_attn_scalar=24,
             sliding_window=8, rope_parameters={"full_attention": {"rope_type": "default", "rope_theta": 1000000.0},
                                                "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}})
gemma_prompts = {"query": "task: find | query: ", "document": "title: none | text: "}
MODELS["embeddinggemma"] = lambda n: build(
    n, tf.Gemma3TextModel, tf.Gemma3TextConfig(**dict(gemma, use_bidirectional_attention=True)), template="<s> $A </s>", side="right", prompts=gemma_prompts,
    modules=lambda d: [st.Pooling(d, "mean"), st.Dense(d, 4 * d, bias=False, activation_function=torch.nn.Identity()),
                       st.Dense(4 * d, d, bias=False, activation_function=torch.nn.Identity()), st.Normalize()],
    cases=({}, {"prompt_name": "query"}, {"prompt_name": "document"}, {"dimensions": 8}), similarity="cosine")
MODELS["gemma3-causal"] = lambda n: build(n, tf.Gemma3TextModel, tf.Gemma3TextConfig(**gemma), bf16=False, template="<s> $A </s>")
# Layers that see everything have heads of their own, and the window is how far tokens see to either side.
gemma2 = dict(common, num_hidden_layers=4, layer_types=["sliding_attention", "full_attention"] * 2, head_dim=16, global_head_dim=32,
              num_global_key_value_heads=1, sliding_window=4, hidden_size_per_layer_input=16, embedding_dim=24, rope_parameters={
                  "full_attention": {"rope_type": "proportional", "partial_rotary_factor": 0.25, "rope_theta": 1000000.0},
                  "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}})
MODELS["embeddinggemma2"] = lambda n: build(
    n, tf.EmbeddingGemma2TextModel, tf.EmbeddingGemma2TextConfig(**gemma2), template="<s> $A </s>", side="right", prompts=gemma_prompts,
    modules=lambda d: [st.Pooling(24, "mean"), st.Normalize()], cases=({}, {"prompt_name": "query"}, {"dimensions": 8}), similarity="cosine")


def whole(name):
    """embeddinggemma2 as part of the model that also sees and hears. sentence-transformers wants processors for those to open it, so the
    golden vectors are those of the part, to which the whole has to be equal."""
    print(name)
    part, path = os.path.join("embedders", "embeddinggemma2"), os.path.join("embedders", name)
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(part, path)
    text = making.load(tf.EmbeddingGemma2TextModel, part)
    model = tf.EmbeddingGemma2Model(tf.EmbeddingGemma2Config(text_config=text.config)).eval()
    model.language_model.load_state_dict(text.state_dict())
    ids = torch.arange(20).unsqueeze(0)
    with torch.no_grad():
        assert torch.allclose(model(ids).last_hidden_state, text(ids).last_hidden_state, atol=1e-6)
    model.save_pretrained(path)


MODELS["embeddinggemma2-whole"] = whole

for name in sys.argv[1:] or MODELS:
    MODELS[name](name)
