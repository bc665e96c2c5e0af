"""LangChain's and LlamaIndex's OpenAI embeddings are answered with what the package openai is."""
import os

import numpy as np
import openai
from langchain_openai import OpenAIEmbeddings
from llama_index.embeddings.openai import OpenAIEmbedding

MODEL = "all-MiniLM-L6-v2"
TEXTS = ["a cat sat on the mat", "naïve 東京", "the moon " * 60]
base, key = os.environ["CHECK_URL"] + "/v1", os.environ["CHECK_TOKEN"]

client = openai.OpenAI(base_url=base, api_key=key, max_retries=0)
want = np.array([d.embedding for d in client.embeddings.create(model=MODEL, input=TEXTS).data], np.float32)
assert want.shape == (3, 384) and np.allclose((want ** 2).sum(1), 1, atol=1e-5)


def same(name, got):
    got = np.array(got, np.float32)
    assert got.shape == want.shape and np.abs(got - want).max() < 1e-6, (name, np.abs(got - want).max())


chain = OpenAIEmbeddings(model=MODEL, base_url=base, api_key=key, check_embedding_ctx_length=False)
same("LangChain", chain.embed_documents(TEXTS))
same("LangChain's question", [chain.embed_query(t) for t in TEXTS])
index = OpenAIEmbedding(model_name=MODEL, api_base=base, api_key=key)
same("LlamaIndex", index.get_text_embedding_batch(TEXTS))
same("LlamaIndex's question", [index.get_query_embedding(t) for t in TEXTS])
