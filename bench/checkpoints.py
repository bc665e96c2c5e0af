"""Checkpoints with random weights for models.py, of 10 to 60 million parameters: the widths of a real family's small models, few layers, and
a made-up vocabulary of words. A family without an entry here has no speed on the scoreboard."""
import json
import os

VOCAB, LONGEST = 16384, 512
PAD, UNK, BOS, EOS = range(4)

WIDE = dict(vocab_size=VOCAB, hidden_size=384, intermediate_size=1536, num_hidden_layers=8, num_attention_heads=6, pad_token_id=PAD)
GATED = dict(WIDE, intermediate_size=1024)
LLM = dict(vocab_size=VOCAB, hidden_size=512, intermediate_size=1408, num_hidden_layers=8, num_attention_heads=8, num_key_value_heads=4,
           max_position_embeddings=2048, pad_token_id=PAD, bos_token_id=BOS, eos_token_id=EOS, initializer_range=0.04)
HEADED = dict(LLM, head_dim=64)
UNTIED = dict(LLM, tie_word_embeddings=False)
DEFAULT = dict(rope_type="default")
GEMMA3 = dict(LLM, num_hidden_layers=6, num_attention_heads=2, num_key_value_heads=1, head_dim=256, sliding_window=512, query_pre_attn_scalar=256,
              rope_parameters=dict(full_attention=dict(DEFAULT, rope_theta=1e6), sliding_attention=dict(DEFAULT, rope_theta=1e4)))

# By the name of its family on the scoreboard: class of transformers, its configuration, and how sentence-transformers pools.
EMBEDDERS = {
    "bert": ("Bert", WIDE, "mean"),
    "xlm-roberta": ("XLMRoberta", dict(WIDE, max_position_embeddings=LONGEST + 2, type_vocab_size=1), "mean"),
    "distilbert": ("DistilBert", dict(vocab_size=VOCAB, dim=384, hidden_dim=1536, n_layers=6, n_heads=6, pad_token_id=PAD), "mean"),
    "modernbert": ("ModernBert", dict(GATED, num_hidden_layers=9, max_position_embeddings=1024, local_attention=128, global_attn_every_n_layers=3, bos_token_id=BOS,
                                      eos_token_id=EOS, cls_token_id=BOS, sep_token_id=EOS), "cls"),
    "mpnet": ("MPNet", dict(WIDE, max_position_embeddings=LONGEST + 2, pad_token_id=UNK), "mean"),  # whose positions begin after 1
    "nomic_bert": ("NomicBert", dict(GATED, max_position_embeddings=1024, rope_parameters=dict(DEFAULT, rope_theta=1000.0)), "mean"),
    "gte": ("Gte", dict(GATED, max_position_embeddings=1024, rope_parameters=dict(DEFAULT, rope_theta=160000.0)), "cls"),
    "electra": ("Electra", dict(WIDE, embedding_size=128), "cls"),
    "albert": ("Albert", dict(WIDE, embedding_size=128, num_hidden_groups=1), "mean"),
    "jina_embeddings_v3": ("JinaEmbeddingsV3", dict(WIDE, max_position_embeddings=1024), "mean"),
    "qwen3": ("Qwen3", HEADED, "lasttoken"),
    "mistral": ("Mistral", dict(HEADED, sliding_window=None), "lasttoken"),
    "qwen2": ("Qwen2", dict(LLM, is_causal=False), "lasttoken"),
    "llama": ("Llama", HEADED, "mean"),
    "eurobert": ("EuroBert", dict(HEADED, mask_token_id=UNK), "mean"),
    "gemma3_text": ("Gemma3Text", dict(GEMMA3, use_bidirectional_attention=True), "mean"),
    "embedding_gemma2_text": ("EmbeddingGemma2Text", dict(LLM, vocab_size=8192, intermediate_size=2048, num_hidden_layers=6, num_attention_heads=4, num_key_value_heads=2,
                              head_dim=256, global_head_dim=512, num_global_key_value_heads=1, sliding_window=512, hidden_size_per_layer_input=512, embedding_dim=768,
                              layer_types=["sliding_attention"] * 5 + ["full_attention"],
                              rope_parameters=dict(full_attention=dict(rope_type="proportional", partial_rotary_factor=0.25, rope_theta=1e6),
                                                   sliding_attention=dict(DEFAULT, rope_theta=1e4))), "mean"),
}
STATIC = ("StaticModel", "StaticEmbedding")
GENERATORS = {
    "LlamaForCausalLM": ("Llama", dict(UNTIED, head_dim=64)),
    "MistralForCausalLM": ("Mistral", dict(UNTIED, head_dim=64, sliding_window=None)),
    "Qwen2ForCausalLM": ("Qwen2", UNTIED),
    "Qwen3ForCausalLM": ("Qwen3", dict(UNTIED, head_dim=64)),
    "SmolLM3ForCausalLM": ("SmolLM3", dict(UNTIED, no_rope_layers=[1, 1, 1, 0] * 2)),
    "Gemma2ForCausalLM": ("Gemma2", dict(LLM, num_hidden_layers=6, num_attention_heads=4, num_key_value_heads=2, head_dim=256, query_pre_attn_scalar=256, sliding_window=1024)),
    "Gemma3ForCausalLM": ("Gemma3", GEMMA3),
    "Phi3ForCausalLM": ("Phi3", dict(UNTIED, original_max_position_embeddings=2048, hidden_size=768, num_attention_heads=6, num_key_value_heads=2, intermediate_size=2048,
                        num_hidden_layers=6, rope_parameters=dict(DEFAULT, rope_theta=10000.0, partial_rotary_factor=0.75))),
    "GraniteForCausalLM": ("Granite", dict(UNTIED, embedding_multiplier=12.0, attention_multiplier=0.015625, residual_multiplier=0.22, logits_scaling=8.0)),
    "Olmo2ForCausalLM": ("Olmo2", UNTIED),
    "Olmo3ForCausalLM": ("Olmo3", dict(UNTIED, sliding_window=1024, rope_parameters=dict(full_attention=dict(DEFAULT, rope_theta=5e5),
                         sliding_attention=dict(DEFAULT, rope_theta=5e5)))),
    "Glm4ForCausalLM": ("Glm4", dict(UNTIED, head_dim=64, attention_bias=True, rope_parameters=dict(DEFAULT, rope_theta=10000.0, partial_rotary_factor=0.5))),
    "Exaone4ForCausalLM": ("Exaone4", dict(UNTIED, sliding_window=1024, sliding_window_pattern=4, rope_parameters=dict(DEFAULT, rope_theta=1e6))),
    "Lfm2ForCausalLM": ("Lfm2", dict(LLM, layer_types=["conv", "conv", "full_attention"] * 2 + ["conv", "full_attention"], conv_L_cache=3, block_auto_adjust_ff_dim=False,
                        rope_parameters=dict(DEFAULT, rope_theta=1e6))),
    "Qwen3_5ForCausalLM": ("Qwen3_5", dict(UNTIED, num_attention_heads=4, num_key_value_heads=2, head_dim=128, linear_num_key_heads=4, linear_num_value_heads=8,
                           linear_key_head_dim=64, linear_value_head_dim=64)),
}
# What is built as another family of the scoreboard is, and is not measured again.
SAME = {"roberta": "xlm-roberta", "camembert": "xlm-roberta", "new": "gte", "embedding_gemma2": "embedding_gemma2_text",
        "Gemma3ForConditionalGeneration": "Gemma3ForCausalLM", "Qwen3_5ForConditionalGeneration": "Qwen3_5ForCausalLM"}


