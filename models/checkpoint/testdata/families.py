"""Makes tiny checkpoints of the generating families that reference.py does not have, and what the reference computes.

Needs torch, transformers 5.23, tokenizers and gguf 0.19; run it in this folder. tiny/NAME holds a Hugging Face directory
and reference.json: rows of input_ids with the logits at every position, and 64 tokens that follow greedily. NAME.gguf is the
same model as llama.cpp's converter keeps it. Every row is longer than the sliding window, one also than
original_max_position_embeddings; with longrope others become longer than that as they go on.

    python families.py            all of them
    python families.py gemma3     one
"""

import json
import math
import os
import shutil
import sys

import gguf
import numpy as np
import torch
import transformers as tf

import making

VOCAB = 64
llm = dict(hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, head_dim=16, vocab_size=VOCAB,
           max_position_embeddings=128, bos_token_id=1, eos_token_id=2, pad_token_id=0, initializer_range=0.2)
default = dict(rope_type="default")
bare = {k: v for k, v in llm.items() if k != "head_dim"}
four = dict(num_hidden_layers=4)
# A GGUF file has no key for query_pre_attn_scalar: where there is one it is the size of a head.
gemma3 = dict(llm, num_hidden_layers=6, sliding_window=5, query_pre_attn_scalar=16,
              rope_parameters=dict(full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1e6), sliding_attention=dict(default, rope_theta=1e4)))
phi3 = dict(bare, hidden_size=128, num_hidden_layers=1, tie_word_embeddings=False)  # ONNX Runtime rotates multiples of 16 dimensions
partial = dict(rope_theta=10000.0, partial_rotary_factor=0.75)
longrope = dict(partial, rope_type="longrope", short_factor=[1.0 + 0.1 * i for i in range(24)], long_factor=[1.0 + 0.7 * i for i in range(24)])
yarn = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=16)
llama3 = dict(rope_type="llama3", rope_theta=10000.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)
heads = dict(num_attention_heads=4, num_key_value_heads=2, head_dim=32)
interleaved = dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.5, mrope_interleaved=True, mrope_section=[3, 3, 2])

MODELS = {
    "gemma2": (tf.Gemma2ForCausalLM, tf.Gemma2Config(**llm, sliding_window=5, query_pre_attn_scalar=16, attn_logit_softcapping=2.0, final_logit_softcapping=3.0), "GEMMA2"),
    "gemma3": (tf.Gemma3ForCausalLM, tf.Gemma3TextConfig(**gemma3), "GEMMA3"),
    "gemma3-images": (tf.Gemma3ForConditionalGeneration, tf.Gemma3Config(text_config=tf.Gemma3TextConfig(**dict(gemma3, num_hidden_layers=3, query_pre_attn_scalar=24,
        layer_types=["sliding_attention", "sliding_attention", "full_attention"])), vision_config=tf.SiglipVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=1, image_size=16, patch_size=8), mm_tokens_per_image=1,
        boi_token_index=60, eoi_token_index=61, image_token_index=62), None),
    "phi3": (tf.Phi3ForCausalLM, tf.Phi3Config(**phi3, sliding_window=7, rope_parameters=dict(partial, rope_type="default")), "PHI3"),
    "phi3-long": (tf.Phi3ForCausalLM, tf.Phi3Config(**phi3, original_max_position_embeddings=16, rope_parameters=longrope), "PHI3"),
    "granite": (tf.GraniteForCausalLM, tf.GraniteConfig(**bare, tie_word_embeddings=True, embedding_multiplier=6.0, attention_multiplier=0.11, residual_multiplier=0.3,
        logits_scaling=4.0), "GRANITE"),
    "olmo2": (tf.Olmo2ForCausalLM, tf.Olmo2Config(**bare, tie_word_embeddings=False), "OLMO2"),
    "olmo3": (tf.Olmo3ForCausalLM, tf.Olmo3Config(**dict(bare, **four), tie_word_embeddings=False, sliding_window=5,
        rope_parameters=dict(full_attention=yarn, sliding_attention=dict(default, rope_theta=10000.0))), "OLMO2"),
    "glm4": (tf.Glm4ForCausalLM, tf.Glm4Config(**dict(llm, head_dim=32), tie_word_embeddings=False, attention_bias=True,
        rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.5)), "GLM4"),
    "exaone4": (tf.Exaone4ForCausalLM, tf.Exaone4Config(**dict(bare, **four), tie_word_embeddings=False, sliding_window=5, sliding_window_pattern=4, rope_parameters=llama3), "EXAONE4"),
    "lfm2": (tf.Lfm2ForCausalLM, tf.Lfm2Config(**dict(bare, **four), layer_types=["conv", "full_attention", "conv", "full_attention"], conv_L_cache=3, block_auto_adjust_ff_dim=True,
        block_multiple_of=8, rope_parameters=dict(default, rope_theta=10000.0)), "LFM2"),
    "lfm2-biased": (tf.Lfm2ForCausalLM, tf.Lfm2Config(**dict(bare, **four), full_attn_idxs=[2], conv_L_cache=4, conv_bias=True, block_auto_adjust_ff_dim=False,
        tie_word_embeddings=False), None),
    "qwen3_5": (tf.Qwen3_5ForCausalLM, tf.Qwen3_5TextConfig(**dict(llm, **four, **heads), tie_word_embeddings=True, rope_parameters=interleaved, linear_num_key_heads=2,
        linear_num_value_heads=4, linear_key_head_dim=16, linear_value_head_dim=8), "QWEN35"),
    # ONNX Runtime multiplies states of 4,096 numbers and more in another way.
    "qwen3_5-images": (tf.Qwen3_5ForConditionalGeneration, tf.Qwen3_5Config(text_config=tf.Qwen3_5TextConfig(**dict(llm, **heads), tie_word_embeddings=False,
        layer_types=["linear_attention", "full_attention"], rope_parameters=interleaved, linear_num_key_heads=1, linear_num_value_heads=2, linear_key_head_dim=64,
        linear_value_head_dim=64, linear_conv_kernel_dim=3), vision_config=tf.Qwen3_5VisionConfig(depth=1, hidden_size=16, intermediate_size=16, num_heads=1, patch_size=4,
        out_hidden_size=32, num_position_embeddings=16), image_token_id=62, video_token_id=61, vision_start_token_id=60, vision_end_token_id=59), None),
    "exaone4-full": (tf.Exaone4ForCausalLM, tf.Exaone4Config(**bare, tie_word_embeddings=True, sliding_window=None, layer_types=["full_attention"] * 2,
        rope_parameters=llama3), None),
}


