"""Lists the operators that ONNX Runtime has CUDA kernels for, and the types that each takes, out of its own library.

    python cudakernels.py libonnxruntime_providers_cuda.so 1.31.1 > cudakernels.txt

The library is in the wheel onnxruntime-gpu. Its kernels are C++ classes, whose names the compiler keeps for run-time type
information: onnxruntime::cuda::Gemm<MLFloat16> is the kernel of Gemm for fp16. A class without types takes what ONNX allows.
A line is: operator, then for each kernel the types of its template, joined by "/".
"""

import re
import subprocess
import sys

# Classes that are named otherwise than their operator, by what their template's last argument says.
NAMES = {
    ("LayerNorm", "0"): ["LayerNormalization"],
    ("LayerNorm", "1"): ["SimplifiedLayerNormalization"],
    ("SkipLayerNorm", "0"): ["SkipLayerNormalization"],
    ("SkipLayerNorm", "1"): ["SkipSimplifiedLayerNormalization"],
    ("IdentityOp", "0"): ["Identity"],
    ("MatMul", None): ["MatMul", "FusedMatMul"],  # contrib_ops/cuda/math/fused_matmul.cc registers the same class
}
TYPES = {"onnxruntime::MLFloat16": "fp16", "onnxruntime::BFloat16": "bf16", "float": "fp32", "double": "fp64", "int": "int32", "long": "int64",
         "bool": "bool", "signed char": "int8", "unsigned char": "uint8", "short": "int16", "unsigned short": "uint16",
         "unsigned int": "uint32", "unsigned long": "uint64"}

data = open(sys.argv[1], "rb").read()
mangled = sorted({m.decode() for m in re.findall(rb"(N11onnxruntime(?:7contrib)?4cuda[0-9A-Za-z_]+E|N11onnxruntime5ShapeE)(?=\x00)", data)})
plain = subprocess.run(["c++filt", "-t"], input="\n".join(mangled), capture_output=True, text=True, check=True).stdout.splitlines()
kernels = {}
for name in plain:
    m = re.fullmatch(r"onnxruntime::(?:contrib::)?(?:cuda::)?(\w+)(?:<(.*)>)?", name)
    if not m:
        continue
    args = [a.strip() for a in re.split(r",(?![^<]*>)", m[2])] if m[2] else []
    flag = {"true": "1", "false": "0"}.get(args[-1] if args else "")
    types = [TYPES.get(a, a.removeprefix("onnxruntime::").replace(" ", "_")) for a in args if a not in ("true", "false") and not a.isdigit()]
    for op in NAMES.get((m[1], flag)) or [m[1]]:
        kernels.setdefault(op, set()).add("/".join(types) or "any")
print(f"# onnxruntime-gpu {sys.argv[2]}, libonnxruntime_providers_cuda.so; made by cudakernels.py")
for op in sorted(kernels):
    print(op, *sorted(kernels[op]))
