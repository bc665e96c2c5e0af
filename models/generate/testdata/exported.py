"""Exports the tiny Llama checkpoint of models/checkpoint/testdata as others do: run it in this folder.

optimum/ needs torch, transformers < 4.58, optimum and optimum-onnx 0.1; genai/ needs onnxruntime-genai 0.18 and a transformers
that its builder accepts (5.x), so that each half may need an environment of its own: python exported.py optimum, then genai.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile

TINY = "../../checkpoint/testdata/tiny/llama"

for kind in sys.argv[1:] or ["optimum", "genai"]:
    out = os.path.join("exported", kind)
    shutil.rmtree(out, ignore_errors=True)
    with tempfile.TemporaryDirectory() as work:
        source = shutil.copytree(TINY, os.path.join(work, "llama"))
        config = json.load(open(os.path.join(source, "config.json")))
        config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]  # as transformers 4 spells it
        config["torch_dtype"] = "float32"
        json.dump(config, open(os.path.join(source, "config.json"), "w"))
        if kind == "optimum":
            from optimum.exporters.onnx import main_export

            main_export(source, output=out, task="text-generation-with-past", library_name="transformers", do_validation=False)
            os.remove(os.path.join(out, "special_tokens_map.json"))
        else:
            subprocess.run([sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", source, "-o", out, "-p", "fp32", "-e", "cpu",
                            "-c", os.path.join(work, "cache")], check=True)
    shutil.copy(os.path.join(TINY, "tokenizer.json"), out)
