"""Asks transformers what generation_config.json and a request come to together, and writes steps.jsonl.gz, texts.jsonl.gz and tokenizer.json.

    python work/generation/testdata/golden.py     (made with torch 2.13, transformers 5.24 and tokenizers 0.23.3)

steps.jsonl.gz    first a line of logits, step by step; then cases: a file's keys, a request's params, a prompt, and of each step what
                  transformers' own processors and warpers, which generate() puts together, leave of the logits: kept ids and their scores.
                  The next token is the likeliest of them.
texts.jsonl.gz    what generate() makes of ../../../models/checkpoint/testdata/tiny/llama with a file's keys and a request's params.
                  Stop strings are looked for with tokenizer.json, which is made here.
A request with a temperature above 0 samples, as textmill has it: transformers is told do_sample.
"""
import copy
import gzip
import json
import os
import warnings

import torch
import transformers as tf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

warnings.filterwarnings("ignore")
tf.logging.set_verbosity_error()
HERE = os.path.dirname(os.path.abspath(__file__))
TINY = os.path.join(HERE, "../../../models/checkpoint/testdata/tiny/llama")
VOCAB, STEPS, EOS = 64, 8, 2


def write(name, rows):
    with gzip.GzipFile(os.path.join(HERE, name), "wb", mtime=0) as f:
        for row in rows:
            f.write(json.dumps(row).encode() + b"\n")


model = tf.LlamaForCausalLM.from_pretrained(TINY, dtype=torch.float32, attn_implementation="eager").eval()


def prepared(file, request, length):
    """The generation config and the processors as generate() makes them."""
    model.generation_config = tf.GenerationConfig.from_dict(copy.deepcopy(file))
    overrides = {k: float(v) if k == "temperature" else v for k, v in request.items()}  # which tells 5 from 5.0
    if "do_sample" not in overrides and "temperature" in overrides:
        overrides["do_sample"] = overrides["temperature"] > 0
    if overrides.get("temperature") == 0:
        del overrides["temperature"]
    config, rest = model._prepare_generation_config(None, **overrides)
    assert not rest, rest
    model._prepare_special_tokens(config, True, device="cpu", batch_size=1)
    default_max = "max_length" not in overrides and "max_length" not in file
    default_min = "min_length" not in overrides and "min_length" not in file
    config = model._prepare_generated_length(config, default_max, default_min, "input_ids", length, torch.zeros(1, length))
    return config


def steps(file, request, prompt, logits):
    config = prepared(file, request, len(prompt))
    ids = torch.tensor([prompt])
    processors = model._get_logits_processor(generation_config=config, input_ids_seq_length=len(prompt), encoder_input_ids=ids, device="cpu", model_kwargs={})
    out = []
    for i in range(min(STEPS, config.max_length - len(prompt))):
        scores = processors(ids, logits[i][None].clone())[0]
        kept = torch.nonzero(scores > -float("inf"))[:, 0].tolist()
        if scores.isnan().any() or not kept:
            raise SystemExit(f"{file} {request}: step {i} has nothing left")
        out.append({"ids": kept, "scores": [float(f"{scores[k].item():.7g}") for k in kept]} if config.do_sample else {"ids": [scores.argmax().item()], "scores": [float(f"{scores.max().item():.7g}")]})
        ids = torch.cat([ids, scores.argmax()[None, None]], -1)
    return {"file": file, "request": request, "prompt": prompt, "steps": out}


