"""Writes ../classes.json, the special tokens that transformers' tokenizer classes imply, and tokens.jsonl.gz, what its
AutoTokenizer makes of random tokenizer_config.json, special_tokens_map.json and config.json files. Needs transformers 5.24.0:

    python tokens.py
"""

import gzip
import inspect
import json
import os
import pathlib
import random
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "critical"

# ruff: noqa: E402
import transformers
from transformers import AutoConfig, AutoTokenizer
from transformers.models.auto import tokenization_auto as auto
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
from transformers.tokenization_utils_tokenizers import TokenizersBackend

assert transformers.__version__ == "5.24.0"
here = pathlib.Path(__file__).parent
STANDARD = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"]


def tokenizer_json(model, byte_level=False, padding=None):
    return {"version": "1.0", "truncation": None, "padding": padding, "added_tokens": [], "normalizer": None,
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True} if byte_level else None,
            "post_processor": None, "decoder": None, "model": model}


BPE = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
       "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, "vocab": {"a": 0, "b": 1}, "merges": []}
UNIGRAM = {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["▁", -1.0], ["a", -1.0], ["b", -2.0]], "byte_fallback": False}
WORDPIECE = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": {"[UNK]": 0, "a": 1}}
WORDLEVEL = {"type": "WordLevel", "unk_token": "[UNK]", "vocab": {"[UNK]": 0, "a": 1}}
PADDING = {"strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": "<padding>"}


def load(files):
    """The named tokens, or None where transformers fails."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            pathlib.Path(folder, name).write_text(json.dumps(content))
        try:
            return dict(AutoTokenizer.from_pretrained(folder).special_tokens_map)
        except Exception:
            return None


def signature(cls):
    """What a class says that it implies, for one that does not load a small tokenizer.json."""
    out = {}
    for name, p in inspect.signature(cls.__init__).parameters.items():
        if name.endswith("_token") and isinstance(p.default, (str, transformers.AddedToken)):
            out[name] = str(p.default)
    return out


def configuration(model_type):
    """What AutoTokenizer makes of a config.json that names nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "config.json").write_text(json.dumps({"model_type": model_type}))
        try:
            return AutoConfig.from_pretrained(folder)
        except Exception:
            return transformers.PreTrainedConfig.from_pretrained(folder)


def classes():
    names = {n for n in auto.TOKENIZER_MAPPING_NAMES.values() if n} | {n for n in dir(transformers) if n.endswith("Tokenizer")}
    tokens, models = {}, {}
    for name in sorted(names):
        try:
            cls = auto.tokenizer_class_from_name(name)
        except Exception:
            continue
        if not inspect.isclass(cls) or not issubclass(cls, transformers.PreTrainedTokenizerBase):
            continue
        for model in (BPE, UNIGRAM, WORDPIECE, WORDLEVEL):
            implied = load({"tokenizer_config.json": {"tokenizer_class": name}, "tokenizer.json": tokenizer_json(model)})
            if implied is not None:
                break
        if implied is None and issubclass(cls, TokenizersBackend):
            implied = signature(cls)
        if not implied:
            continue
        tokens[name] = implied
        padded = load({"tokenizer_config.json": {"tokenizer_class": name}, "tokenizer.json": tokenizer_json(model, padding=PADDING)})
        if padded is not None and "pad_token" not in padded:
            implied["pad_token"] = None  # not even the one of tokenizer.json's padding
        models[name] = model
    registered, config_classes, last = {}, {}, {}
    for model_type in sorted(set(CONFIG_MAPPING_NAMES) | set(auto.TOKENIZER_MAPPING_NAMES)):
        config = configuration(model_type)
        if name := auto.TOKENIZER_MAPPING_NAMES.get(config.model_type):
            registered[model_type] = name
        if name := getattr(config, "tokenizer_class", None):
            config_classes[model_type] = name
        try:
            last[model_type] = auto.TOKENIZER_MAPPING.get(type(config), TokenizersBackend).__name__
        except Exception:
            pass
    return {"tokens": tokens,
            "models": registered,
            "configs": config_classes,
            "last": last,
            "wrong": sorted(auto.MODELS_WITH_INCORRECT_HUB_TOKENIZER_CLASS)}, models


