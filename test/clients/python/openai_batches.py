"""The package openai has a batch of embeddings carried out whose daemon is killed in its middle: each request is answered once.

    python openai_batches.py [REQUESTS]
"""
import base64
import json
import os
import pathlib
import sys
import time

import numpy as np
import openai

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from run import TOKEN, Daemon  # noqa: E402

N = int(sys.argv[1]) if len(sys.argv) > 1 else 8_000
MODEL = "all-MiniLM-L6-v2"
scratch = pathlib.Path(os.environ["CHECK_SCRATCH"])
os.environ |= {"TEXTMILL_NATS_ACK_WAIT": "3s", "CHECK_BIN": os.environ.get("CHECK_BIN", "bin/textmill")}


def text(i):
    return f"no {i % 1000}"


def until(client, batch, statuses, enough=lambda b: True):
    end = time.monotonic() + 200 + N / 50
    while True:
        b = client.batches.retrieve(batch)
        if b.status in statuses and enough(b):
            return b
        assert b.status not in ("failed", "expired", "cancelled", "completed") and time.monotonic() < end, b
        time.sleep(0.1)


def client_of(daemon):
    return openai.OpenAI(base_url=daemon.env["CHECK_URL"] + "/v1", api_key=TOKEN, max_retries=0, timeout=120)


began = time.monotonic()


def say(what):
    print(f"{time.monotonic() - began:6.1f} s: {what}", flush=True)


requests = scratch / "requests.jsonl"
with requests.open("w") as f:
    for i in range(N):
        body = {"model": MODEL, "input": text(i), "encoding_format": "base64"}
        if i == 17:
            body["input"] = "word " * 600
        f.write(json.dumps({"custom_id": f"request-{i}", "method": "POST", "url": "/v1/embeddings", "body": body}) + "\n")

first = Daemon(os.environ["CHECK_BIN"], scratch)
first.__enter__()
client = client_of(first)
file = client.files.create(file=requests, purpose="batch")
assert file.bytes == requests.stat().st_size and file.purpose == "batch", file
batch = client.batches.create(input_file_id=file.id, endpoint="/v1/embeddings", completion_window="24h", metadata={"who": "check"})
before = until(client, batch.id, ["in_progress"], lambda b: b.request_counts.completed > 0)
first.process.kill()
first.process.wait()
say(f"killed with {before.request_counts.completed} of {N} done")
assert before.request_counts.completed < N, "it was too fast to be killed in the middle"

second = Daemon(os.environ["CHECK_BIN"], scratch)
with second:
    client = client_of(second)
    want = client.embeddings.create(model=MODEL, input=[text(i) for i in range(1000)])
    want = np.array([d.embedding for d in want.data], np.float32)
    b = until(client, batch.id, ["completed"])
    say(f"completed: {b.request_counts}")
    assert b.metadata == {"who": "check"} and b.request_counts.total == N
    assert (b.request_counts.completed, b.request_counts.failed) == (N - 1, 1), b.request_counts
    failed = [json.loads(line) for line in client.files.content(b.error_file_id).text.splitlines()]
    assert len(failed) == 1 and failed[0]["custom_id"] == "request-17" and failed[0]["error"]["code"] == "too_long", failed
    answers = scratch / "answers.jsonl"
    with client.files.with_streaming_response.content(b.output_file_id) as response:
        response.stream_to_file(answers)
    seen = set()
    with answers.open() as f:
        for line in f:
            a = json.loads(line)
            assert a["custom_id"] not in seen and a["error"] is None and a["response"]["status_code"] == 200, a
            seen.add(a["custom_id"])
            i = int(a["custom_id"].removeprefix("request-"))
            got = np.frombuffer(base64.b64decode(a["response"]["body"]["data"][0]["embedding"]), np.float32)
            assert np.array_equal(got, want[i % 1000]), (i, np.abs(got - want[i % 1000]).max())
    assert len(seen) == N - 1
    say(f"{answers.stat().st_size >> 20} MiB of answers, each request's once, the vectors those of /v1/embeddings")
    assert [x.id for x in client.batches.list()] == [b.id]
    purposes = [f.purpose for f in client.files.list()]
    assert sorted(purposes) == ["batch", "batch_output", "batch_output"], purposes
    assert client.files.delete(b.output_file_id).deleted
    try:
        client.files.content(b.output_file_id)
        raise AssertionError("a file that was deleted is there")
    except openai.NotFoundError:
        pass
assert second.ended == 0, second.log[-20:]
