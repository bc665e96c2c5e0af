#!/usr/bin/env python3
"""Whether textmill keeps on a card what it promises, and how fast it is there: one table, also in a file.

    python3 check.py                            on cuda:0, in the folder that make gpu-pack made, in less than 4 minutes
    python3 check.py --device cpu --small       the same checks on the processor, with small models and numbers

It needs Python's standard library, and on a card the driver and CUDA's libraries: those of an installed PyTorch are
found. It ends with 1 where a check failed, at once where the card cannot be used; figures of speed are shown beside their bars and fail nothing.
"""
import argparse
import json
import lzma
import math
import os
import pathlib
import random
import re
import shutil
import signal
import site
import subprocess
import sys
import tempfile
import threading
import time

import shapes

HERE = pathlib.Path(__file__).resolve().parent


class Check:
    def __init__(self, a):
        self.a, self.begin, self.rows, self.failed = a, time.monotonic(), [], 0
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="gpu-check-"))
        self.home = self.work / "home"
        self.cuda = a.device.startswith("cuda")
        self.home.mkdir()
        self.binary = a.binary or self.unpack()
        if a.home:
            (self.home / "lib").symlink_to(a.home / "lib")
        self.carried = HERE / "carried"
        if a.home:
            self.carried = self.work / "carried"
            for part, model in (("encoder", "all-MiniLM-L6-v2"), ("decoder", "SmolLM2-135M-Instruct")):
                (self.carried / part).mkdir(parents=True)
                (self.carried / part / "tokenizer.json").symlink_to(a.home / "models" / model / "tokenizer.json")
        self.env = {**os.environ, "TEXTMILL_HOME": str(self.home), "TEXTMILL_DATA": str(self.work / "data"), "TEXTMILL_RUNTIME_DEVICE": a.device,
                    "TEXTMILL_NATS_EMBEDDED_ADDR": "127.0.0.1:0", "TEXTMILL_HTTP_ADDR": "127.0.0.1:0", "TEXTMILL_LOG_FORMAT": "json"}
        if not a.binary:  # what was packed is one library, for both devices
            self.env["TEXTMILL_RUNTIME_LIBRARY"] = str(self.home / "lib" / "cuda" / "libonnxruntime.so")
        if self.cuda:
            self.env["LD_LIBRARY_PATH"] = ":".join([*pytorch(), os.environ.get("LD_LIBRARY_PATH", "")])

    def unpack(self):
        """What make gpu-pack packed: the binary, and the library into the home."""
        to = self.work / "textmill"
        to.write_bytes(lzma.decompress((HERE / "textmill.xz").read_bytes()))
        to.chmod(0o755)
        for packed in (HERE / "lib").glob("*.xz"):
            library = self.home / "lib" / "cuda" / packed.stem
            library.parent.mkdir(parents=True, exist_ok=True)
            library.write_bytes(lzma.decompress(packed.read_bytes()))
        return to

    def run(self, *args, ok=True, stdin=None, **env):
        r = subprocess.run([self.binary, *map(str, args)], env={**self.env, **env}, input=stdin, capture_output=True, text=True)
        if ok and r.returncode != 0:
            raise Failed(f"textmill {' '.join(map(str, args))[:100]}: exit {r.returncode}: {r.stderr[-600:]}")
        return r

    def row(self, name, value, bar="", passed=True):
        verdict = "" if passed is None else "pass" if passed else "FAIL"
        self.failed += verdict == "FAIL"
        self.rows.append((name, value, bar, verdict))
        print(f"{time.monotonic() - self.begin:6.1f} s  {name:<58} {value:<34} {bar:<16} {verdict}", flush=True)

    def step(self, name, do):
        if time.monotonic() - self.begin > self.a.seconds:
            self.row(name, "not reached: no time was left", passed=False)
            return
        try:
            do()
        except Exception as e:  # noqa: BLE001 — one check that breaks must not hide what the others find
            self.row(name, f"{type(e).__name__}: {e}"[:700], passed=False)

    def table(self):
        lines = [f"gpu-check, {time.strftime('%Y-%m-%d %H:%M:%S %Z')}, {time.monotonic() - self.begin:.0f} s", ""]
        lines += [f"{n:<58} {v:<34} {b:<16} {ok}".rstrip() for n, v, b, ok in self.rows]
        lines += ["", "every check passed" if not self.failed else f"{self.failed} FAILED"]
        pathlib.Path(self.a.out).write_text("\n".join(lines) + "\n")
        print("\n" + "\n".join(lines) + f"\n\nalso in {self.a.out}")


