"""Makes tiny checkpoints of every architecture and what the reference computes with them.

Needs torch, transformers 5.23, tokenizers and gguf 0.19; run it in this folder. tiny/NAME holds a Hugging Face directory
and reference.json: rows of input_ids, and logits (decoders) or last_hidden_state (encoders) at every position of every row.
llama.gguf is tiny/llama in that format. types.gguf holds a tensor of every type that is read, types.f32 the floats that the
package gguf makes of them, in order.
"""

import json
import os
import shutil

import gguf
import numpy as np
import torch
import transformers as tf

import making

VOCAB = 64
torch.manual_seed(7)
rng = np.random.default_rng(7)

common = dict(hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=2, vocab_size=VOCAB, max_position_embeddings=64)
llm = dict(common, num_key_value_heads=1, head_dim=16, bos_token_id=1, eos_token_id=2, pad_token_id=0, initializer_range=0.2)
llama3 = dict(rope_type="llama3", rope_theta=10000.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)
yarn = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=16)

MODELS = {
    "llama": (tf.LlamaForCausalLM, tf.LlamaConfig(**llm, tie_word_embeddings=True)),
    "llama3": (tf.LlamaForCausalLM, tf.LlamaConfig(**dict(llm, num_attention_heads=4, num_key_value_heads=2), attention_bias=True, mlp_bias=True, tie_word_embeddings=False, rope_parameters=llama3)),
    "mistral": (tf.MistralForCausalLM, tf.MistralConfig(**llm, sliding_window=4, tie_word_embeddings=False)),
    "qwen2": (tf.Qwen2ForCausalLM, tf.Qwen2Config(**{k: v for k, v in llm.items() if k != "head_dim"}, tie_word_embeddings=True, rope_parameters=yarn)),
    "qwen3": (tf.Qwen3ForCausalLM, tf.Qwen3Config(**dict(llm, head_dim=32), tie_word_embeddings=True)),
    "smollm3": (tf.SmolLM3ForCausalLM, tf.SmolLM3Config(**llm, no_rope_layers=[1, 0], tie_word_embeddings=True)),
    "bert": (tf.BertModel, tf.BertConfig(**common, initializer_range=0.2)),
    "xlm-roberta": (tf.XLMRobertaModel, tf.XLMRobertaConfig(**common, pad_token_id=1, type_vocab_size=1, initializer_range=0.2)),
    "distilbert": (tf.DistilBertModel, tf.DistilBertConfig(vocab_size=VOCAB, dim=32, hidden_dim=40, n_layers=2, n_heads=2, max_position_embeddings=64, initializer_range=0.2)),
}

# Built after all else, so that what is above stays as it is. Layers 0 and 3 see everything, the others two tokens on each side.
modern = dict(common, num_hidden_layers=4, global_attn_every_n_layers=3, local_attention=4, pad_token_id=0, bos_token_id=1, eos_token_id=2,
              cls_token_id=1, sep_token_id=2, initializer_range=0.2, embedding_dropout=0.0)
MORE = {
    "modernbert": (tf.ModernBertModel, tf.ModernBertConfig(**modern)),
    "modernbert-biased": (tf.ModernBertModel, tf.ModernBertConfig(**dict(modern, num_attention_heads=4), attention_bias=True, mlp_bias=True, norm_bias=True,
                          local_rope_theta=500.0, global_rope_theta=2000.0)),
}


def rows(decoder):
    low = 3
    return [rng.integers(low, VOCAB, n).tolist() for n in ((11, 6, 1) if decoder else (9, 4))]


def build(name, cls, config):
    path = os.path.join("tiny", name)
    shutil.rmtree(path, ignore_errors=True)
    config._attn_implementation = "eager"
    model = cls(config).eval()
    making.enliven(model)
    model = model.to(torch.bfloat16)
    model.save_pretrained(path, max_shard_size="20KB" if name == "llama3" else "1GB")
    model = making.load(cls, path)
    making.save_words(path, VOCAB)
    decoder = "ForCausalLM" in cls.__name__
    out = []
    for ids in rows(decoder):
        with torch.no_grad():
            r = model(torch.tensor([ids]))
        values = r.logits if decoder else r.last_hidden_state
        out.append({"input_ids": ids, "values": making.rounded(values[0])})
        if decoder:
            out[-1]["greedy"] = greedy(model, ids)
    with open(os.path.join(path, "reference.json"), "w") as f:
        json.dump(out, f)


