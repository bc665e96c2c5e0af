"""Makes tiny static models and what the reference makes of texts with them.

Needs model2vec 0.10, sentence-transformers 6.2 and tokenizers; run it in this folder. tiny/NAME holds the model as the library saves
it, and vectors.json: the texts, and the vectors that the library's own encode gives.
"""

import json
import os
import shutil

import numpy as np
import torch
from model2vec import StaticModel
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

rng = np.random.default_rng(7)
DIM = 48
WORDS = "the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which one you were all".split()
PIECES = ["##" + c for c in "abcdefghijklmnopqrstuvwxyz"] + list("bcdefghijklmnopqrstuvwxyz") + ["##ing", "##ed", "##er"]

TEXTS = [
    "the cat is in the hat",
    "",
    "   ",
    "it was not that which they had",
    "中文 and the unknown",
    "中文",
    "[CLS] the [SEP] of",
    "readers reading and red",
    "The OF And",
    "a",
    " ".join(WORDS * 4),  # longer than max_length tokens
    "abcdefghijklmnopqrstuvwxyz" * 9 + " the",  # many tokens in few characters
    ("the " + " " * 40) * 12 + "end",  # more characters than count, fewer tokens
    "ünïcödé \U0001f600 text",
]


def tokenizer(wordpiece=True):
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    if wordpiece:
        t = Tokenizer(models.WordPiece({w: i for i, w in enumerate(special + WORDS + PIECES)}, unk_token="[UNK]"))
        t.normalizer = normalizers.BertNormalizer(lowercase=True)
        t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    else:
        vocab = [("[UNK]", 0.0), ("\u2581", -3.0)] + [("\u2581" + w, -2.0 - i / 10) for i, w in enumerate(WORDS)]
        t = Tokenizer(models.Unigram(vocab + [(c, -6.0) for c in "abcdefghijklmnopqrstuvwxyz"], unk_id=0))
        t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.add_special_tokens(special if wordpiece else ["[PAD]"])
    return t


def keep(name, encode, **more):
    path = os.path.join("tiny", name)
    vectors = {key: [[float(x) for x in v] for v in np.asarray(encode(TEXTS, **kw), dtype=np.float32)] for key, kw in {"vectors": {}, **more}.items()}
    with open(os.path.join(path, "vectors.json"), "w") as f:
        json.dump({"texts": TEXTS, **{k: [[float("%.8g" % x) for x in v] for v in vs] for k, vs in vectors.items()}}, f)
    for extra in ("README.md", ".gitattributes"):
        if os.path.exists(os.path.join(path, extra)):
            os.remove(os.path.join(path, extra))


def model2vec(name, t, dtype, config, mapped=False, **kw):
    path = os.path.join("tiny", name)
    shutil.rmtree(path, ignore_errors=True)
    n = t.get_vocab_size()
    rows = 20 if mapped else n
    vectors = rng.normal(size=(rows, DIM))
    vectors = np.round(vectors * 40).clip(-127, 127).astype(np.int8) if dtype == np.int8 else vectors.astype(dtype)
    extra = dict(weights=rng.uniform(0.1, 2, n), token_mapping=rng.integers(0, rows, n)) if mapped else {}
    StaticModel(vectors, t, config=config, **extra, **kw).save_pretrained(path)
    config = json.load(open(os.path.join(path, "config.json")))
    config.update(model_type="model2vec", architectures=["StaticModel"])
    json.dump(config, open(os.path.join(path, "config.json"), "w"))
    m = StaticModel.from_pretrained(path)
    keep(name, m.encode, max_length_6={"max_length": 6})


model2vec("model2vec", tokenizer(), np.float32, {}, normalize=True, max_length=24)
model2vec("model2vec-mapped", tokenizer(), np.float16, {}, mapped=True, max_length=None)
model2vec("model2vec-unigram", tokenizer(wordpiece=False), np.int8, {}, normalize=True)

path = os.path.join("tiny", "static-embedding")
shutil.rmtree(path, ignore_errors=True)
t = tokenizer()
t.enable_truncation(30)
table = torch.tensor(rng.normal(size=(t.get_vocab_size(), DIM)), dtype=torch.float32)
m = SentenceTransformer(modules=[StaticEmbedding(t, embedding_weights=table), Normalize()], prompts={"query": "the one: "}, device="cpu")
m.save(path)
m = SentenceTransformer(path, device="cpu")
keep("static-embedding", m.encode, truncate_16={"truncate_dim": 16, "normalize_embeddings": True}, prompt_query={"prompt_name": "query"})