class Failed(Exception):
    pass


def pytorch():
    """Folders of CUDA's libraries that came with PyTorch's wheels."""
    for root in [*site.getsitepackages(), site.getusersitepackages()]:
        for part in ("cu13", "cudnn"):
            lib = pathlib.Path(root) / "nvidia" / part / "lib"
            if lib.is_dir():
                yield str(lib)


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def jsonl(records):
    return "".join(json.dumps(r) + "\n" for r in records)


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


class Daemon:
    """A daemon with a queue of its own, ready on entry."""

    def __init__(self, c, **env):
        self.c, self.env = c, {**c.env, **env}

    def __enter__(self):
        self.process = subprocess.Popen([self.c.binary, "daemon"], env=self.env, stderr=subprocess.PIPE, text=True)
        said = []
        for line in self.process.stderr:
            said.append(line)
            if '"textmill is ready"' in line:
                self.nats = json.loads(line)["nats"]
                threading.Thread(target=self.process.stderr.read, daemon=True).start()
                return self
        raise Failed("the daemon ended before it was ready: " + "".join(said)[-600:])

    def submit(self, model, dataset, path, *args, ok=True):
        begin = time.monotonic()
        r = self.c.run("submit", "--json", "--quiet", "--nats-url", self.nats, "--model", model, "--dataset", dataset, *args, path, ok=ok)
        return time.monotonic() - begin, r

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=90)


def device(c):
    """Without it every check would fail, after models were made for a minute: a tiny one asks whether the device computes."""
    add(c, "tiny-encoder", "trial")
    r = c.run("embed", "--quiet", "--model", "trial", "a text", ok=False)
    c.row(f"device {c.a.device}", r.stderr.strip()[-700:] or "computes", passed=r.returncode == 0)


def facts(c):
    processor = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    c.row("processor", f"{processor}, {len(os.sched_getaffinity(0))} threads", passed=None)
    if c.cuda:
        n = c.a.device.split(":")[1]
        asked = subprocess.run(["nvidia-smi", "-i", n, "--query-gpu=name,driver_version,memory.total,compute_cap", "--format=csv,noheader"],
                               capture_output=True, text=True)
        c.row("card, driver, memory, compute capability", asked.stdout.strip() or asked.stderr.strip(), passed=None)
        libraries = [p.name for d in pytorch() for p in pathlib.Path(d).parent.parent.parent.glob("nvidia_*.dist-info")]
        c.row("CUDA's libraries", ", ".join(sorted({n.removesuffix(".dist-info") for n in libraries if any(
            w in n for w in ("cublas", "cudnn", "runtime", "curand"))})) or "the system's", passed=None)
    c.row("textmill", c.run("version").stdout.split("\n")[0], passed=None)


def add(c, shape, name):
    """Makes and imports a model of random weights; returns what the making took."""
    begin = time.monotonic()
    shapes.make(shape, c.work / "checkpoints" / name, c.carried)
    made = time.monotonic() - begin
    c.run("models", "import", "--quiet", c.work / "checkpoints" / name, "--name", name, *(["--precision", "fp16"] if c.cuda else []))
    return made


def models(c):
    for name in c.encoders + c.decoders:
        begin = time.monotonic()
        made = add(c, name, name)
        c.row(f"model {name}: made and imported", f"{made:.1f} + {time.monotonic() - begin - made:.1f} s", passed=None)