def greedy(model, ids):
    """What the model goes on with, past its end token too: 64 tokens, or as many as it has positions for."""
    n = min(64, model.config.max_position_embeddings - len(ids))
    out = model.generate(torch.tensor([ids]), max_new_tokens=n, min_new_tokens=n, do_sample=False, eos_token_id=VOCAB)
    return out[0, len(ids):].tolist()


def types():
    T = gguf.GGMLQuantizationType
    w = gguf.GGUFWriter("types.gguf", "types")
    floats = []
    for name in ("F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"):
        t = T[name]
        values = rng.normal(size=(2, 512)).astype(np.float32)
        if name.endswith("_K"):  # no quantizer: any bytes will do, with scales that are numbers
            per, size = gguf.GGML_QUANT_SIZES[t]
            raw = rng.integers(0, 256, (2, 512 // per, size), dtype=np.uint8)
            at = [size - 2] if name == "Q6_K" else [0, 2]
            for a in at:
                raw[:, :, a:a + 2] = rng.normal(size=raw.shape[:2] + (1,)).astype(np.float16).view(np.uint8)
            raw = raw.reshape(2, -1)
        else:
            raw = gguf.quantize(values, t)
        w.add_tensor(name, raw, raw_dtype=None if name == "F32" else t)
        floats.append(gguf.dequantize(raw, t).astype("<f4"))
    making.write_gguf(w)
    np.concatenate(floats).tofile("types.f32")


def llama_gguf():
    """tiny/llama as llama.cpp's converter keeps it, with a byte-level tokenizer of its own."""
    model = tf.LlamaForCausalLM.from_pretrained(os.path.join("tiny", "llama"), dtype=torch.float32)
    c, T = model.config, gguf.GGMLQuantizationType
    w = gguf.GGUFWriter("llama.gguf", "llama")
    w.add_block_count(c.num_hidden_layers)
    w.add_context_length(c.max_position_embeddings)
    w.add_embedding_length(c.hidden_size)
    w.add_feed_forward_length(c.intermediate_size)
    w.add_head_count(c.num_attention_heads)
    w.add_head_count_kv(c.num_key_value_heads)
    w.add_key_length(c.head_dim)
    w.add_rope_dimension_count(c.head_dim)
    w.add_rope_freq_base(c.rope_parameters["rope_theta"])
    w.add_layer_norm_rms_eps(c.rms_norm_eps)
    letters = [chr(97 + i) for i in range(26)]
    tokens = ["<unk>", "<s>", "</s>"] + letters + ["\u0120", "th", "the", "\u0120the"]
    tokens += [f"<unused{i}>" for i in range(VOCAB - len(tokens))]
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("smollm")
    w.add_token_list(tokens)
    w.add_token_types([3, 3, 3] + [1] * 30 + [5] * (VOCAB - 33))
    w.add_token_merges(["t h", "th e", "\u0120 the"])
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    w.add_chat_template("{% for m in messages %}{{ m.content }}{% endfor %}")
    names = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
             "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
             "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
    for name, value in model.state_dict().items():
        if name == "lm_head.weight":
            continue  # tied
        stem, suffix = name.rsplit(".", 1)
        at = ""
        if stem.startswith("model.layers."):
            _, _, layer, stem = stem.split(".", 3)
            at = f"blk.{layer}."
        value = value.numpy()
        if stem in ("self_attn.q_proj", "self_attn.k_proj"):  # pairs of neighbours rotate
            heads = c.num_attention_heads if "q_proj" in stem else c.num_key_value_heads
            value = making.neighbours(value, heads)
        t = T.F32 if value.ndim == 1 else T.BF16
        w.add_tensor(f"{at}{names[stem]}.{suffix}", gguf.quantize(np.ascontiguousarray(value), t), raw_dtype=t)
    making.write_gguf(w)


for name, (cls, config) in MODELS.items():
    build(name, cls, config)
types()
for name, (cls, config) in MORE.items():
    build(name, cls, config)
llama_gguf()
