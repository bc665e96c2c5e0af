"""The reference libraries, in a process of their own that models.py asks: it makes checkpoints, loads them, and runs records, a question in
JSON a line. One process for all families, since loading torch takes longest.

    python bench/references.py THREADS
"""
import json
import os
import sys
import time

import checkpoints

NEW = 64


def words(path):
    """The checkpoint's tokenizer. For some families (Qwen2) transformers would make another of its tokens, their own."""
    from transformers import PreTrainedTokenizerFast
    return PreTrainedTokenizerFast.from_pretrained(path)


def encoder(path):
    from sentence_transformers import SentenceTransformer
    model = SentenceTransformer(path, device="cpu")
    model[0].processor = words(path)
    return lambda records: model.encode(records, batch_size=32, show_progress_bar=False).tolist()


def generator(path):
    import torch
    from transformers import AutoModelForCausalLM
    model, tokens = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval(), words(path)

    def run(records):
        batch = tokens(records, return_tensors="pt", padding=True)
        with torch.inference_mode():
            out = model.generate(batch.input_ids, attention_mask=batch.attention_mask, max_new_tokens=NEW, do_sample=False, eos_token_id=None,
                                 pad_token_id=checkpoints.PAD)
        return out[:, batch.input_ids.shape[1]:].tolist()
    return run


def static(family, path):
    """Encodes the texts of a file and writes them and their vectors to another."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    if family == "StaticModel":
        from model2vec import StaticModel
        encode = StaticModel.from_pretrained(path).encode
    else:
        from sentence_transformers import SentenceTransformer
        encode = SentenceTransformer(path, device="cpu").encode

    def run(files):
        with open(files[0], encoding="utf-8") as f:
            records = [json.loads(r) for r in f]
        vectors = encode([r["text"] for r in records])
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
        table = pa.table({"record_id": [r["id"] for r in records], "text": [r["text"] for r in records], "embedding": column})
        pq.write_table(table, files[1], compression="zstd", compression_level=1)
        return []
    return run


def main():
    import torch

    threads = int(sys.argv[1])
    torch.set_num_threads(threads)
    out, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no answer
    run = None
    for line in sys.stdin:
        does, *given = json.loads(line)
        if does == "make":
            answer = checkpoints.make(*given)
        elif does == "load":
            family, path = given
            run = static(family, path) if family in checkpoints.STATIC else (generator if family in checkpoints.GENERATORS else encoder)(path)
            answer = None
        else:
            begun = time.perf_counter()
            values = run(*given)
            answer = time.perf_counter() - begun, values
        print(json.dumps(answer), file=out, flush=True)
    out.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
