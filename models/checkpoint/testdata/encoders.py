"""Makes tiny checkpoints of encoders, laid out as on the Hub, and what the reference computes with them.

Needs torch, transformers 5.23 and sentence-transformers 6.2; run it in this folder, with the names to make, or none for all.
tiny/NAME holds a sentence-transformers directory and

* reference.json: rows of input_ids, each run alone, and transformers' last_hidden_state at every position;
* texts.json: texts with the name of their prompt, and the vectors that sentence-transformers makes of them.

Where a checkpoint of the Hub names settings as the code beside it does, its config.json is put into those words at the end,
when transformers has computed with its own.
"""

import json
import os
import shutil
import string
import sys

import numpy as np
import torch
import transformers as tf
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer

import making

PIECES = list(string.ascii_lowercase) + list(string.digits) + list(".,!?-'") + ["the", "of", "token", "read", "line", "é", "ü", "語"]
VOCAB = PIECES + ["##" + p for p in PIECES if p.isalpha() and p != "語"] + ["##ing", "##s'"]
TEXTS = ["read a file line by line", "The TOKENIZERS of Zürich, reading...", "日本語 résumé café!", "x", "what's 42 - 17?",
         "reading the lines of the token " * 40]


def wordpiece(cls, specials):
    return lambda: cls(vocab={t: i for i, t in enumerate(specials + VOCAB)}, do_lower_case=True)


def unigram(specials):
    scores = [(s, 0.0) for s in specials]
    scores += [("▁" + p, -3.0 - 0.01 * i) for i, p in enumerate(PIECES)] + [(p, -6.0 - 0.01 * i) for i, p in enumerate(PIECES)] + [("▁", -4.0)]
    return lambda: tf.XLMRobertaTokenizer(vocab=scores + [("<mask>", 0.0)])