def vectors(c, model, records, *args, **env):
    answers = lines(c.run("embed", "--quiet", "--model", model, *args, stdin=jsonl(records), **env).stdout)
    bad = [a for a in answers if "error" in a]
    if bad or len(answers) != len(records):
        raise Failed(f"{len(answers)} answers of {len(records)}, {bad[:1]}")
    return {a["id"]: a["embedding"] for a in answers}


def completions(c, records, *args, **env):
    answers = lines(c.run("generate", "--quiet", "--model", c.decoders[0], *args, stdin=jsonl(records), **env).stdout)
    bad = [a for a in answers if "error" in a]
    if bad or len(answers) != len(records):
        raise Failed(f"{len(answers)} answers of {len(records)}, {bad[:1]}")
    return {a["id"]: a["output_ids"] for a in answers}


def against_processor(c):
    """The same weights in fp32 on the processor are the reference here; real ones are too large to carry."""
    records = list(shapes.texts(c.carried, 22, 40, seed=2))
    for model in c.encoders[:2]:
        here, there = vectors(c, model, records), vectors(c, model, records, "--device", "cpu")
        worst = min(cosine(here[i], there[i]) for i in here)
        c.row(f"{model}: worst cosine to the processor's fp32, 40 texts", f"{worst:.7f}", ">= 0.9999", worst >= 0.9999)
    records = [{**r, "text": " ".join(r["text"].split()[:8])} for r in records[:16]]
    args = ("--param", "max_new_tokens=16", "--param", "ignore_eos=true", "--param", "do_sample=false")
    here, there = completions(c, records, *args), completions(c, records, *args, "--device", "cpu")
    same = sum(x == y for i in here for x, y in zip(here[i], there[i])) / sum(len(v) for v in there.values())
    c.row("greedy tokens like the processor's, of random weights", f"{100 * same:.1f} %", passed=None)


def invariance(c):
    records = list(shapes.texts(c.carried, 22, c.n(300, 60), seed=3))
    shuffled = random.Random(5).sample(records, len(records))
    for model in c.encoders[:2]:
        name = model.upper().replace("-", "_")
        batched = vectors(c, model, records)
        alone = vectors(c, model, records, **{f"TEXTMILL_MODELS_{name}_BATCH_TOKENS": "8"})  # no two texts fit into 8 tokens
        mixed = vectors(c, model, shuffled)
        other = sum(batched[i] != alone[i] or batched[i] != mixed[i] for i in batched)
        c.row(f"{model}: {len(records)} texts alone, batched, shuffled: other bits", str(other), "0", other == 0)