def forward(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0]


def build(name, cls, config, arch):
    seed = sum(name.encode())
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    path = os.path.join("tiny", name)
    shutil.rmtree(path, ignore_errors=True)
    config._attn_implementation = "eager"
    model = cls(config).eval()
    making.enliven(model, 0.5, 0.5)
    model.to(torch.bfloat16).save_pretrained(path)
    model = making.load(cls, path)
    making.save_words(path, VOCAB)
    rows = []
    for ids in (rng.integers(3, 60, n).tolist() for n in (24, 11, 6)):
        n = 64
        out = list(ids)
        for _ in range(n):  # whole, without a cache
            out.append(int(forward(model, out)[-1].argmax()))
        if name == "phi3-long":  # which drops its cache where a text becomes long
            made = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)), max_new_tokens=n, do_sample=False, eos_token_id=None)
            assert made[0].tolist() == out
        rows.append({"input_ids": ids, "values": making.rounded(forward(model, ids)), "greedy": out[len(ids):]})
    with open(os.path.join(path, "reference.json"), "w") as f:
        json.dump(rows, f)
    if arch:
        write_gguf(name, model, getattr(gguf.MODEL_ARCH, arch))


def keys(w, c, arch, w1):
    """The keys that llama.cpp's converter writes of a configuration."""
    A = gguf.MODEL_ARCH
    w.add_block_count(c.num_hidden_layers + (arch == A.QWEN35))  # and one that predicts a further token
    w.add_context_length(c.max_position_embeddings)
    w.add_embedding_length(c.hidden_size)
    w.add_feed_forward_length(w1)
    w.add_head_count(c.num_attention_heads)
    w.add_head_count_kv(c.num_key_value_heads if arch != A.LFM2 else [c.num_key_value_heads * (t != "conv") for t in c.layer_types])
    w.add_layer_norm_rms_eps(c.norm_eps if arch == A.LFM2 else c.rms_norm_eps)
    rope = c.rope_parameters.get("full_attention", c.rope_parameters)
    w.add_rope_freq_base(rope["rope_theta"])
    head = getattr(c, "head_dim", None) or c.hidden_size // c.num_attention_heads
    if arch in (A.QWEN3, A.GEMMA2, A.GEMMA3, A.GLM4, A.EXAONE4, A.QWEN35):
        w.add_key_length(head)
        w.add_value_length(head)
    if arch == A.GEMMA2:
        w.add_attn_logit_softcapping(c.attn_logit_softcapping)
        w.add_final_logit_softcapping(c.final_logit_softcapping)
    if arch in (A.PHI3, A.GLM4, A.QWEN35):
        w.add_rope_dimension_count(int(head * rope["partial_rotary_factor"]))
    if arch == A.PHI3:
        w.add_rope_scaling_orig_ctx_len(c.original_max_position_embeddings)
        w.add_sliding_window(c.sliding_window or 0)
    elif getattr(c, "sliding_window", None):
        w.add_sliding_window(c.sliding_window)
    if arch == A.LFM2:
        w.add_vocab_size(c.vocab_size)
        w.add_shortconv_l_cache(c.conv_L_cache)
    if arch == A.QWEN35:
        w.add_rope_dimension_sections(rope["mrope_section"] + [0])
        w.add_ssm_conv_kernel(c.linear_conv_kernel_dim)
        w.add_ssm_state_size(c.linear_key_head_dim)
        w.add_ssm_group_count(c.linear_num_key_heads)
        w.add_ssm_time_step_rank(c.linear_num_value_heads)
        w.add_ssm_inner_size(c.linear_value_head_dim * c.linear_num_value_heads)
        w.add_full_attention_interval(4)
        w.add_nextn_predict_layers(1)
    if arch == A.EXAONE4:
        w.add_sliding_window_pattern([t == "sliding_attention" for t in c.layer_types])
    if arch == A.GRANITE:
        w.add_attention_scale(c.attention_multiplier)
        w.add_embedding_scale(c.embedding_multiplier)
        w.add_residual_scale(c.residual_multiplier)
        w.add_logit_scale(c.logits_scaling)
    if rope["rope_type"] in ("linear", "yarn"):
        w.add_rope_scaling_type(gguf.RopeScalingType(rope["rope_type"]))
        w.add_rope_scaling_factor(rope["factor"])
    if rope["rope_type"] == "yarn":
        w.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    if rope["rope_type"] == "longrope":
        scale, original = c.max_position_embeddings / c.original_max_position_embeddings, c.original_max_position_embeddings
        w.add_rope_scaling_attn_factors(math.sqrt(1 + math.log(scale) / math.log(original)))
        w.add_tensor("rope_factors_long.weight", np.array(rope["long_factor"], dtype=np.float32))
        w.add_tensor("rope_factors_short.weight", np.array(rope["short_factor"], dtype=np.float32))
    if rope["rope_type"] == "llama3":
        w.add_tensor("rope_freqs.weight", llama3_factors(rope, head))