bert_tokens = wordpiece(tf.BertTokenizer, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
mpnet_tokens = wordpiece(tf.MPNetTokenizer, ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"])
xlmr_tokens = unigram(["<s>", "<pad>", "</s>", "<unk>"])

big = dict(hidden_size=64, intermediate_size=72, num_hidden_layers=2, num_attention_heads=4, initializer_range=0.1)  # heads are multiples of 8
small = dict(hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4, initializer_range=0.2)


def mpnet():
    """Texts are longer than the 128 tokens beyond which distances are one bucket."""
    return dict(model=tf.MPNetModel, config=tf.MPNetConfig(**small, max_position_embeddings=168), tokens=mpnet_tokens, rows=(160, 9, 4, 1), longest=160)


def nomic():
    """Texts are longer than max_trained_positions; in transformers' words those are all positions there are."""
    scaling = dict(rope_type="dynamic", rope_theta=1000.0, factor=2.0)

    def words(path):
        c = tf.NomicBertConfig.from_pretrained(path)
        config(path, {
            "architectures": ["NomicBertModel"], "model_type": "nomic_bert", "activation_function": "swiglu", "causal": False, "layer_norm_epsilon": c.layer_norm_eps,
            "max_trained_positions": c.max_position_embeddings, "mlp_fc1_bias": False, "mlp_fc2_bias": False, "n_embd": c.hidden_size, "n_head": c.num_attention_heads,
            "n_inner": c.intermediate_size, "n_layer": c.num_hidden_layers, "n_positions": 192, "pad_vocab_size_multiple": 64, "parallel_block": False, "prenorm": False,
            "qkv_proj_bias": False, "rotary_emb_base": 1000, "rotary_emb_fraction": 1.0, "rotary_emb_interleaved": False, "rotary_emb_scale_base": None,
            "rotary_scaling_factor": scaling["factor"], "type_vocab_size": 2, "use_rms_norm": None, "vocab_size": c.vocab_size})

    return dict(model=tf.NomicBertModel, config=tf.NomicBertConfig(**big, max_position_embeddings=32, rope_parameters=scaling), tokens=bert_tokens, rows=(100, 40, 32, 9, 1),
                longest=160, prompts={"query": "search_query: ", "document": "search_document: "}, words=words)


def nomic_plain():
    return dict(model=tf.NomicBertModel, config=tf.NomicBertConfig(**small, max_position_embeddings=192), tokens=bert_tokens, rows=(60, 9), longest=100, dtype=torch.float32,
                normalize=False)


def gte():
    return dict(model=tf.GteModel, config=tf.GteConfig(**big, max_position_embeddings=192), tokens=xlmr_tokens, rows=(60, 9, 1), longest=100, pooling="cls")


def new():
    """The code beside the checkpoints multiplies theta by the factor, and divides frequencies by its root for the size of heads."""
    factor, theta, size = 8.0, 20000.0, big["hidden_size"] // big["num_attention_heads"]
    rope = dict(rope_type="linear", rope_theta=theta * factor, factor=factor ** (2 / size))

    def words(path):
        c = tf.GteConfig.from_pretrained(path)
        config(path, {
            "architectures": ["NewForTokenClassification"], "model_type": "new", "hidden_act": "gelu", "hidden_size": c.hidden_size, "intermediate_size": c.intermediate_size,
            "layer_norm_eps": c.layer_norm_eps, "layer_norm_type": "layer_norm", "logn_attention_clip1": False, "logn_attention_scale": False,
            "max_position_embeddings": 192, "num_attention_heads": c.num_attention_heads, "num_hidden_layers": c.num_hidden_layers, "pack_qkv": True, "pad_token_id": 1,
            "position_embedding_type": "rope", "rope_scaling": {"factor": factor, "type": "ntk"}, "rope_theta": theta, "type_vocab_size": 0, "unpad_inputs": False,
            "use_memory_efficient_attention": False, "vocab_size": c.vocab_size})
        file = os.path.join(path, "model.safetensors")
        save_file({"new." + k: v for k, v in load_file(file).items()}, file, {"format": "pt"})

    return dict(model=tf.GteModel, config=tf.GteConfig(**big, max_position_embeddings=192, type_vocab_size=0, rope_parameters=rope), tokens=xlmr_tokens, rows=(60, 9, 1),
                longest=100, pooling="cls", words=words, prompts={"query": "query: "})


def modern_silu():
    """ModernBERT with a gate of SiLU; half of the layers see two tokens on each side, the others all."""
    config = tf.ModernBertConfig(**small, max_position_embeddings=128, global_attn_every_n_layers=2, local_attention=4, hidden_activation="silu", embedding_dropout=0.0)
    return dict(model=tf.ModernBertModel, config=config, tokens=bert_tokens, rows=(60, 9), longest=100, pooling="cls", dtype=torch.float32)


def electra():
    return dict(model=tf.ElectraModel, config=tf.ElectraConfig(**small, embedding_size=24, max_position_embeddings=64), tokens=bert_tokens, rows=(60, 9), longest=64)


def albert():
    return dict(model=tf.AlbertModel, config=tf.AlbertConfig(**dict(small, num_hidden_layers=4), num_hidden_groups=2, embedding_size=24, max_position_embeddings=64),
                tokens=bert_tokens, rows=(60, 9), longest=64)


def jina():
    return dict(model=tf.JinaEmbeddingsV3Model, config=tf.JinaEmbeddingsV3Config(**small, max_position_embeddings=194), tokens=xlmr_tokens, rows=(60, 9), longest=100)


def jina_adapted():
    """The code beside the checkpoint has its weights parametrized: task.json holds what those of one task come to."""

    def words(path):
        c, file = tf.JinaEmbeddingsV3Config.from_pretrained(path), os.path.join(path, "model.safetensors")
        tasks, rank, alpha, number = ["retrieval.query", "separation"], 2, 3.0, 1
        folded, kept = load_file(file), {}
        for name, value in list(folded.items()):
            if value.dim() < 2:
                kept["roberta." + name] = value
                continue
            stem, (rows, width) = "roberta." + name.removesuffix("weight") + "parametrizations.weight.", value.shape
            first, second = (torch.randn(len(tasks), rows, rank) * 0.2).to(value.dtype), (torch.randn(len(tasks), rank, width) * 0.2).to(value.dtype)
            a, b = (first, second) if "embeddings" in name else (second, first)
            kept |= {stem + "original": value, stem + "0.lora_A": a, stem + "0.lora_B": b}
            folded[name] = value.float() + torch.matmul(first[number].float(), second[number].float()) * (alpha / rank)
        save_file({k: v.float().contiguous() for k, v in folded.items()}, file, {"format": "pt"})
        model, ids = making.load(tf.JinaEmbeddingsV3Model, path), list(range(5, 45))
        with torch.no_grad():
            values = model(torch.tensor([ids])).last_hidden_state[0]
        with open(os.path.join(path, "task.json"), "w") as f:
            json.dump({"task": tasks[number], "rows": [{"input_ids": ids, "values": making.rounded(values)}]}, f)
        save_file(kept, file, {"format": "pt"})
        config(path, {
            "architectures": ["XLMRobertaModel"], "model_type": "xlm-roberta", "emb_pooler": "mean", "hidden_act": "gelu", "hidden_size": c.hidden_size,
            "intermediate_size": c.intermediate_size, "layer_norm_eps": c.layer_norm_eps, "lora_adaptations": tasks, "lora_alpha": alpha, "lora_rank": rank,
            "max_position_embeddings": c.max_position_embeddings, "num_attention_heads": c.num_attention_heads, "num_hidden_layers": c.num_hidden_layers, "pad_token_id": 1,
            "position_embedding_type": "rotary", "rotary_emb_base": 20000.0, "type_vocab_size": 1, "vocab_size": c.vocab_size})

    return jina() | dict(words=words)


MODELS = {"mpnet": mpnet, "nomic": nomic, "nomic-plain": nomic_plain, "gte": gte, "new": new, "electra": electra, "albert": albert, "jina-v3": jina, "jina-v3-adapted": jina_adapted, "modernbert-silu": modern_silu}


def config(path, values):
    with open(os.path.join(path, "config.json"), "w") as f:
        json.dump(values, f, indent=1, sort_keys=True)
        f.write("\n")


def fresh(model):
    """Has a rotation forget the longest text it has seen, by which transformers would rotate the next one."""
    for m in model.modules():
        if hasattr(m, "max_seq_len_cached"):
            m.max_seq_len_cached = 0


def directory(path, model, config, tokens, rows, longest, pooling="mean", normalize=True, prompts=None, default=None, dtype=torch.bfloat16, words=None):
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(os.path.join(path, "1_Pooling"))
    tokenizer = tokens()
    config.vocab_size, config.pad_token_id = len(tokenizer), tokenizer.pad_token_id
    born = model(config).eval()
    making.enliven(born)
    born.to(dtype).save_pretrained(path)
    tokenizer.model_max_length = longest
    tokenizer.save_pretrained(path)
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")] + [("2_Normalize", "Normalize")] * normalize

    def write(name, value):
        with open(os.path.join(path, name), "w") as f:
            json.dump(value, f, indent=1)
            f.write("\n")

    write("modules.json", [{"idx": i, "name": str(i), "path": p, "type": f"sentence_transformers.models.{t}"} for i, (p, t) in enumerate(modules)])
    write("sentence_bert_config.json", {"max_seq_length": longest, "do_lower_case": False})
    write("1_Pooling/config.json", {"word_embedding_dimension": config.hidden_size, "pooling_mode_cls_token": pooling == "cls",
                                    "pooling_mode_mean_tokens": pooling == "mean", "pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False})
    write("config_sentence_transformers.json", {"prompts": prompts or {}, "default_prompt_name": default, "similarity_fn_name": "cosine"})

    rng, out = np.random.default_rng(11), []
    loaded = making.load(model, path)
    for n in rows:
        ids = rng.integers(5, config.vocab_size, n).tolist()
        fresh(loaded)
        with torch.no_grad():
            values = loaded(torch.tensor([ids])).last_hidden_state[0]
        out.append({"input_ids": ids, "values": making.rounded(values)})
    with open(os.path.join(path, "reference.json"), "w") as f:
        json.dump(out, f)

    st, out = SentenceTransformer(path, device="cpu", model_kwargs={"dtype": torch.float32}), []
    for name in [None, *(prompts or {})]:
        for text in TEXTS:
            fresh(st)
            vector = st.encode(text, prompt_name=name)
            out.append({"text": text, "prompt": name or default or "", "embedding": [round(float(v), 7) for v in vector]})
    with open(os.path.join(path, "texts.json"), "w") as f:
        json.dump(out, f, ensure_ascii=False)
    if words:
        words(path)


for i, name in enumerate(MODELS):
    if name in (sys.argv[1:] or MODELS):
        torch.manual_seed(i)
        directory(os.path.join("tiny", name), **MODELS[name]())
