// What the checks of pages share: Debian's Chromium, driven without outside connections, logged in, whose console stays clean.
import assert from "node:assert/strict";
import {execFileSync} from "node:child_process";
import {readFileSync, writeFileSync} from "node:fs";
import {createRequire} from "node:module";
import {join} from "node:path";
import {chromium} from "playwright-core";

export const url = process.env.CHECK_URL;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

// Options of a browser that shows the token from the beginning.
export const headers = {extraHTTPHeaders: {authorization: `Bearer ${process.env.CHECK_TOKEN}`}};

// The widths at which every page is looked at.
export const widths = [360, 768, 1440];

const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

// browse runs steps in a page, and fails where the console had an error, a script threw or a resource was refused.
export async function browse(steps, options = {}) {
  const browser = await chromium.launch({executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args});
  try {
    const context = await browser.newContext({viewport: {width: 1440, height: 900}, ...options});
    const page = await context.newPage();
    const wrong = [];
    page.on("console", (m) => { if (m.type() === "error") wrong.push(`${m.text()} (${m.location().url})`); });
    page.on("pageerror", (e) => wrong.push(String(e)));
    page.on("requestfailed", (r) => {
      if (r.failure().errorText !== "net::ERR_ABORTED") wrong.push(`${r.url()}: ${r.failure().errorText}`); // a page that was left
    });
    await steps(page, context);
    assert.deepEqual(wrong, [], "the console has errors");
  } finally {
    await browser.close();
  }
}

// accessible fails where axe-core finds what is serious.
export async function accessible(page) {
  const found = await page.evaluate(`(() => { ${axe}; return window.axe.run(document); })()`);
  const serious = found.violations.filter((v) => v.impact === "serious" || v.impact === "critical")
    .map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.html).slice(0, 3).join(" | ")}`);
  assert.deepEqual(serious, [], page.url());
}

// walks fails where a key leads to what does not come into sight, or does not show that it has the focus, and where keys do not
// come round; the first leads to the content. It asks for less motion, with which pages scroll at once.
export async function walks(page) {
  await page.emulateMedia({reducedMotion: "reduce"});
  await page.evaluate(() => { document.activeElement?.blur(); scrollTo(0, 0); });
  const stops = await page.locator("a, button, input, select, textarea, summary, [tabindex='0']").count();
  const seen = new Set();
  let round = false;
  for (let n = 0; n < stops + 12; n++) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const e = document.activeElement, style = getComputedStyle(e);
      return {name: `${e.tagName} ${e.className} ${e.textContent.trim().slice(0, 40)}`, none: e === document.body, skip: e.className === "skip",
        shown: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2};
    });
    if (round = at.none || n > 0 && at.skip) break;
    if (n === 0) assert.ok(at.skip, `the first stop is ${at.name}`);
    assert.ok(at.shown, `${page.url()}: ${at.name} does not show that it has the focus`);
    await page.waitForFunction(() => {
      const box = document.activeElement.getBoundingClientRect();
      return box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    }, null, {timeout: 10_000}).catch(() => assert.fail(`${page.url()}: ${at.name} has the focus, and cannot be seen`));
    seen.add(at.name);
  }
  assert.ok(round, `${page.url()}: keys do not leave ${[...seen].slice(-3).join(", ")}`);
  assert.ok(seen.size > 3, `${page.url()} has ${seen.size} stops`);
  await page.evaluate(() => { document.activeElement?.blur(); scrollTo(0, 0); });
}

// fits fails where a page is wider than its window.
export async function fits(page) {
  for (const width of widths) {
    await page.setViewportSize({width, height: 900});
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(wide, 0, `${page.url()} is ${wide} pixels too wide at ${width}`);
  }
}

// shot keeps a picture: in the scratch folder, and where docs/screenshots is to be made anew, there.
export async function shot(page, name) {
  await page.screenshot({path: join(process.env.CHECK_SHOTS || process.env.CHECK_SCRATCH, name + ".png")});
}

// submit brings records to the daemon's queue, from a file of that name in the scratch folder.
export function submit(name, records, ...options) {
  const file = join(process.env.CHECK_SCRATCH, name + ".jsonl");
  writeFileSync(file, records.map((r) => JSON.stringify(r) + "\n").join(""));
  execFileSync(process.env.CHECK_BIN, ["submit", ...options, "--set", "nats.url=" + process.env.TEXTMILL_NATS_URL, file],
    {stdio: ["ignore", "ignore", "inherit"]});
}