def added(rng, content):
    return {"__type": "AddedToken", "content": content, "lstrip": rng.random() < 0.5, "normalized": False, "rstrip": False, "single_word": False, "special": True}


def token(rng, i):
    content = rng.choice(["<s>", "</s>", "[X]", "", "<|im_end|>", f"<t{i}>", "é"])
    return rng.choices([content, added(rng, content), None], [6, 3, 1])[0]


def case(rng, table, models):
    config, model_types = {}, list(table["models"])
    if rng.random() < 0.7:
        config["tokenizer_class"] = rng.choice(list(table["tokens"]) + ["LlamaTokenizer"] * 12 + ["PreTrainedTokenizerFast", "TokenizersBackend", "Nobody's"] * 4) + rng.choice(["", "", "Fast"])
    for i, name in enumerate(STANDARD):
        if rng.random() < 0.2:
            config[name] = token(rng, i)
    if rng.random() < 0.3:
        config[rng.choice(["image_token", "audio_token", "eot_token", "x_token_id"])] = token(rng, 9)
    for key in ("extra_special_tokens", "additional_special_tokens", "model_specific_special_tokens"):
        if rng.random() < 0.25:
            named = {rng.choice(["image_token", "boi_token", "video", "bos_token"]): token(rng, 7) or "<n>" for _ in range(rng.randint(0, 2))}
            config[key] = rng.choice([named, named, [token(rng, 8) or "<l>"], [], None] if key[0] != "m" else [named])
    if rng.random() < 0.3:
        config["added_tokens_decoder"] = {"0": {"content": "<s>", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}}
    files = {"tokenizer_config.json": config}
    if rng.random() < 0.3:
        old = {}
        for i, name in enumerate(STANDARD + ["image_token"]):
            if rng.random() < 0.3:
                t = token(rng, i)
                if isinstance(t, dict):
                    del t["__type"], t["special"]
                old[name] = t
        if rng.random() < 0.3:
            old["additional_special_tokens"] = ["<o>"]
        if rng.random() < 0.2:
            old["extra_special_tokens"] = rng.choice([["<o>"], {"video_token": "<v>"}])
        files["special_tokens_map.json"] = old
    if rng.random() < 0.6:
        files["config.json"] = {}
        if rng.random() < 0.9:
            files["config.json"]["model_type"] = rng.choice(["llama", "mistral", "qwen2", "phi3", "gemma", "granite", "bert", "t5", "nobody's"] * 6 + model_types)
        if rng.random() < 0.2:
            files["config.json"]["tokenizer_class"] = rng.choice(list(table["tokens"]))
    if rng.random() < 0.05:
        del files["tokenizer_config.json"]
    loads = [models.get(config.get("tokenizer_class", "").removesuffix("Fast"), BPE)] + [BPE, UNIGRAM, WORDPIECE]
    byte_level, padding = rng.random() < 0.2, rng.choice([None, None, PADDING])
    for model in loads:
        files["tokenizer.json"] = tokenizer_json(model, byte_level, padding)
        if (want := load(files)) is not None:
            break
    if want is not None:
        files["tokenizer.json"] = tokenizer_json({"type": model["type"]}, byte_level, padding)
        return {"files": files, "want": want}


def main():
    table, models = classes()
    (here.parent / "classes.json").write_text(json.dumps(table, indent=1, ensure_ascii=True, sort_keys=True) + "\n")
    rng = random.Random(5)
    cases = []
    for name, want in table["tokens"].items():
        files = {"tokenizer_config.json": {"tokenizer_class": name}, "tokenizer.json": tokenizer_json(models[name])}
        if load(files) is not None:
            files["tokenizer.json"] = tokenizer_json({"type": models[name]["type"]})
            cases.append({"files": files, "want": {k: v for k, v in want.items() if v is not None}})
    while len(cases) < 3000:
        if one := case(rng, table, models):
            cases.append(one)
    with open(here / "tokens.jsonl.gz", "wb") as f, gzip.GzipFile("", "wb", 9, f, mtime=0) as z:
        for c in cases:
            z.write((json.dumps(c, ensure_ascii=False, separators=(",", ":")) + "\n").encode())


main()
