// The package openai for Node uploads a file, has a batch carried out, reads its answers, and is told what is wrong with others.
import assert from "node:assert/strict";
import OpenAI, {toFile} from "openai";

const client = new OpenAI({baseURL: process.env.CHECK_URL + "/v1", apiKey: process.env.CHECK_TOKEN, maxRetries: 0});
const model = "all-MiniLM-L6-v2";
const line = (id, body, url = "/v1/embeddings") => JSON.stringify({custom_id: id, method: "POST", url, body: {model, ...body}});
const upload = async (...lines) => client.files.create({
  file: await toFile(Buffer.from(lines.join("\n")), "requests.jsonl"), purpose: "batch", expires_after: {anchor: "created_at", seconds: 3600},
});
const texts = "SmolLM2-135M-Instruct";
const begin = (id, more = {}) => client.batches.create({input_file_id: id, endpoint: "/v1/embeddings", completion_window: "24h", ...more});
const over = async id => {
  for (;;) {
    const b = await client.batches.retrieve(id);
    if (["completed", "failed", "expired", "cancelled"].includes(b.status)) return b;
    await new Promise(done => setTimeout(done, 100));
  }
};
const answers = async id => (await (await client.files.content(id)).text()).trimEnd().split("\n").map(l => JSON.parse(l));

const file = await upload(line("a", {input: "a cat"}), line("b", {input: ["a dog", "two"]}), line("c", {input: [1, 2]}));
assert.equal((await client.files.retrieve(file.id)).expires_at, file.created_at + 3600);
const batch = await over((await begin(file.id, {metadata: {dataset: "node", note: "naïve 東京"}})).id);
assert.equal(batch.status, "completed", JSON.stringify(batch));
assert.deepEqual(batch.request_counts, {total: 3, completed: 2, failed: 1});
assert.equal(batch.metadata.note, "naïve 東京");
const good = await answers(batch.output_file_id), bad = await answers(batch.error_file_id);
assert.deepEqual(good.map(a => [a.custom_id, a.response.body.data.length]).sort(), [["a", 1], ["b", 2]]);
assert.deepEqual(bad.map(a => [a.custom_id, a.response.status_code, a.error.code]), [["c", 400, "invalid_record"]]);

const wrong = await over((await begin((await upload(line("a", {input: "x"}), "{", line("a", {input: "y"}), line("d", {input: "z", model: "other"}))).id)).id);
assert.equal(wrong.status, "failed");
assert.deepEqual(wrong.errors.data.map(e => [e.line, e.code]), [[2, "invalid_json_line"], [3, "duplicate_custom_id"], [4, "mismatched_model"]]);

const talk = await upload(line("hi", {model: texts, messages: [{role: "user", content: "Say hello."}], max_tokens: 4}, "/v1/chat/completions"));
const go = await upload(line("on", {model: texts, prompt: ["Once upon", "The sky is"], max_tokens: 3, n: 2}, "/v1/completions"));
const both = await Promise.all([begin(talk.id, {endpoint: "/v1/chat/completions"}), begin(go.id, {endpoint: "/v1/completions"})]);
const [said, went] = await Promise.all(both.map(async b => {
  const done = await over(b.id);
  assert.equal(done.status, "completed", JSON.stringify(done));
  assert.deepEqual(done.request_counts, {total: 1, completed: 1, failed: 0});
  return (await answers(done.output_file_id))[0].response.body;
}));
const live = await client.chat.completions.create({model: texts, messages: [{role: "user", content: "Say hello."}], max_tokens: 4});
assert.deepEqual([said.object, said.choices[0].message.content, said.choices[0].finish_reason, said.usage.completion_tokens],
  ["chat.completion", live.choices[0].message.content, live.choices[0].finish_reason, live.usage.completion_tokens]);
assert.deepEqual([went.object, went.choices.map(c => c.index), went.usage.completion_tokens], ["text_completion", [0, 1, 2, 3], 12]);

const ids = [];
for await (const b of client.batches.list({limit: 1})) ids.push(b.id);
assert.ok(ids.indexOf(wrong.id) >= 0 && ids.indexOf(wrong.id) < ids.indexOf(batch.id), ids.join());
await assert.rejects(begin("file-none"), OpenAI.BadRequestError);
await assert.rejects(begin(file.id, {endpoint: "/v1/none"}), OpenAI.BadRequestError);
await assert.rejects(client.batches.cancel(batch.id), OpenAI.ConflictError);
await assert.rejects(client.files.create({file: await toFile(Buffer.from("x"), "x"), purpose: "assistants"}), OpenAI.BadRequestError);
assert.equal((await client.files.delete(file.id)).deleted, true);
await assert.rejects(client.files.retrieve(file.id), OpenAI.NotFoundError);
