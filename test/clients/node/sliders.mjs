// The page's sliders leave of a step what transformers leaves of it, though they know but its 100 highest logits and what
// all others weigh: held to models/sample/testdata/sampling.jsonl.gz, which transformers' own logits processors made.
import assert from "node:assert/strict";
import {readFileSync, writeFileSync} from "node:fs";
import {join} from "node:path";
import process from "node:process";
import {pathToFileURL} from "node:url";
import {gunzipSync} from "node:zlib";

const root = process.cwd(); // where make runs
const data = (name) => gunzipSync(readFileSync(join(root, "models/sample/testdata", name + ".gz"))).toString();

// The page's module has no package.json beside it that says what kind of module it is.
const copy = join(process.env.CHECK_SCRATCH, "distribution.mjs");
writeFileSync(copy, readFileSync(join(root, "daemon/page/assets/distribution.js")));
const {distribution} = await import(pathToFileURL(copy));

const most = 100;
const logits = new Map();

// told is what a trace tells of a step: the highest logits and the weight of the rest.
function told(name, temperature) {
  if (!logits.has(name)) {
    const all = JSON.parse(data(name)).map(Math.fround);
    logits.set(name, {all, ids: all.map((_, id) => id).sort((a, b) => all[b] - all[a] || a - b)});
  }
  const {all, ids} = logits.get(name);
  const others = ids.slice(most).map((id) => all[id] / temperature);
  const top = Math.max(...others);
  const rest = others.length ? top + Math.log(others.reduce((sum, v) => sum + Math.exp(v - top), 0)) : null;
  return {ids: ids.slice(0, most), vocab: all.length,
    step: {scores: ids.slice(0, most).map((id) => all[id]), highest: Math.min(most, ids.length), temperatures: [temperature], rest: [rest]}};
}

let exact = 0;
let worst = 0;
for (const line of data("sampling.jsonl").trim().split("\n").map(JSON.parse)) {
  const p = line.params;
  if (Object.keys(p).some((name) => !["temperature", "top_k", "top_p", "min_p"].includes(name))) continue;
  const {ids, vocab, step} = told(line.logits, p.temperature ?? 1);
  const got = distribution(step, {temperature: p.temperature ?? 1, topK: p.top_k, topP: p.top_p, minP: p.min_p});
  const about = `${line.logits} ${JSON.stringify(p)}`;
  const {all} = logits.get(line.logits);
  const least = all[line.kept_ids.at(-1)]; // and some of its equals go
  const splits = all.filter((v) => v >= least).length > line.n_kept;
  if (!got.exact) {
    assert.ok(line.n_kept >= most || splits, `${about}: not exact, though ${line.n_kept} tokens are kept`);
    continue;
  }
  exact++;
  assert.equal(got.kept ?? vocab, line.n_kept, about);
  const kept = new Map(line.kept_ids.map((id, i) => [id, line.probs[i]]));
  ids.forEach((id, i) => {
    if (!kept.has(id)) {
      assert.ok(got.after[i] === 0 || line.kept_truncated, `${about}: token ${id} is kept`);
      return;
    }
    const off = Math.abs(got.after[i] - kept.get(id));
    worst = Math.max(worst, off);
    assert.ok(off <= 1e-6, `${about}: token ${id} has ${got.after[i]}, want ${kept.get(id)}`);
  });
}
assert.ok(exact >= 60, `only ${exact} cases are told exactly`);

const greedy = distribution(told("logits_real_gravity_0.json", 1).step, {temperature: 0, topP: 0.1});
assert.deepEqual([greedy.kept, greedy.after[0]], [1, 1]);
const unknown = distribution(told("logits_real_gravity_0.json", 1).step, {temperature: 0.3});
assert.equal(unknown.after, null, "nobody said what the others weigh at this temperature");
console.log(`${exact} cases exact, probabilities within ${worst.toExponential(1)}`);
