"""Keeps the texts that schemathesis asks for short: what it may ask for by the document takes minutes to make.

What does not fit the document is left as it is.
"""
import schemathesis

LONGEST = {"max_new_tokens": 2, "max_tokens": 2, "max_completion_tokens": 2, "min_new_tokens": 2}


@schemathesis.hook
def map_body(context, body):
    if isinstance(body, dict) and ("messages" in body or "prompt" in body):
        for name, most, allowed in [("n", 1, 128), *((name, most, 2**31 - 1) for name, most in LONGEST.items())]:
            if type(body.get(name)) in (int, float) and body[name] <= allowed:  # 3.0 is whole too
                body[name] = min(body[name], most)
        if not any(body.get(name) is not None for name in LONGEST if name.startswith("max")):
            body["max_tokens"] = 2
    return body
