"""Keeps the texts that schemathesis asks for short: what it may ask for by the document takes minutes to make."""
import schemathesis


@schemathesis.hook
def map_body(context, body):
    if isinstance(body, dict) and ("messages" in body or "prompt" in body):
        for name, most in ("n", 2), ("max_new_tokens", 4), ("max_tokens", 4), ("max_completion_tokens", 4), ("min_new_tokens", 4):
            if isinstance(body.get(name), int) and not isinstance(body[name], bool):
                body[name] = min(body[name], most)
        if not any(body.get(name) is not None for name in ("max_new_tokens", "max_tokens", "max_completion_tokens")):
            body["max_tokens"] = 4
    return body
