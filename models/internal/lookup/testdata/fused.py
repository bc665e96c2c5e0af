"""Writes fused.onnx and fused.json.gz: tiny/bert of models/checkpoint/testdata as torch exports it and ONNX Runtime's optimizer
fuses it, so that one operator, EmbedLayerNormalization, looks tokens up; and the rows of the table, as torch has them.

    python models/internal/lookup/testdata/fused.py     (needs torch 2.15, transformers 5.24, onnx 1.23 and onnxruntime 1.32)
"""
import gzip
import json
import os
import tempfile

import onnx
import torch
from onnxruntime.transformers import optimizer
from transformers import BertModel

HERE = os.path.dirname(os.path.abspath(__file__))
model = BertModel.from_pretrained(os.path.join(HERE, "../../../checkpoint/testdata/tiny/bert"), dtype=torch.float32, attn_implementation="eager").eval()


class Hidden(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).last_hidden_state


ids = torch.arange(6).reshape(2, 3)
with tempfile.TemporaryDirectory() as work:
    plain = os.path.join(work, "plain.onnx")
    torch.onnx.export(Hidden(model), (ids, torch.ones_like(ids), torch.zeros_like(ids)), plain, input_names=["input_ids", "attention_mask", "token_type_ids"],
                      output_names=["last_hidden_state"], opset_version=17, dynamo=False,
                      dynamic_axes={n: {0: "batch", 1: "tokens"} for n in ("input_ids", "attention_mask", "token_type_ids", "last_hidden_state")})
    fused = optimizer.optimize_model(plain, model_type="bert", num_heads=2, hidden_size=32, opt_level=0)
if "EmbedLayerNormalization" not in [n.op_type for n in fused.model.graph.node]:
    raise SystemExit("the optimizer fused no lookup")
onnx.save(fused.model, os.path.join(HERE, "fused.onnx"))
with gzip.GzipFile(os.path.join(HERE, "fused.json.gz"), "wb", mtime=0) as f:
    f.write(json.dumps(model.embeddings.word_embeddings.weight.tolist()).encode())
