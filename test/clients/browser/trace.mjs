// The page of traces: tokens above their rows, details by keyboard and pointer, two texts side by side, and a text that is
// made, with sliders that recompute what was drawn; it fits, axe-core finds nothing serious, and its address reproduces it.
import assert from "node:assert/strict";
import {accessible, browse, fits, headers, shot, url} from "./_browser.mjs";

const embedder = "all-MiniLM-L6-v2";
const writer = "SmolLM2-135M-Instruct";
const texts = (page, selector) => page.locator(selector).allTextContents();

async function whole(page) { // all of it has come, at the size that pictures have, and the form is out of the picture
  await page.waitForLoadState("load");
  await page.setViewportSize({width: 1440, height: 900});
  await page.locator("#told").evaluate((told) => told.scrollIntoView({behavior: "instant"}));
}

async function embeds(page) {
  await page.goto(url + "/trace");
  await accessible(page);
  await page.selectOption("#model", embedder);
  assert.ok(await page.locator("#sampling").isHidden(), "an embedding model has no temperature");
  await page.fill("#text", "Tokenizers are fun");
  await page.click("#ask button");
  await page.waitForSelector(".vector svg");
  assert.deepEqual(await texts(page, ".tokens:not(.states) .piece"), ["[CLS]", "token", "##izer", "##s", "are", "fun", "[SEP]"]);
  assert.equal(await page.locator(".states .token").count(), 7);
  assert.match(await page.locator(".tokens:not(.states) .token").nth(2).textContent(), /17629\s*5–9\s*\[384\]\s*norm 1\.118/);
  const cells = page.locator(".heat .cells rect");
  assert.equal(await cells.count(), 49);

  await page.locator(".token").first().focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  assert.match(await page.locator("#detail").textContent(), /##izer.*token 3.*“izer”.*##: goes on with the word/s);
  await accessible(page);
  await page.keyboard.press("Escape");
  assert.ok(await page.locator("#detail").isHidden());
  await cells.nth(1).hover();
  assert.match(await page.locator("#detail").textContent(), /0\.\d{3}cosine of \[CLS\] and token/);
  await page.mouse.move(1, 1);
  await fits(page);
  await whole(page);
  await shot(page, "trace-embedding");
}

async function compares(page) {
  await page.goto(`${url}/trace?model=${embedder}&text=A+cat+sat+on+the+mat&other=A+kitten+rested+on+the+rug`);
  await whole(page);
  assert.match(await page.locator(".cosine").textContent(), /Cosine of their vectors 0\.\d{4}/);
  assert.equal(await page.locator(".side").count(), 2);
  assert.equal(await page.locator(".pair .cells rect").count(), 64);
  await accessible(page);
  await fits(page);
  await whole(page);
  await shot(page, "trace-two-texts");
}

// drawn are the figures of all steps as the page shows them.
const drawn = (page) => texts(page, ".steps .after");

// recomputed is how far the figures that came with the page are from what the sliders' module makes of the same params.
const recomputed = (page) => page.evaluate(async () => {
  const source = document.querySelector('script[src*="/trace."]').src;
  const name = (await (await fetch(source)).text()).match(/distribution\.[0-9a-f]+\.js/)[0];
  const {distribution} = await import(new URL(name, source));
  const numbers = (text) => text.trim().split(/\s+/).map((s) => (s === "null" ? null : Number(s)));
  const {temperature, topK, topP, minP, temperatures} = document.querySelector(".loop").dataset;
  let worst = 0;
  for (const step of document.querySelectorAll(".step")) {
    const told = {scores: numbers(step.dataset.scores), rest: numbers(step.dataset.rest), highest: Number(step.dataset.highest), temperatures: numbers(temperatures)};
    const {after, kept, exact} = distribution(told, {temperature: Number(temperature), topK: Number(topK), topP: Number(topP) || 1, minP: Number(minP)});
    if (!exact || String(kept) !== step.querySelector(".kept").textContent) return Infinity;
    for (const row of step.querySelectorAll("tr[data-at]")) {
      worst = Math.max(worst, Math.abs(100 * after[row.dataset.at] - Number(row.querySelector(".fill").getAttribute("width"))));
    }
  }
  return worst;
});

async function generates(page) {
  await page.goto(`${url}/trace?model=${writer}&text=The+sky+is&temperature=0.8&top_p=0.9&seed=7&max_new_tokens=8`);
  await page.waitForSelector(".output");
  await whole(page);
  assert.equal(await page.locator(".step").count(), 8);
  assert.match(await page.locator(".end").textContent(), /Ended by the length limit after 8 tokens/);
  assert.equal((await page.locator(".said").textContent()).trim(), (await page.locator(".output").textContent()).trim());
  const off = await recomputed(page);
  assert.ok(off <= 1e-3, `sliders are ${off} per cent away from what was drawn`); // bars have three digits
  await accessible(page);

  const before = await drawn(page);
  const slider = page.getByLabel("temperature").and(page.locator("[type=range]"));
  await slider.focus();
  for (let i = 0; i < 8; i++) await page.keyboard.press("ArrowRight");
  const after = await drawn(page);
  assert.notDeepEqual(after, before, "a slider moves nothing");
  assert.equal(await slider.getAttribute("aria-valuetext"), "1.2");
  assert.match(page.url(), /look=1\.2/);
  await fits(page);
  await whole(page);
  await shot(page, "trace-generation");

  await page.goto(page.url());
  await page.waitForSelector(".output");
  assert.deepEqual(await drawn(page), after, "the address does not reproduce what was seen");
  await page.getByRole("button", {name: "As it was drawn"}).click();
  assert.deepEqual(await drawn(page), before);
  assert.doesNotMatch(page.url(), /look=/);
}

// Texts are only ever text, and a page without scripts says the same.
async function plain(page) {
  const hostile = `<img src=x onerror=alert(1)><script>alert(2)</script>&"'`;
  await page.goto(`${url}/trace?${new URLSearchParams({model: embedder, text: hostile, other: hostile, look: hostile})}`);
  assert.equal(await page.locator("main img, main script").count(), 0);
  assert.ok((await page.locator("h2").first().textContent()).includes(hostile));
  assert.match(await page.locator(".cosine").textContent(), /1\.0000/);
}

await browse(async (page) => {
  await embeds(page);
  await compares(page);
  await generates(page);
  await plain(page);
}, headers);
await browse(plain, {...headers, javaScriptEnabled: false});
await browse(async (page) => {
  await page.goto(`${url}/trace?model=${writer}&text=The+sky+is&max_new_tokens=4`);
  await page.waitForSelector(".output");
  await accessible(page);
}, {...headers, colorScheme: "dark"});
