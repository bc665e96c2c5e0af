"""The package openai and LangChain converse, sync, async and streaming, and are answered with what `generate` and a table's rows are."""
import asyncio
import inspect
import json
import os
import subprocess

import openai
from langchain_openai import ChatOpenAI

MODEL = "SmolLM2-135M-Instruct"
base, key = os.environ["CHECK_URL"] + "/v1", os.environ["CHECK_TOKEN"]
client = openai.OpenAI(base_url=base, api_key=key, max_retries=0)
TALK = [{"role": "user", "content": "What is the capital of France?"}]
GREEDY = {"max_tokens": 10, "temperature": 0}
DRAWN = {"max_tokens": 10, "temperature": 1.2, "seed": 7, "n": 2}
CHOSEN = {"top_k": 40, "repetition_penalty": 1.1}


def textmill(*args, stdin=""):
    return subprocess.run([os.environ["CHECK_BIN"], *args], input=stdin, capture_output=True, text=True, check=True).stdout


def ours(params):
    return {"max_new_tokens" if k == "max_tokens" else k: v for k, v in params.items()}


def texts(answer):
    return [c.message.content for c in answer.choices]


def streamed(chunks):
    out, ended, usage = {}, {}, None
    for chunk in chunks:
        usage = chunk.usage or usage
        for c in chunk.choices:
            out[c.index] = out.get(c.index, "") + (c.delta.content or "")
            ended[c.index] = c.finish_reason
    assert None not in ended.values()
    return [out[i] for i in sorted(out)], usage


records = [{"id": "greedy", "messages": TALK, "params": ours(GREEDY)}, {"id": "drawn", "messages": TALK, "params": ours(DRAWN | CHOSEN)},
           {"id": "text", "text": "The capital of France is", "params": ours(GREEDY)}]
lines = "".join(json.dumps(r) + "\n" for r in records)
textmill("submit", "-", "--task", "generate", "--model", MODEL, "--dataset", "chat", "--job", "chat", stdin=lines)
held = {}
for line in textmill("table", "export", "--format", "openai-batch", "chat").splitlines():
    row = json.loads(line)
    held[row["custom_id"]] = row["response"]["body"]
want = {name: [c["message"]["content"] for c in sorted(body["choices"], key=lambda c: c["index"])] for name, body in held.items()}
assert len(want["drawn"]) == 2 and "Paris" in want["greedy"][0], want
alone = json.loads(textmill("generate", "--model", MODEL, stdin=json.dumps(records[0]) + "\n"))
assert alone["output"] == want["greedy"][0], (alone, want)

chat = client.chat.completions.create
greedy = chat(model=MODEL, messages=TALK, **GREEDY)
for name in "usage", "system_fingerprint":
    assert greedy.to_dict()[name] == held["greedy"][name], (greedy, held)
assert texts(greedy) == want["greedy"] and greedy.choices[0].finish_reason == held["greedy"]["choices"][0]["finish_reason"]
assert texts(chat(model=MODEL, messages=TALK, extra_body=CHOSEN, **DRAWN)) == want["drawn"]
got, usage = streamed(chat(model=MODEL, messages=TALK, extra_body=CHOSEN, stream=True, stream_options={"include_usage": True}, **DRAWN))
assert got == want["drawn"] and usage.to_dict() == held["drawn"]["usage"], (got, usage, held)
told = chat(model=MODEL, messages=TALK, logprobs=True, top_logprobs=2, **GREEDY).choices[0].logprobs.content
assert len(told) == held["greedy"]["usage"]["completion_tokens"] and all(t.token == t.top_logprobs[0].token and len(t.top_logprobs) == 2 for t in told)
text = client.completions.create(model=MODEL, prompt="The capital of France is", logprobs=2, **GREEDY)
likely = text.choices[0].logprobs
assert len(likely.tokens) == len(likely.token_logprobs) == len(likely.text_offset) == text.usage.completion_tokens, likely
assert all(max(top.values()) == top[t] == p <= 0 for t, p, top in zip(likely.tokens, likely.token_logprobs, likely.top_logprobs)), likely
assert [text.choices[0].text.find(t, at) for t, at in zip(likely.tokens[:3], likely.text_offset)] == likely.text_offset[:3], likely
# Whatever these methods take is understood, or refused by its name: an object is nothing that these could mean, but for those here.
ANYTHING = {"metadata", "prediction", "prompt_cache_key", "prompt_cache_retention", "parallel_tool_calls"}
for create, body in (chat, {"messages": TALK}), (client.completions.create, {"prompt": "a"}):
    for name in set(inspect.signature(create).parameters) - ANYTHING - {"extra_headers", "extra_query", "extra_body", "timeout"}:
        try:
            create(extra_body={"model": MODEL, **body, name: {"odd": 1}}, **{"model": MODEL, "max_tokens": 1, **body})
            raise AssertionError(f"{name} is passed over")
        except (openai.BadRequestError, openai.NotFoundError) as e:
            assert name in e.body["message"], (name, e.body)
assert text.choices[0].text == want["text"][0], (text, want)
parts = [c.choices[0].text for c in client.completions.create(model=MODEL, prompt="The capital of France is", stream=True, **GREEDY)]
assert "".join(parts) == want["text"][0] and len(parts) > 2


async def beside():
    async with openai.AsyncOpenAI(base_url=base, api_key=key, max_retries=0) as c:
        async def stream():
            chunks = await c.chat.completions.create(model=MODEL, messages=TALK, stream=True, **GREEDY)
            return streamed([chunk async for chunk in chunks])[0]

        many = await asyncio.gather(*[c.chat.completions.create(model=MODEL, messages=TALK, **GREEDY) for _ in range(4)], stream())
        assert [texts(a) for a in many[:4]] == 4 * [want["greedy"]] and many[4] == want["greedy"]


asyncio.run(beside())
chain = ChatOpenAI(model=MODEL, base_url=base, api_key=key, temperature=0, max_tokens=10, max_retries=0)
question = [(m["role"], m["content"]) for m in TALK]
assert chain.invoke(question).content == want["greedy"][0]
assert "".join(c.content for c in chain.stream(question)) == want["greedy"][0]


def refused(error, says, **request):
    try:
        chat(**({"model": MODEL, "messages": TALK} | request))
    except error as e:
        assert says in e.body["message"], e.body
    else:
        raise AssertionError(says)


tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
refused(openai.BadRequestError, "tools", tools=[tool])
refused(openai.BadRequestError, "response_format", response_format={"type": "json_object"}, stream=True)
refused(openai.NotFoundError, "is not served here", model="other")