E = {"eos_token_id": EOS}
S = {**E, "do_sample": True, "top_k": 0}
LONG = [5, 6, 7, 5, 6, 8, 9, 5, 6]
FILES = [  # a file, the requests that it is tried with
    ({**E, "top_p": 0.6, "temperature": 0.9}, [{}, {"temperature": 5}, {"temperature": 0.5, "top_p": 0.95}, {"top_p": 0.5}, {"do_sample": True}, {"temperature": 0}]),
    (E, [{}, {"temperature": 5}, {"temperature": 1, "top_k": 0}, {"temperature": 1, "top_k": 5}, {"temperature": 0.7, "min_p": 0.1}]),
    ({**E, "do_sample": True}, [{}, {"temperature": 0}, {"do_sample": False}, {"do_sample": False, "temperature": 2}, {"top_k": 7}]),
    ({**E, "do_sample": False, "top_k": 3, "min_p": 0.05}, [{"temperature": 2}, {"temperature": 2, "top_k": 0}]),
    ({**E, "do_sample": True, "temperature": 0.6, "top_p": 0.95, "top_k": 20, "repetition_penalty": 1.05}, [{}, {"temperature": 1.5}, {"repetition_penalty": 1}]),
    ({**E, "typical_p": 0.7, "top_k": None}, [{"temperature": 1}, {"temperature": 1, "typical_p": 0.2}]),
    ({**S, "epsilon_cutoff": 0.02}, [{}, {"epsilon_cutoff": 0.1}]),
    ({**S, "eta_cutoff": 0.05}, [{}, {"temperature": 3}]),
    ({**S, "eta_cutoff": 0.3, "epsilon_cutoff": 0.01, "typical_p": 0.9, "min_p": 0.01, "top_p": 0.9, "top_h": 0.9, "temperature": 1.3}, [{}]),
    ({**S, "typical_p": 0.2, "eta_cutoff": 0.1}, [{}, {"temperature": 1.5}]),  # the first may drop the likeliest token
    ({**S, "top_h": 0.4}, [{}, {"temperature": 4}, {"top_k": 3}]),
    ({**S, "top_h": 0.95}, [{}]),
    ({**S, "renormalize_logits": False, "min_p": 0.2}, [{}]),
    ({**S, "suppress_tokens": [1, 2, 3, 40, 41, 99, -1]}, [{}, {"temperature": 0}]),
    ({**S, "begin_suppress_tokens": [11, 50, 2]}, [{}]),
    ({**E, "suppress_tokens": list(range(20)), "begin_suppress_tokens": list(range(20, 60))}, [{}]),
    ({**S, "bad_words_ids": [[7], [6, 7], [5, 6, 10], [2], [30, 31]]}, [{}, {"temperature": 0}]),
    ({**S, "sequence_bias": [[[7], 2.5], [[6, 7], -3.0], [[5, 6, 7], 1.25], [[7], -1.5], [[9], 100.0]]}, [{}, {"temperature": 0}]),
    ({**S, "no_repeat_ngram_size": 1}, [{}]),
    ({**S, "no_repeat_ngram_size": 2}, [{}, {"no_repeat_ngram_size": 3}, {"no_repeat_ngram_size": 0}]),
    ({**E, "no_repeat_ngram_size": 3}, [{}]),
    ({**S, "encoder_no_repeat_ngram_size": 2}, [{}]),
    ({**S, "encoder_no_repeat_ngram_size": 1, "no_repeat_ngram_size": 4}, [{}]),
    ({**S, "encoder_repetition_penalty": 1.4}, [{}]),
    ({**S, "encoder_repetition_penalty": 0.7, "repetition_penalty": 1.3}, [{}, {"temperature": 0}]),
    ({**S, "min_length": 12}, [{}, {"min_new_tokens": 1}, {"min_new_tokens": 0}]),
    ({**S, "min_new_tokens": 3}, [{}, {"min_new_tokens": 5}]),
    ({**S, "eos_token_id": [2, 3, 4], "min_new_tokens": 3, "min_length": 40}, [{}]),
    ({**S, "forced_eos_token_id": 2, "max_new_tokens": 4}, [{}, {"max_new_tokens": 2}]),
    ({**S, "forced_eos_token_id": [2, 3], "max_length": 14}, [{}]),
    ({**E, "forced_eos_token_id": 2, "max_length": 12, "min_length": 20}, [{}]),
    ({**S, "max_length": 11, "max_new_tokens": 5}, [{}, {"max_new_tokens": 3}]),
    ({**S, "exponential_decay_length_penalty": [2, 1.5]}, [{}, {"temperature": 0}]),
    ({**S, "exponential_decay_length_penalty": [1, 1.2], "min_new_tokens": 4}, [{}]),
    ({**S, "remove_invalid_values": True, "suppress_tokens": [4], "bad_words_ids": [[5]], "top_k": 10}, [{}, {"top_k": 0}]),
    ({**S, "forced_bos_token_id": 9, "begin_suppress_tokens": [9, 10, 11]}, [{}]),
    ({**E, "sequence_bias": [[[2], 1.0]], "repetition_penalty": 1.2, "no_repeat_ngram_size": 2, "bad_words_ids": [[3], [4, 5]], "min_new_tokens": 2,
      "exponential_decay_length_penalty": [3, 1.1], "suppress_tokens": [12], "begin_suppress_tokens": [13], "temperature": 0.8, "top_p": 0.9}, [{}, {"temperature": 1.2}]),
]

