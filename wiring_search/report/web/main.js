// Draws the page. A served page follows its study.

import {byId, show} from "./base.js";
import {study, adopt} from "./study.js";
import {drawSections} from "./sections.js";

const SECONDS_BETWEEN_LOOKS = 2;

// Asks the server for the study's version, and for its data if that has changed, again and again.
async function follow(version) {
  const status = byId("live");
  status.hidden = false;
  for (;;) {
    await new Promise(rest => setTimeout(rest, 1000 * SECONDS_BETWEEN_LOOKS));
    if (document.hidden) continue;
    try {
      const state = await (await fetch("state.json", {cache: "no-store"})).json();
      if (state.version !== version) {
        adopt(await (await fetch("data.json", {cache: "no-store"})).json());
        version = study.version;
        drawSections();
      }
      status.textContent = state.ended
        ? "The search has ended."
        : `Live: ${show(state.finished)} trials finished.`;
      status.classList.toggle("lost", false);
    } catch {
      status.textContent = "The server does not answer. The page shows the last data received.";
      status.classList.toggle("lost", true);
    }
  }
}

adopt(JSON.parse(byId("data").textContent));
drawSections();
performance.mark("drawn");
if (study.version !== undefined) follow(study.version);

let resized = null;
let lastWidth = innerWidth;
window.addEventListener("resize", () => {
  if (innerWidth === lastWidth) return;
  lastWidth = innerWidth;
  clearTimeout(resized);
  resized = setTimeout(drawSections, 100);
});
