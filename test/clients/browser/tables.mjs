// Tables and models: a job's records are seen in their table while it is written, found again by a question in words, narrowed by
// a click; hostile texts stay texts; the model that made them says which tables hold its rows.
import assert from "node:assert/strict";
import {accessible, browse, fits, headers, shot, submit, url} from "./_browser.mjs";

const model = "all-MiniLM-L6-v2";
const dataset = "recipes-and-tides";
const hostile = `"'><script>document.title = "run"</script><img src="/nowhere" onerror="document.title = 'run'">`;

const records = [
  {id: "bread", text: "Knead the dough, let it rise for an hour, and bake the loaf until it sounds hollow.", lang: "en"},
  {id: "soup", text: "Simmer the onions slowly in butter before the broth goes in.", lang: "en"},
  {id: "tide", text: "The tide turns twice a day, six hours after it came in.", lang: "en"},
  {id: "moon", text: "At full moon the water rises higher than at half moon.", lang: "en"},
  {id: "brot", text: "Den Teig kneten, eine Stunde gehen lassen und das Brot backen.", lang: "de"},
  {id: "flut", text: "Bei Vollmond steigt das Wasser höher als bei Halbmond.", lang: "de"},
  {id: hostile, text: hostile, lang: hostile},
  {id: "number", text: 7},
];

const add = (name, list) => submit(name, list, "--model", model, "--dataset", dataset, "--max-errors", "1");

const ids = (page) => page.locator(".hits .id").allTextContents();

async function table(page) {
  await page.goto(url + "/tables");
  await accessible(page);
  await page.click(`a[href="/tables/${dataset}"]`);
  assert.equal(await page.locator("h1").textContent(), dataset);
  const rows = page.locator(".facts dd").first();
  assert.equal(await rows.textContent(), "8");
  assert.match(await page.locator('[data-live="live-errors"]').textContent(), /invalid_record\s*1\s*number/);
  assert.match(await page.locator(".cards").first().textContent(), /bread.*\[384\], norm 1\.0000/s);
  add("later", [{id: "later", text: "A row that came while somebody looked on.", lang: "en"}]);
  await page.waitForFunction(() => document.querySelector(".facts dd").textContent === "9"); // without loading the page again
  assert.match(await page.locator('[data-live="live-commits"]').textContent(), /WRITE/);
}

async function search(page) {
  await page.focus("#q");
  await page.keyboard.type("how do I bake bread");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".hits");
  assert.equal((await ids(page))[0], "bread");
  assert.match(await page.locator("#answers").textContent(), /8 rows nearest, of 8 compared by cosine/);
  assert.ok((await ids(page)).includes(hostile));
  await accessible(page);
  const asked = page.url();
  const before = await ids(page);
  await page.goto(url + "/");
  await page.goto(asked);
  assert.deepEqual(await ids(page), before, "the address asks the same again");
  await page.setViewportSize({width: 1440, height: 900});
  await shot(page, "table");

  await page.click('.hits a[title="Only such rows"]:text-is("lang=de")');
  await page.waitForSelector('input[name="where"][value="attributes.lang=de"]');
  assert.deepEqual((await ids(page)).sort(), ["brot", "flut"]);
  await page.locator(".hits a", {hasText: "lang=de"}).first().focus();
  await fits(page);

  await page.goto(`${url}/tables/${dataset}?q=${encodeURIComponent(hostile)}&where=${encodeURIComponent("lang=" + hostile)}`);
  assert.deepEqual(await ids(page), [hostile]);
  assert.equal(await page.locator(".hits img, .card img, .hits script").count(), 0);
  assert.equal(await page.title(), `${dataset} · textmill`);
  await fits(page);
}

async function load(page) {
  await page.goto(`${url}/tables/${dataset}`);
  await page.selectOption("#engine", "polars");
  await page.click('form[action$="#load"] button');
  assert.match(await page.locator(".recipe").textContent(), /pl\.scan_parquet/);
  assert.match(await page.locator("#read + .cards").textContent(), /delta_scan.*Polars.*pandas/s);
  await accessible(page);
  await fits(page);
}

async function models(page) {
  await page.goto(url + "/models");
  await accessible(page);
  await fits(page);
  await page.click(`a[href="/models/${model}"]`);
  await page.waitForLoadState("load"); // until then a part of it may be there
  const said = await page.locator("main").textContent();
  for (const want of [/BertModel/, /pooling\s*mean/, /max_length\s*256/, /onnx\/model\.onnx/, /the same bits in every batch|BITS DEPEND/]) assert.match(said, want);
  assert.match(await page.locator('[data-live="live-holds"]').textContent(), new RegExp(dataset));
  await accessible(page);
  await fits(page);
  await page.setViewportSize({width: 1440, height: 900});
  await shot(page, "model");
  await page.click(`a[href="/tables/${dataset}"]`);
  assert.equal(await page.locator("h1").textContent(), dataset);
}

async function withoutScripts(page) {
  await page.goto(`${url}/tables/${dataset}`);
  await page.fill("#q", "when is the water high");
  await page.click(".ask button");
  assert.ok(["moon", "flut", "tide"].includes((await ids(page))[0]), String(await ids(page)));
}

add("records", records);
await browse(async (page) => {
  await table(page);
  await search(page);
  await load(page);
  await models(page);
}, headers);
await browse(withoutScripts, {...headers, javaScriptEnabled: false});
await browse(async (page) => { // in the dark, too
  for (const path of ["/tables", `/tables/${dataset}?q=bread`, "/models", `/models/${model}`]) {
    await page.goto(url + path);
    await accessible(page);
  }
}, {...headers, colorScheme: "dark"});
