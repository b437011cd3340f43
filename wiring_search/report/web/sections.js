// The sections of a page. Each one names the function that draws it, once.

const drawers = [];

/** draw(): is called when the page loads, when its width changes, and when a served study has
 *  news. */
const addSection = draw => {
  drawers.push(draw);
};

/** Draws all sections. If one fails, the others are still drawn. */
function drawSections() {
  for (const draw of drawers) {
    try {
      draw();
    } catch (fault) {
      reportError(fault);
    }
  }
}

export {addSection, drawSections};
