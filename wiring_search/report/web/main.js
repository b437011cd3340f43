// Draws the page; on a served one, again whenever the study has news.

import {byId, show} from "./base.js";
import {study, adopt} from "./study.js";
import {drawSections} from "./sections.js";

const SECONDS_BETWEEN_LOOKS = 2;

// Asks the server for the study's version, and for its data where that is another one. A server that does not answer is asked again.
async function follow(version) {
  const said = byId("live");
  said.hidden = false;
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
      said.textContent = state.ended
        ? "The search has ended."
        : `Live: ${show(state.finished)} trials finished.`;
      said.classList.toggle("lost", false);
    } catch {
      said.textContent = "The server does not answer; what is shown is the last it said.";
      said.classList.toggle("lost", true);
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
