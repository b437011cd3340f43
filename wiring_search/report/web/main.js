// Draws the page; on a served one, again whenever the study has news.

const SECONDS_BETWEEN_LOOKS = 2;

function draw() {
  drawLead();
  drawFront();
  drawDetail();
  drawTables();
  drawGallery();
  drawAgain();
  drawMatters();
  drawCourse();
  drawFacts();
}

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
        draw();
      }
      said.textContent = state.ended ? "The search has ended." : `Live: ${show(state.finished)} trials finished.`;
      said.classList.toggle("lost", false);
    } catch {
      said.textContent = "The server does not answer; what is shown is the last it said.";
      said.classList.toggle("lost", true);
    }
  }
}

adopt(JSON.parse(byId("data").textContent));
// News leave the player as it is: its reader may be in the midst of something. A page that is loaded again has the newest networks.
const played = playSection(byId("play"), study.play, trial => `trial ${trial} · ${briefly(study.row(trial)).split(" · ").slice(0, 2).join(" · ")}`);
draw();
performance.mark("drawn");
if (study.version !== undefined) follow(study.version);

let resized = null, lastWidth = innerWidth;
window.addEventListener("resize", () => {
  if (innerWidth === lastWidth) return;
  lastWidth = innerWidth;
  clearTimeout(resized);
  resized = setTimeout(draw, 100);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawFront);
