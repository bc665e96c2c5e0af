// The package openai for Node is answered: models, vectors as base64 and as numbers, errors.
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({baseURL: process.env.CHECK_URL + "/v1", apiKey: process.env.CHECK_TOKEN, maxRetries: 0});
const model = "all-MiniLM-L6-v2";
const input = ["a cat sat on the mat", "naïve 東京"];

const models = [];
for await (const m of client.models.list()) models.push(m.id);
assert.ok(models.includes(model), models.join());

const packed = await client.embeddings.create({model, input}); // the package asks for base64 by itself
const plain = await client.embeddings.create({model, input, encoding_format: "float"});
assert.equal(packed.data.length, 2);
packed.data.forEach((d, i) => {
  assert.equal(d.embedding.length, 384);
  assert.deepEqual(Float32Array.from(d.embedding), Float32Array.from(plain.data[i].embedding));
});
await assert.rejects(client.embeddings.create({model: "other", input}), OpenAI.NotFoundError);
await assert.rejects(client.embeddings.create({model, input: [1, 2]}), OpenAI.BadRequestError);
await assert.rejects(new OpenAI({baseURL: client.baseURL, apiKey: "another", maxRetries: 0}).models.list(), OpenAI.AuthenticationError);