def live(c):
    """The same prompts and seeds with 1, 16 and 64 of them live, at one decode width."""
    prompts = [{"id": str(i), "text": " ".join(r["text"].split()[:4 + i % 9]), "params": {"seed": i}}
               for i, r in enumerate(shapes.texts(c.carried, 22, c.n(64, 12), seed=4))]
    args = [c.binary, "generate", "--quiet", "--model", c.decoders[0], "--param", f"max_new_tokens={c.n(24, 6)}", "--param", "temperature=0.9",
            "--param", "seed=11", "--param", "ignore_eos=true", "--param", "logprobs=true"]
    found = {}
    for at_once in (1, 16, 64):
        p = subprocess.Popen(args, env=c.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        sent = answered = 0
        got = {}
        while answered < len(prompts):
            while sent < len(prompts) and sent - answered < at_once:
                p.stdin.write(json.dumps({k: prompts[sent][k] for k in ("id", "text")}) + "\n")
                sent += 1
            if not p.stdin.closed:
                p.stdin.flush()
                if sent == len(prompts):
                    p.stdin.close()
            line = p.stdout.readline()
            if not line:
                raise Failed(f"generate ended with {p.wait()} after {answered} answers")
            a = json.loads(line)
            if "error" in a:
                raise Failed(a["error"])
            got[a["id"]] = (a["output_ids"], a.get("logprobs"))
            answered += 1
        p.wait()
        found[at_once] = got
    for at_once in (16, 64):
        other = sum(found[1][i] != found[at_once][i] for i in found[1])
        c.row(f"{len(prompts)} prompts drawn with seeds, 1 and {at_once} live: other bits", str(other), "0", other == 0)


EMBED = {"prompt": "query: ", "pooling": "mean", "normalize": "false", "dimensions": "16", "precision": "int8", "truncate": "left",
         "max_length": "16", "chunk_size": "8", "store_text": "true", "store_token_ids": "true"}
GENERATE = {"min_new_tokens": "2", "do_sample": "true", "temperature": "0.7", "top_k": "5", "top_p": "0.9", "min_p": "0.05", "typical_p": "0.9",
            "epsilon_cutoff": "0.0001", "repetition_penalty": "1.2", "no_repeat_ngram_size": "2", "presence_penalty": "0.5",
            "frequency_penalty": "0.5", "logit_bias": '{"7":-100}', "seed": "3", "stop": '["zq"]', "stop_token_ids": "[9]", "ignore_eos": "true",
            "n": "2", "logprobs": "true", "top_logprobs": "3", "store_text": "true", "store_token_ids": "true"}


def params(c):
    """Every param is taken in one run of each command, and some alone; chat needs a template, which no model here has."""
    text = "the quick brown fox jumps over the lazy dog"
    for command, model, all_of in (("embed", c.encoders[0], EMBED), ("generate", c.decoders[0], {"max_new_tokens": "8", **GENERATE})):
        known = re.search(r"Params: (.*?)\.\s", c.run(command, "--help").stdout, re.DOTALL)[1].replace("\n", " ")
        left = {p.strip() for p in known.split(",")} - set(all_of) - {"chat", "prompt_name", "chunk_overlap"}
        c.row(f"{command}: params that this check does not know", ", ".join(sorted(left)) or "none", "none", not left)
        failed = []
        for k, v in all_of.items():
            more = ["--param", "max_new_tokens=8"] if command == "generate" and k != "max_new_tokens" else []
            more += ["--param", "logprobs=true"] if k == "top_logprobs" else []
            more += ["--param", "chunk_overlap=2"] if k == "chunk_size" else []
            more += ["--param", "temperature=0.7"] if k in ("top_k", "top_p", "min_p", "typical_p", "epsilon_cutoff") else []
            if c.a.small and k not in ("dimensions", "precision", "chunk_size", "top_p", "logit_bias", "n", "top_logprobs", "stop"):
                continue
            r = c.run(command, "--quiet", "--model", model, "--param", f"{k}={v}", *more, text, ok=False)
            if r.returncode != 0 or any("error" in a for a in lines(r.stdout)):
                failed.append(f"{k}: {(r.stderr + r.stdout)[-200:]}")
        c.row(f"{command}: params that failed", "; ".join(failed) or "none", "none", not failed)


def ids(c, dataset):
    return [a["custom_id"] for a in lines(c.run("table", "export", "--format", "openai-batch", dataset).stdout)]


def once(c):
    """Each record once, though the daemon is killed in mid job, and stopped."""
    count = c.n(200000, 4000)
    path = shapes.corpus(c.work / "killed.jsonl", c.carried, 22, count, seed=6)
    model = c.encoders[0]
    kills = 0
    for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        with Daemon(c, TEXTMILL_NATS_ACK_WAIT="5s") as d:
            p = subprocess.Popen([c.binary, "submit", "--quiet", "--nats-url", d.nats, "--model", model, "--dataset", "killed", path], env=c.env,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            deadline = time.monotonic() + c.n(1.0, 0.5)
            while time.monotonic() < deadline and p.poll() is None:
                time.sleep(0.02)
            kills += p.poll() is None
            d.process.send_signal(how)
            d.process.wait(timeout=90)
            p.kill()
            p.wait()
    with Daemon(c, TEXTMILL_NATS_ACK_WAIT="5s") as d:
        d.submit(model, "killed", path)
    found = ids(c, "killed")
    c.row(f"{count} records, {kills} of 3 kills in mid job: rows, different ids", f"{len(found)}, {len(set(found))}", str(count),
          len(found) == count == len(set(found)) and kills > 0)


def memory(c):
    """What cannot fit is refused with figures; what barely fits runs in smaller batches."""
    if not c.cuda:
        c.row("out of memory", "of a card only", passed=None)
        return
    model = c.encoders[-1]
    setting = f"models.{model}.device_memory"
    r = c.run("embed", "--quiet", "--set", setting + "=64MiB", "--model", model, "a text", ok=False)
    c.row("a budget below the weights is refused with figures", f"exit {r.returncode}", "exit 1", r.returncode == 1 and "device_memory is 64 MiB" in r.stderr)
    weights = sum(f.stat().st_size for f in (c.home / "models" / model).rglob("*") if f.is_file())
    records = list(shapes.texts(c.carried, 120, 2000, seed=7))
    found = vectors(c, model, records, "--set", f"{setting}={weights + (320 << 20)}")
    c.row("2,000 long texts with 320 MiB beside the weights", f"{len(found)} vectors", "2000", len(found) == 2000)


def held(c, process):
    """MiB of the device that are in use."""
    if c.cuda:
        out = subprocess.run(["nvidia-smi", "-i", c.a.device.split(":")[1], "--query-gpu=memory.used", "--format=csv,noheader,nounits"],
                             capture_output=True, text=True, check=True)
        return int(out.stdout)
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) >> 10


def together(c):
    """Two models in one daemon, and memory that stays where it is."""
    count, prompts = c.n(50000, 400), c.n(2500, 16)
    texts = [shapes.corpus(c.work / f"together{i}.jsonl", c.carried, 22, count, seed=8 + i) for i in range(2)]
    asked = [c.work / f"prompts{i}.jsonl" for i in range(2)]
    for i, path in enumerate(asked):
        path.write_text(jsonl({"id": f"p{i}-{r['id']}", "text": " ".join(r["text"].split()[:12])} for r in shapes.texts(c.carried, 22, prompts, 10 + i)))
    seen, failures = [], []
    with Daemon(c) as d:
        def one(*job):
            try:
                d.submit(*job)
            except Exception as e:  # noqa: BLE001
                failures.append(str(e))
        for i in range(2):
            jobs = [threading.Thread(target=one, args=(c.encoders[0], "both", texts[i])),
                    threading.Thread(target=one, args=(c.decoders[0], "asked", asked[i], "--param", "max_new_tokens=8"))]
            for t in jobs:
                t.start()
            for t in jobs:
                t.join()
            seen.append(held(c, d.process))
    rows = len(set(ids(c, "both"))), len(set(ids(c, "asked")))
    c.row("two models at once: rows", f"{rows[0]}, {rows[1]} {'; '.join(failures)}"[:200], f"{2 * count}, {2 * prompts}",
          rows == (2 * count, 2 * prompts) and not failures)
    grown = seen[1] - seen[0]
    c.row(f"memory in use after {count} and {2 * count} texts", f"{seen[0]}, {seen[1]} MiB", "+ 64 MiB", grown <= c.n(64, 256))


BARS = {"minilm": 100000, "e5-small": 50000, "smol": None, "llama-1b": None}


def speed(c):
    for model in c.encoders:
        tokens = shapes.ENCODERS[model][5]
        count = c.n({"minilm": 200000, "e5-small": 60000}.get(model, 20000), 300)
        path = shapes.corpus(c.work / f"{model}.jsonl", c.carried, tokens, count, seed=20)
        with Daemon(c) as d:
            d.submit(model, "warm", shapes.corpus(c.work / "warm.jsonl", c.carried, tokens, c.n(2000, 50), seed=21))
            took, _ = d.submit(model, "speed-" + model, path)
        rate = count / took
        bar = BARS.get(model)
        c.row(f"{model}: submit to committed, {count} texts of about {tokens} tokens", f"{rate:,.0f} texts/s", f">= {bar:,}" if bar and c.cuda else "",
              None if not bar or not c.cuda else True if rate >= bar else None)
        with open(path, encoding="utf-8") as f:
            in_all = sum(len(json.loads(line)["text"].split()) + 2 for line in f)
        bench = lines(c.run("models", "bench", model, "--json", "--each", c.n("1s", "100ms")).stdout)
        best = max(b["tokens_per_s"] for b in bench)
        c.row(f"{model}: tokens a second, part of its graph's in a loop without a queue", f"{in_all / took / best:.2f} of {best:,.0f}", ">= 0.9", None)
        peer(c, model, path, rate, 0)
    for model in c.decoders:
        for slots in c.n((64, 256), (4,)):
            n = slots * 3
            path = c.work / f"{model}.jsonl"
            path.write_text(jsonl({"id": r["id"], "text": r["text"]} for r in shapes.texts(c.carried, shapes.DECODERS[model][5], n, 30 + slots)))
            args = ["--param", f"max_new_tokens={c.n(64, 4)}", "--param", "ignore_eos=true", "--param", "do_sample=false"]
            with Daemon(c, TEXTMILL_GENERATE_SLOTS=str(slots)) as d:
                d.submit(model, f"warm-{model}-{slots}", path, *args, "--param", "seed=1")
                took, _ = d.submit(model, f"speed-{model}-{slots}", path, *args)
            rate = n * c.n(64, 4) / took
            c.row(f"{model}: {slots} slots, {n} prompts, output tokens", f"{rate:,.0f} tokens/s", "", None)
        peer(c, model, path, rate, c.n(64, 4))


def peer(c, model, path, ours, new_tokens):
    if c.a.no_peers or c.a.seconds - (time.monotonic() - c.begin) < c.n(25, 5):
        c.row(f"{model}: against the peer", "no time was left, or not asked for", passed=None)
        return
    head = c.work / "peer.jsonl"
    with open(path, encoding="utf-8") as f:
        head.write_text("".join(line for line, _ in zip(f, range(64 if new_tokens else c.n(10000, 100)))))
    r = subprocess.run([sys.executable, HERE / "peers.py", c.work / "checkpoints" / model, head, "--device", c.a.device, "--new-tokens", str(new_tokens)],
                       capture_output=True, text=True, timeout=60)
    if r.returncode != 0:
        c.row(f"{model}: against the peer", "it is not installed, or failed: " + (r.stderr.strip().splitlines() or [""])[-1][:80], passed=None)
        return
    rate = json.loads(r.stdout.splitlines()[-1])["rate"]
    c.row(f"{model}: {'transformers' if new_tokens else 'sentence-transformers'}, fp16 on a card", f"{rate:,.0f} /s, ours {ours / rate:.1f} x",
          ">= 10 x" if new_tokens else ">= 5 x", None)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--device", default="cuda:0")
    p.add_argument("--small", action="store_true", help="small models and numbers: the logic of the checks, not the card")
    p.add_argument("--seconds", type=int, default=225, help="after which no check begins")
    p.add_argument("--binary", type=pathlib.Path, help="textmill, instead of the packed one")
    p.add_argument("--home", type=pathlib.Path, help="where textmill setup put its things, instead of what was packed")
    p.add_argument("--only", default="", help="names of checks with commas between them")
    p.add_argument("--no-peers", action="store_true")
    p.add_argument("--out", default="gpu-check.txt")
    c = Check(p.parse_args())
    c.n = lambda whole, small: small if c.a.small else whole
    c.encoders = c.n(["minilm", "e5-small", "bge-large"], ["tiny-encoder"])
    c.decoders = c.n(["smol", "llama-1b"], ["tiny-decoder"])
    try:
        if c.cuda:
            c.step("device", lambda: device(c))
        steps = [] if c.failed else [facts, models, against_processor, invariance, live, params, once, memory, together, speed]
        for do in steps:
            if do in (facts, models) or not c.a.only or do.__name__ in c.a.only.split(","):
                c.step(do.__name__, lambda do=do: do(c))
    finally:
        shutil.rmtree(c.work, ignore_errors=True)
    c.table()
    return 1 if c.failed else 0


if __name__ == "__main__":
    sys.exit(main())