generator = torch.Generator().manual_seed(5)
logits = [torch.tensor([round(x, 4) for x in (torch.randn(VOCAB, generator=generator) * 2.5).tolist()]) for _ in range(STEPS)]
rows = [{"logits": [[round(x, 4) for x in v.tolist()] for v in logits]}]
for file, requests in FILES:
    for request in requests:
        rows.append(steps(file, request, LONG, logits))
        if "forced_bos_token_id" in file or "min_length" in file:
            rows.append(steps(file, request, [5], logits))
write("steps.jsonl.gz", rows)
print(len(rows) - 1, "cases of steps")

# Texts of a real model.
letters = [chr(97 + i) for i in range(26)]
tokens = ["<unk>", "<s>", "</s>"] + letters + ["Ġ"] + ["Ġ" + c for c in letters[:20]] + [a + b for a, b in zip(letters[:14], letters[1:15])]
tokenizer = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)}, [], unk_token="<unk>"))
tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
assert len(tokens) == VOCAB and tokenizer.get_vocab_size() == VOCAB
tokenizer.save(os.path.join(HERE, "tokenizer.json"))
fast = tf.PreTrainedTokenizerFast(tokenizer_file=os.path.join(HERE, "tokenizer.json"), eos_token="</s>", unk_token="<unk>", bos_token="<s>")


def text(file, request, prompt):
    model.generation_config = tf.GenerationConfig.from_dict(copy.deepcopy(file))
    ids = torch.tensor([prompt])
    with torch.no_grad():
        out = model.generate(ids, attention_mask=torch.ones_like(ids), return_dict_in_generate=True, output_scores=True, tokenizer=fast, **request)
    new = out.sequences[0, len(prompt):].tolist()
    gaps = [s[0].topk(2).values for s in out.scores]
    gap = min(float(g[0] - g[1]) for g in gaps)
    if gap < 2e-3:
        raise SystemExit(f"{file} {request} {prompt}: a decision was as close as {gap}")
    ends = [file["eos_token_id"]] if isinstance(file["eos_token_id"], int) else file["eos_token_id"]
    body = new[:-1] if new[-1] in ends else new  # the token that ends a text is none of its words
    stops = request.get("stop_strings", file.get("stop_strings")) or []
    return {"file": file, "request": {{"stop_strings": "stop"}.get(k, k): v for k, v in request.items()}, "prompt": prompt, "ids": new,
            "text": fast.decode(body, skip_special_tokens=True), "stops": [stops] if isinstance(stops, str) else stops}


plain = text({**E, "max_new_tokens": 16}, {}, LONG)
words = plain["text"]
print(plain)
TEXTS = [
    ({**E, "max_new_tokens": 16}, [{}, {"max_new_tokens": 3}]),
    ({**E, "max_length": 14}, [{}, {"max_new_tokens": 9}]),
    ({**E, "max_new_tokens": 16, "suppress_tokens": plain["ids"][:2]}, [{}]),
    ({**E, "max_new_tokens": 16, "begin_suppress_tokens": plain["ids"][:1]}, [{}]),
    ({**E, "max_new_tokens": 16, "bad_words_ids": [plain["ids"][1:3], [plain["ids"][4]]]}, [{}]),
    ({**E, "max_new_tokens": 16, "no_repeat_ngram_size": 2}, [{}, {"no_repeat_ngram_size": 1}]),
    ({**E, "max_new_tokens": 16, "repetition_penalty": 1.3}, [{}]),
    ({**E, "max_new_tokens": 6, "forced_eos_token_id": 2}, [{}]),
    ({"eos_token_id": plain["ids"][3], "max_new_tokens": 16}, [{}, {"min_new_tokens": 7}]),
    ({"eos_token_id": [plain["ids"][3], 2], "max_new_tokens": 16, "min_length": 15}, [{}]),
    ({**E, "max_new_tokens": 16, "stop_strings": [words[4:6], "zzzz"]}, [{}, {"stop_strings": [words[7:9]]}]),
    ({**E, "max_new_tokens": 16, "stop_strings": words[5:8]}, [{}]),
    ({**E, "max_new_tokens": 16, "sequence_bias": [[[20], 6.5]]}, [{}]),
    ({**E, "max_new_tokens": 16, "exponential_decay_length_penalty": [3, 1.6]}, [{}]),
]
write("texts.jsonl.gz", [text(file, request, prompt) for file, requests in TEXTS for request in requests for prompt in (LONG, [9, 30, 4, 17])])