def tokenizer(path, size, generates, side):
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = ["<pad>", "<unk>", "<s>", "</s>"] + [f"w{i}" for i in range(4, size)]
    t = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    t.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if not generates:
        around = "<s> $A </s>" if side == "right" else "$A </s>"
        t.post_processor = processors.TemplateProcessing(single=around, special_tokens=[("<s>", BOS), ("</s>", EOS)])
    named = dict(pad_token="<pad>", unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    transformers.PreTrainedTokenizerFast(tokenizer_object=t, **named, padding_side=side, model_max_length=LONGEST).save_pretrained(path)


def write(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, indent=1)


def modules(path, pooling, width):
    parts = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    write(f"{path}/modules.json", [{"idx": i, "name": str(i), "path": p, "type": f"sentence_transformers.models.{t}"} for i, (p, t) in enumerate(parts)])
    write(f"{path}/sentence_bert_config.json", {"max_seq_length": LONGEST, "do_lower_case": False})
    write(f"{path}/1_Pooling/config.json", {"word_embedding_dimension": width, "pooling_mode_cls_token": pooling == "cls", "pooling_mode_max_tokens": False,
          "pooling_mode_mean_tokens": pooling == "mean", "pooling_mode_mean_sqrt_len_tokens": False, "pooling_mode_lasttoken": pooling == "lasttoken"})


def static(family, path, tokenizer_json):
    """A static model is little but its tokenizer, so that is a real one."""
    import numpy as np
    from tokenizers import Tokenizer

    t = Tokenizer.from_file(tokenizer_json)
    t.no_padding(), t.no_truncation()
    vectors = np.random.default_rng(7).normal(size=(t.get_vocab_size(), 256)).astype(np.float32)
    if family == "StaticModel":
        from model2vec import StaticModel
        StaticModel(vectors, t, config={}, normalize=True).save_pretrained(path)
    else:
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
        SentenceTransformer(modules=[StaticEmbedding(t, embedding_weights=vectors), Normalize()], device="cpu").save(path)
    return vectors.size, "256 dimensions"


def make(family, path, tokenizer_json):
    """Makes the family's checkpoint, and says how many parameters it has and what it looks like."""
    import torch
    import transformers

    if family in STATIC:
        return static(family, path, tokenizer_json)
    torch.manual_seed(7)
    generates = family in GENERATORS
    name, settings = GENERATORS[family] if generates else EMBEDDERS[family][:2]
    config = next(c for c in (getattr(transformers, name + suffix, None) for suffix in ("TextConfig", "Config")) if c)(**settings)
    model = getattr(transformers, name + ("ForCausalLM" if generates else "Model"))(config).eval()
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() == 1:
                p.add_(torch.randn_like(p) * 0.1)  # norms and biases are born as ones and zeros
    model.save_pretrained(path)
    side = "left" if generates or EMBEDDERS[family][2] == "lasttoken" else "right"
    tokenizer(path, config.vocab_size, generates, side)
    if not generates:
        modules(path, EMBEDDERS[family][2], getattr(config, "embedding_dim", None) or config.hidden_size)
    layers, width = config.num_hidden_layers, config.hidden_size
    return sum(p.numel() for p in model.parameters()), f"{layers} layers of {width}"
