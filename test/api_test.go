package test

import (
	"path/filepath"
	"strings"
	"testing"

	"textmill/internal/foreign"
)

// openaisClient asks the daemon by the package openai, in every way that it has, and compares with the table.
const openaisClient = `
import asyncio, sys
import numpy as np, openai
from deltalake import DeltaTable

base, key, table = sys.argv[1:]
rows = sorted(DeltaTable(table).to_pyarrow_table().to_pylist(), key=lambda r: r["record_id"])
texts, model = [r["text"] for r in rows], rows[0]["model"]
held = np.array([r["embedding"] for r in rows], dtype=np.float32)
client = openai.OpenAI(base_url=base, api_key=key, max_retries=0)

def same(answer):
    assert answer.model == model and answer.model_sha256 == rows[0]["model_sha256"]
    assert [d.index for d in answer.data] == list(range(len(texts)))
    assert np.array_equal(np.array([d.embedding for d in answer.data], dtype=np.float32), held)
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == sum(r["n_tokens"] for r in rows)

same(client.embeddings.create(model=model, input=texts))  # base64, as the package asks by itself
same(client.embeddings.create(model=model, input=texts, encoding_format="float", user="u"))

async def beside():
    async with openai.AsyncOpenAI(base_url=base, api_key=key, max_retries=0) as c:
        for answer in await asyncio.gather(*[c.embeddings.create(model=model, input=texts) for _ in range(8)]):
            same(answer)

asyncio.run(beside())
cut = client.embeddings.create(model=model, input="word " * 600, dimensions=8, extra_body={"truncate": "right"})
assert len(cut.data[0].embedding) == 8
assert [m.id for m in client.models.list() if m.task == "embed"] == [model]
assert client.models.retrieve(model).model_sha256 == rows[0]["model_sha256"]

def refused(error, says, client=client, **request):
    try:
        client.embeddings.create(**({"model": model, "input": "a"} | request))
    except error as e:
        assert says in e.body["message"], e.body
    else:
        raise AssertionError(says)

refused(openai.NotFoundError, "is not served here", model="other")
refused(openai.BadRequestError, "input[1]: text: 602 tokens exceed max_length 256", input=["a", "word " * 600])
refused(openai.BadRequestError, "token IDs", input=[1, 2])
refused(openai.AuthenticationError, "bearer token", client=openai.OpenAI(base_url=base, api_key="another", max_retries=0))
print("ok")
`

func TestOpenAIsClientEmbeds(t *testing.T) {
	home := newHome(t)
	token := filepath.Join(home, "token")
	write(t, token, "a secret\n")
	d := startDaemon(t, home, "TEXTMILL_HTTP_TOKEN_FILE="+token)
	lines := "{\"id\":\"0\",\"text\":\"a cat\"}\n{\"id\":\"1\",\"text\":\"naïve 東京, and " + strings.Repeat("the moon ", 60) + "\"}\n"
	c := d.client()
	c.stdin = lines
	c.ok(t, "submit", "-", "--dataset", "asked", "--model", model)
	if out := foreign.Python(t, openaisClient, d.http+"/v1", "a secret", d.table("asked")); out != "ok\n" {
		t.Error(out)
	}
}
