"""One engine in a process of its own: answers each line of JSON on standard input, {"prompts", "max_new_tokens", "batch"},
with {"seconds", "outputs"}. Prompts and outputs are token ids. The model is loaded and warm before the first answer.

    python bench/generate/peers.py transformers|genai|llama MODEL [llama-server]
"""
import concurrent.futures
import http.client
import json
import re
import subprocess
import sys
import time

from prepare import threads

EOS = 2
sorted_by_length = lambda prompts: sorted(range(len(prompts)), key=lambda i: len(prompts[i]))  # noqa: E731


def cut(ids, limit):
    """The new tokens up to the first end, which counts."""
    ids = [int(i) for i in ids[:limit]]
    return ids[:ids.index(EOS) + 1] if EOS in ids else ids


class Static:
    """Batches of prompts of like length, each until its longest text ends."""

    def generate(self, prompts, limit, batch):
        order, outputs = sorted_by_length(prompts), [None] * len(prompts)
        began = time.perf_counter()
        for at in range(0, len(order), batch):
            part = order[at:at + batch]
            for i, ids in zip(part, self.batch([prompts[i] for i in part], limit)):
                outputs[i] = cut(ids, limit)
        return time.perf_counter() - began, outputs


class Transformers(Static):
    def __init__(self, path):
        import torch
        from transformers import AutoModelForCausalLM
        torch.set_num_threads(threads())
        self.torch = torch
        self.model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()

    def batch(self, prompts, limit):
        torch, longest = self.torch, max(map(len, prompts))
        ids = torch.tensor([[EOS] * (longest - len(p)) + p for p in prompts])
        mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
        with torch.inference_mode():
            out = self.model.generate(ids, attention_mask=mask, max_new_tokens=limit, do_sample=False, eos_token_id=EOS, pad_token_id=EOS)
        return out[:, longest:].tolist()


class GenAI(Static):
    """Pads on the right: its graphs count a row's tokens, whatever stands before them."""

    def __init__(self, path):
        import onnxruntime_genai
        self.og = onnxruntime_genai
        self.model = onnxruntime_genai.Model(str(path))

    def batch(self, prompts, limit):
        import numpy
        longest = max(map(len, prompts))
        params = self.og.GeneratorParams(self.model)
        params.set_search_options(do_sample=False, batch_size=len(prompts), max_length=longest + limit, past_present_share_buffer=True)
        generator = self.og.Generator(self.model, params)
        generator.append_tokens(numpy.array([p + [EOS] * (longest - len(p)) for p in prompts], dtype=numpy.int32))
        for _ in range(limit):
            if generator.is_done():
                break
            generator.generate_next_token()
        return [generator.get_sequence(i)[longest:] for i in range(len(prompts))]


class Llama:
    """llama.cpp's server, which puts the next prompt into a slot as soon as one is free."""

    def __init__(self, path, binary):
        self.path, self.binary, self.process, self.slots = path, binary, None, 0

    def start(self, slots):
        self.close()
        self.slots = slots
        self.process = subprocess.Popen(
            [self.binary, "-m", self.path, "--host", "127.0.0.1", "--port", "0", "-t", str(threads()), "-tb", str(threads()), "-np", str(slots),
             "-c", str(512 * slots), "-cb", "-fa", "on", "--cache-ram", "0"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            found = re.search(r"listening on http://127\.0\.0\.1:(\d+)", line)
            if found:
                self.port = int(found[1])
                break
        else:
            raise SystemExit("llama-server ended before it listened")
        self.drain = concurrent.futures.ThreadPoolExecutor(1)
        self.drain.submit(self.process.stderr.read)
        while self.ask("GET", "/health", None)[0] != 200:
            time.sleep(0.05)

    def ask(self, method, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        raw = answer.read()
        connection.close()
        return answer.status, raw

    def one(self, ids, limit):
        status, raw = self.ask("POST", "/completion", {"prompt": ids, "n_predict": limit, "temperature": 0, "return_tokens": True})
        if status != 200:
            raise SystemExit(f"llama-server: {raw[:300]!r}")
        return cut(json.loads(raw)["tokens"], limit)

    def generate(self, prompts, limit, batch):
        if batch != self.slots:
            self.start(batch)
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda p: self.one(p, 16), WARM))
        with concurrent.futures.ThreadPoolExecutor(len(prompts) if batch > 1 else 1) as pool:
            began = time.perf_counter()
            outputs = list(pool.map(lambda p: self.one(p, limit), prompts))
            return time.perf_counter() - began, outputs

    def close(self):
        if self.process:
            self.process.terminate()
            self.process.wait()


WARM = [[4093, 198, 1780, 314], [504, 808, 2089, 288, 536]]  # begins unlike every conversation


def main():
    engine = {"transformers": Transformers, "genai": GenAI, "llama": Llama}[sys.argv[1]](*sys.argv[2:])
    if isinstance(engine, Static):
        engine.generate(WARM, 16, 2)
    try:
        for line in sys.stdin:
            seconds, outputs = engine.generate(**{{"max_new_tokens": "limit"}.get(k, k): v for k, v in json.loads(line).items()})
            print(json.dumps({"seconds": seconds, "outputs": outputs}), flush=True)
    finally:
        if isinstance(engine, Llama):
            engine.close()


if __name__ == "__main__":
    main()
