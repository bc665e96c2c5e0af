"""Makes what compare.py measures, once, in .cache/peers: the same weights in the form that each engine reads.

Everything comes from the GGUF that `textmill setup` obtained. For torch its blocks become floats; onnxruntime-genai's own
builder makes its models of that; llama.cpp reads the file as it is, and is built from the source distribution of
llama-cpp-python with the compiler's flags for this machine.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = ROOT / "bin" / "textmill"
MODEL = "SmolLM2-135M-Instruct"
LLAMA_CPP = "0.3.36"  # of llama-cpp-python, which carries llama.cpp's source
NAMES = {  # llama.cpp's → Hugging Face's
    "token_embd": "model.embed_tokens", "output_norm": "model.norm", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}


def threads():
    """How many threads each engine gets: the CPUs that this process may use."""
    allowed = len(os.sched_getaffinity(0))
    try:
        quota, period = pathlib.Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return allowed if quota == "max" else max(1, min(allowed, int(quota) // int(period)))
    except (OSError, ValueError):
        return allowed


def complete(path, make):
    """Makes a folder under another name, so that what has its own name is whole."""
    if path.exists():
        return path
    print(f"making {path.name} …", file=sys.stderr, flush=True)
    part = path.with_name(path.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    make(part)
    part.rename(path)
    return path


def run(*command, **more):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **more)
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout


def bundle():
    """The model as `textmill setup` left it, and the GGUF that it was made of."""
    model = pathlib.Path(json.loads(run(BINARY, "models", "inspect", MODEL, "--json"))["dir"])
    return model, model.parent.parent / "checkpoints" / MODEL / f"{MODEL}.Q4_1.gguf"


def hugging_face(cache, model, source):
    """The weights as floats, in Hugging Face's names and order."""
    def make(to):
        import gguf
        import torch
        from safetensors.torch import save_file
        for name in ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"):
            shutil.copy(model / name, to)
        config = json.loads((to / "config.json").read_text())
        tensors = {}
        for t in gguf.GGUFReader(str(source)).tensors:
            stem, suffix = t.name.rsplit(".", 1)
            at = ""
            if stem.startswith("blk."):
                _, layer, stem = stem.split(".", 2)
                at = f"model.layers.{layer}."
            w = gguf.dequantize(t.data, t.tensor_type)
            if stem in ("attn_q", "attn_k"):  # llama.cpp has the two halves that rotate as neighbours
                heads = config["num_attention_heads" if stem == "attn_q" else "num_key_value_heads"]
                w = w.reshape(heads, -1, 2, w.shape[1]).swapaxes(1, 2).reshape(w.shape)
            tensors[f"{at}{NAMES[stem]}.{suffix}"] = torch.tensor(w.copy(), dtype=torch.float32)
        save_file(tensors, to / "model.safetensors", metadata={"format": "pt"})
    return complete(cache / "hf-fp32", make)


def genai(cache, weights, precision, *options):
    """A model by onnxruntime-genai's own builder, with as many threads as everybody."""
    def make(to):
        run(sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", weights, "-o", to, "-p", precision, "-e", "cpu",
            "-c", cache / "builder", *options)
        path = to / "genai_config.json"
        config = json.loads(path.read_text())
        config["model"]["decoder"]["session_options"].update(intra_op_num_threads=threads(), inter_op_num_threads=1)
        path.write_text(json.dumps(config, indent=1))
    return complete(cache / f"genai-{precision}", make)


def as_is(cache, model, source):
    """A home with the same library and the model with its exact blocks."""
    def make(to):
        (to / "lib").symlink_to(model.parent.parent / "lib")
        run(BINARY, "models", "import", source, "--name", MODEL, "--precision", "as-is", "--home", to)
    return complete(cache / "home", make)


def llama_server(cache):
    def make(to):
        run(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", ":all:",
            "-d", to, f"llama-cpp-python=={LLAMA_CPP}")
        with tarfile.open(next(to.glob("*.tar.gz"))) as archive:
            archive.extractall(to, filter="data")
        source = next(to.glob("llama_cpp_python-*")) / "vendor" / "llama.cpp"
        run("cmake", "-S", source, "-B", to / "build", "-DCMAKE_BUILD_TYPE=Release", "-DGGML_NATIVE=ON", "-DBUILD_SHARED_LIBS=OFF",
            "-DLLAMA_OPENSSL=OFF", "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_APP=OFF", "-DLLAMA_USE_PREBUILT_UI=OFF")
        run("cmake", "--build", to / "build", "-j", threads(), "--target", "llama-server")
        shutil.copy(to / "build" / "bin" / "llama-server", to / "llama-server")
        shutil.rmtree(to / "build")
    return complete(cache / f"llama.cpp-{LLAMA_CPP}", make) / "llama-server"