def llama3_factors(rope, head):
    """What llama.cpp's converter has the frequencies divided by."""
    out, factor, low, high, old = [], rope["factor"], rope["low_freq_factor"], rope["high_freq_factor"], rope["original_max_position_embeddings"]
    for f in 1.0 / (rope["rope_theta"] ** (np.arange(0, head, 2) / head)):
        wave = 2 * math.pi / f
        smooth = (old / wave - low) / (high - low)
        out.append(1 if wave < old / high else factor if wave > old / low else 1 / ((1 - smooth) / factor + smooth))
    return np.array(out, dtype=np.float32)


def by_turns(hf, value, c):
    """A tensor of a delta rule as llama.cpp's converter has it: the heads of values take those of keys by turns."""
    def turned(x, size):
        return x.reshape(c.linear_num_key_heads, -1, size, *x.shape[1:]).swapaxes(0, 1).reshape(x.shape)
    keys, size = 2 * c.linear_num_key_heads * c.linear_key_head_dim, c.linear_value_head_dim
    if "in_proj_qkv" in hf or "conv1d" in hf:
        return np.concatenate([value[:keys], turned(value[keys:], size)])
    if "out_proj" in hf:
        return turned(value.T, size).T
    return turned(value, size if "in_proj_z" in hf else 1)


def write_gguf(name, model, arch):
    c, T, A = model.config, gguf.GGMLQuantizationType, gguf.MODEL_ARCH
    names = gguf.get_tensor_name_map(arch, c.num_hidden_layers)
    w = gguf.GGUFWriter(name + ".gguf", gguf.MODEL_ARCH_NAMES[arch])
    first = model.model.layers[0]
    keys(w, c, arch, first.feed_forward.w1.out_features if arch == A.LFM2 else c.intermediate_size)
    w.add_tokenizer_model("llama")
    w.add_token_list(["<unk>", "<s>", "</s>"] + [f"t{i}" for i in range(3, VOCAB)])
    w.add_token_scores([0.0] * VOCAB)
    w.add_token_types([2, 3, 3] + [1] * (VOCAB - 3))
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    for hf, value in model.state_dict().items():
        if hf == "lm_head.weight" and c.tie_word_embeddings:
            continue
        value = value.numpy()
        if hf.endswith("norm.weight") and "linear_attn" not in hf and arch in (A.GEMMA2, A.GEMMA3, A.QWEN35):
            value = value + 1
        if arch == A.GRANITE and hf.endswith(("q_proj.weight", "k_proj.weight")):  # pairs of neighbours rotate
            heads = c.num_attention_heads if "q_proj" in hf else c.num_key_value_heads
            value = making.neighbours(value, heads)
        if value.ndim == 3:
            value = value[:, 0]
            t = T.F32
        else:
            t = T.F32 if value.ndim == 1 else T.BF16
        if "linear_attn" in hf and not hf.endswith("linear_attn.norm.weight"):
            value = by_turns(hf, -np.exp(value) if hf.endswith("A_log") else value, c)
            hf = hf.replace("dt_bias", "dt_proj.bias")
        w.add_tensor(names.get_name(hf, try_suffixes=(".weight", ".bias")), gguf.quantize(np.ascontiguousarray(value), t), raw_dtype=t)
    making.write_gguf(w)


for name, (cls, config, arch) in MODELS.items():
    if sys.argv[1:] in ([], [name]):
        build(name, cls, config, arch)

# Of checkpoints that reference.py makes.
for name, cls, arch in (("qwen2", tf.Qwen2ForCausalLM, "QWEN2"), ("qwen3", tf.Qwen3ForCausalLM, "QWEN3")):
    if sys.argv[1:] in ([], [name]):
        write_gguf(name, making.load(cls, os.path.join("tiny", name)), getattr(gguf.MODEL_ARCH, arch))
