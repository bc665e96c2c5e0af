// The package openai for Node converses: whole, and streaming to its end and to a stop in the middle.
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({baseURL: process.env.CHECK_URL + "/v1", apiKey: process.env.CHECK_TOKEN, maxRetries: 0});
const request = {
  model: "SmolLM2-135M-Instruct", max_tokens: 10, temperature: 0,
  messages: [{role: "user", content: [{type: "text", text: "What is the capital of France?"}]}],
};

const whole = await client.chat.completions.create(request);
const {message, finish_reason} = whole.choices[0];
assert.match(message.content, /Paris/);
assert.equal(whole.usage.total_tokens, whole.usage.prompt_tokens + whole.usage.completion_tokens);
assert.equal(whole.system_fingerprint, "fp_" + whole.model_sha256.slice(0, 12));

const stream = await client.chat.completions.create({...request, stream: true, stream_options: {include_usage: true}});
let text = "", finish, usage;
for await (const chunk of stream) {
  usage = chunk.usage ?? usage;
  text += chunk.choices[0]?.delta.content ?? "";
  finish = chunk.choices[0]?.finish_reason ?? finish;
}
assert.deepEqual([text, finish, usage], [message.content, finish_reason, whole.usage]);
assert.equal((await client.chat.completions.stream(request).finalChatCompletion()).choices[0].message.content, message.content);

const cut = await client.chat.completions.create({...request, max_tokens: 500, ignore_eos: true, stream: true});
for await (const chunk of cut) if (chunk.choices[0].delta.content) break; // which ends the connection
assert.equal((await client.completions.create({model: request.model, prompt: "One, two, three,", max_tokens: 3, temperature: 0})).choices.length, 1);

await assert.rejects(client.chat.completions.create({...request, stream: true, messages: []}), OpenAI.BadRequestError);
await assert.rejects(client.chat.completions.create({...request, response_format: {type: "json_object"}}), OpenAI.BadRequestError);
