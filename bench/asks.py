#!/usr/bin/env python3
"""Questions to /v1/embeddings while a bulk job runs: the time of an answer against that of an idle daemon, and what the job loses.
With --task generate they are conversations of --answer tokens, streamed: the time is that of the first token.

Single texts come in an open loop over 64 connections, at random times, so many that together they are --share of the tokens
a second that the bulk job alone makes; an answer's time counts from when its question was to be sent. Windows with and
without questions alternate while the job runs, and windows of an idle daemon stand before and after it.
"""
import argparse
import http.client
import json
import os
import queue
import random
import statistics
import subprocess
import threading
import time
import urllib.parse

import daemon

CONNECTIONS = 64


def embedding(d, text):
    return "/v1/embeddings", {"model": d.model, "input": text, "encoding_format": "base64"}


def conversation(tokens):
    def request(d, text):
        return "/v1/chat/completions", {"model": d.model, "stream": True, "temperature": 0, "max_tokens": tokens, "ignore_eos": True,
                                        "messages": [{"role": "user", "content": text[:200]}]}
    return request


def first(answer):
    """Reads an answer; gives when the first token or all of it was there, and what went wrong."""
    if answer.getheader("Content-Type") != "text/event-stream":
        body = answer.read()
        return time.perf_counter(), None if answer.status == 200 else body
    came = None
    for line in answer:
        if b'"error"' in line:
            return time.perf_counter(), line
        if came is None and line.startswith(b"data: "):
            came = time.perf_counter()
    return came, None


def ask(d, texts, rate, seconds, seed, request):
    """Answers' times in seconds; a failed one ends the measurement."""
    address = urllib.parse.urlsplit(d.http).netloc
    due, times, failed = queue.Queue(), [], []

    def client():
        connection = http.client.HTTPConnection(address)
        while (item := due.get()) is not None:
            at, text = item
            path, body = request(d, text)
            connection.request("POST", path, json.dumps(body))
            came, wrong = first(connection.getresponse())
            times.append(came - at)
            if wrong:
                failed.append(wrong)

    clients = [threading.Thread(target=client) for _ in range(CONNECTIONS)]
    for c in clients:
        c.start()
    draw, at = random.Random(seed), time.perf_counter()
    end = at + seconds
    while (at := at + draw.expovariate(rate)) < end:
        time.sleep(max(0, at - time.perf_counter()))
        due.put((at, draw.choice(texts)))
    for _ in clients:
        due.put(None)
    for c in clients:
        c.join()
    if failed:
        raise SystemExit(f"{len(failed)} of {len(times)} questions failed: {failed[0]}")
    return times


def p(times, share):
    return sorted(times)[min(len(times) - 1, int(share * len(times)))] * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--texts", type=int, default=200_000, help="of the bulk job; it must outlast the windows")
    parser.add_argument("--task", choices=["embed", "generate"], default="embed")
    parser.add_argument("--answer", type=int, default=16, help="tokens of an answer, with --task generate")
    a = parser.parse_args()
    generate = a.task == "generate"
    request, tokens_of = (conversation(a.answer), "textmill_output_tokens_total") if generate else (embedding, "textmill_tokens_total")
    few_rate, enough = (2, 2_000) if generate else (20, 50_000)
    with daemon.Daemon(a.texts, task=a.task) as d:
        with open(d.texts, encoding="utf-8") as f:
            texts = [json.loads(line)["text"] for line, _ in zip(f, range(1000))]
        tokens = lambda: d.metric(tokens_of)
        ask(d, texts, few_rate, 3, 0, request)  # warm
        before = tokens()
        few = ask(d, texts, few_rate, 5, 1, request)
        each = (tokens() - before) / len(few)
        job = d.submit("bulk", params=["max_new_tokens=64"] if generate else [])
        while tokens() - before < enough:
            time.sleep(0.1)
        rates, loaded = {True: [], False: []}, []
        rate = None
        for n in range(2 * a.pairs):
            asked = n % 2 == 1
            from_, at = tokens(), time.perf_counter()
            if asked:
                times = ask(d, texts, rate, a.seconds, n, request)
                loaded += times
            else:
                times = []
                time.sleep(a.seconds)
            made = tokens() - from_ - each * len(times)
            rates[asked].append(made / (time.perf_counter() - at))
            if rate is None:
                rate = a.share * rates[False][0] / each
                print(f"{each:.1f} tokens a question, {rate:.0f} questions a second over {CONNECTIONS} connections, "
                      f"{rates[False][0]:.0f} tokens a second of the job alone, {d.batch_tokens} a batch; load average {os.getloadavg()[0]:.1f}")
        if job.poll() is not None:
            raise SystemExit("the job ended before the windows did; give more --texts")
        job.terminate()
        job.wait()
        subprocess.run([daemon.BINARY, "cancel", "bulk"], env=d.client, check=True, capture_output=True)
        while d.metric("textmill_deliveries_in_flight") > 0:
            time.sleep(0.5)
        idle = [t for n in range(max(1, a.pairs // 2)) for t in ask(d, texts, rate, a.seconds, 100 + n, request)]
    kept = [with_ / without for with_, without in zip(rates[True], rates[False])]
    for name, times in (("idle", idle), ("beside the job", loaded)):
        print(f"{name:>15}: {len(times)} answers, p50 {p(times, 0.5):.1f} ms, p99 {p(times, 0.99):.1f} ms, most {max(times) * 1000:.1f} ms")
    print(f"p99 beside the job {p(loaded, 0.99) / p(idle, 0.99):.2f} x that of an idle daemon (3 at most); "
          f"the job's tokens a second {statistics.median(kept):.3f} x ({min(kept):.3f}-{max(kept):.3f}; 0.90 at least)")


if __name__ == "__main__":
    main()
