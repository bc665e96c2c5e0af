// Keeps a page's regions as they are told: [data-live] of the page, by events of its address. Without it the page
// shows what was when it was loaded.
import { morph } from "./morph.js";

const address = document.body.dataset.events;
const state = document.getElementById("live");
let source = null;
let again = 0;
let failures = 0;

function show(name, text) {
  state.hidden = false;
  state.dataset.state = name;
  if (state.textContent !== text) state.textContent = text;
}

function regions(event) {
  failures = 0;
  show("on", "live");
  for (const [name, html] of Object.entries(JSON.parse(event.data))) {
    for (const region of document.querySelectorAll(`[data-live="${CSS.escape(name)}"]`)) morph(region, html);
  }
}

function stop() {
  clearTimeout(again);
  source?.close();
  source = null;
}

function start() {
  stop();
  source = new EventSource(address);
  source.addEventListener("regions", regions);
  source.addEventListener("error", () => {
    failures++;
    show("off", failures > 1 ? "not connected" : "reconnecting");
    if (source.readyState === EventSource.CLOSED) { // turned away: later, not at once
      stop();
      again = setTimeout(start, Math.min(30000, 1000 * 2 ** failures));
    }
  });
}

// A page that nobody sees asks for nothing, and leaves the browser's few connections to those that are seen.
document.addEventListener("visibilitychange", () => (document.hidden ? stop() : start()));
addEventListener("pagehide", stop);
addEventListener("pageshow", (event) => event.persisted && start());
if (!document.hidden) start();
