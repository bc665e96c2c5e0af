// Overview, jobs and dead letters: the token is asked for; a job is watched to its end, another cancelled, a dead letter retried,
// live and from what the pages offer; nothing of a text is run.
import assert from "node:assert/strict";
import {connect} from "node:net";
import {accessible, browse, fits, headers, shot, submit, url, walks} from "./_browser.mjs";

const model = "all-MiniLM-L6-v2";
const hostile = `<script>document.title = "run"</script><img src="/nowhere" onerror="document.title = 'run'">`;

const begin = (name, records) => submit(name, records, "--no-wait", "--model", model, "--dataset", "of-jobs", "--job", name);

// publish sends a message as a client of NATS that knows nothing of textmill.
function publish(subject, payload) {
  const {hostname, port} = new URL(process.env.TEXTMILL_NATS_URL);
  return new Promise((done, fail) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(`CONNECT {"verbose":false}\r\nPUB ${subject} ${Buffer.byteLength(payload)}\r\n${payload}\r\nPING\r\n`);
    });
    let said = "";
    socket.on("data", (data) => {
      said += data;
      if (said.includes("PONG")) socket.end(done);
    });
    socket.on("error", fail);
  });
}

const words = "the mill grinds what the river brings while the wheel turns and the sacks fill up again";
const texts = (n, size) => Array.from({length: n}, (_, i) => ({id: `r${i}`, text: `${i} ` + (words + " ").repeat(size)}));

async function logIn(page) {
  await page.fill("#token", "another");
  await page.click("main button");
  await page.getByRole("alert").waitFor();
  await page.fill("#token", process.env.CHECK_TOKEN);
  await page.click("main button");
  await page.getByRole("heading", {level: 1, name: "Jobs"}).waitFor();
}

let refused = 0;
await browse(async (page, browser) => {
  page.on("response", (r) => { if (r.status() === 401) refused++; });
  // Chromium writes each 401 to the console, which browse() takes for an error: the login has a page of its own.
  const stranger = await browser.newPage();
  await stranger.goto(url + "/jobs");
  await accessible(stranger);
  await fits(stranger);
  await shot(stranger, "login");
  await logIn(stranger);
  await stranger.close();

  begin("watched", [...texts(60, 2), {id: "number", text: 7}, {id: hostile, text: hostile}]);
  await page.goto(url + "/jobs/watched");
  await page.locator('.state[data-state="done"]').waitFor({timeout: 120_000}); // by events: nobody loads the page again
  assert.match(await page.locator("main").innerText(), /62[\s\S]*invalid_record[\s\S]*want a string, have a number/);
  await accessible(page);
  await fits(page);

  begin("unwanted", texts(3000, 8));
  await page.goto(url + "/jobs?q=unwanted");
  await page.getByRole("link", {name: "unwanted"}).click();
  await page.getByText("Cancel this job").click();
  await page.getByRole("button", {name: "Cancel unwanted"}).click();
  await page.locator('.state[data-state="cancelled"]').waitFor({timeout: 60_000});
  assert.equal(await page.getByText("Cancel this job").count(), 0, "what is cancelled can be cancelled again");

  await publish(`textmill.jobs.embed.${model}.broken`, `{"records": ${hostile}`);
  await page.goto(url + "/dead");
  const letters = page.locator("tbody tr");
  await letters.filter({hasText: "broken"}).waitFor({timeout: 60_000});
  await accessible(page);
  await fits(page);
  await letters.filter({hasText: "broken"}).getByRole("link", {name: "invalid_job"}).click();
  assert.ok((await page.locator("pre").innerText()).includes(hostile), "the payload is not shown as it came");
  await accessible(page);
  await fits(page);
  await shot(page, "dead-letter");
  const before = page.url();
  await page.getByRole("button", {name: "Retry"}).click();
  await page.waitForURL("**/jobs/broken");
  await page.goto(url + "/dead"); // it cannot be understood this time either, and is another letter
  const again = letters.filter({hasText: "broken"});
  await again.waitFor({timeout: 60_000});
  await again.getByRole("link", {name: "invalid_job"}).click();
  await page.getByText("of retry 1").waitFor();
  assert.notEqual(page.url(), before);

  for (const path of ["/", "/jobs"]) {
    await page.goto(url + path);
    await page.locator('#live[data-state="on"]').waitFor();
    await accessible(page);
    await walks(page);
    await fits(page);
    await page.setViewportSize({width: 1440, height: 900});
    await shot(page, path === "/" ? "overview" : "jobs");
    await page.emulateMedia({colorScheme: "dark"});
    await accessible(page);
    await page.emulateMedia({colorScheme: "light"});
  }
  assert.doesNotMatch(await page.title(), /run/);
  assert.equal(refused, 0, "somebody who is logged in is refused");

  await page.getByRole("button", {name: "Log out"}).click();
  await page.getByLabel("Token").waitFor();
});

// Without JavaScript the pages say the same, as of when they were loaded.
await browse(async (page) => {
  await page.goto(url + "/jobs/watched");
  await page.locator('.state[data-state="done"]').waitFor();
  await page.goto(url + "/");
  await page.getByRole("heading", {name: "Where time goes"}).waitFor();
}, {...headers, javaScriptEnabled: false});
