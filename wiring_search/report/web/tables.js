// Tables that sort by any column. Long ones have pages, and some can be searched. Order, page and
// search stay when the rows change.

import {element, show, button} from "./base.js";

const PAGE = 25;

/** columns: {name, value(row)}, with `text` (and `long`) for texts, `digits` for numbers,
 *  `number` for numbers that are names, draw(row) to show more than the value. options:
 *  class(row), press(row), search. */
function drawTable(host, columns, rows, options = {}) {
  const state = (host.state ??= {column: null, down: false, page: 0, words: ""});
  if (!host.childElementCount) buildTable(host, state, options);
  Object.assign(state, {columns, rows, options});
  const head = host.querySelector("thead tr");
  const names = columns.map(c => c.name).join("|");
  if (head.dataset.names !== names) {
    head.dataset.names = names;
    head.replaceChildren(
      ...columns.map((c, at) =>
        element(
          "th",
          {scope: "col", class: c.text ? "text" : null},
          button(c.name, () => {
            state.down = state.column === at && !state.down;
            state.column = at;
            state.page = 0;
            fillTable(host);
          }),
        ),
      ),
    );
  }
  fillTable(host);
}

function buildTable(host, state, options) {
  const search = element("input", {
    type: "search",
    placeholder: "Search",
    "aria-label": "search the table",
  });
  search.addEventListener("input", () => {
    state.words = search.value.toLowerCase();
    state.page = 0;
    fillTable(host);
  });
  const turn = by => () => {
    state.page += by;
    fillTable(host);
  };
  host.replaceChildren(
    element(
      "div",
      {class: "table-tools"},
      options.search ? search : null,
      element("span", {class: "count", role: "status"}),
      element(
        "span",
        {class: "turns"},
        button("‹", turn(-1), {"aria-label": "previous page", class: "quiet"}),
        button("›", turn(1), {"aria-label": "next page", class: "quiet"}),
      ),
    ),
    element(
      "div",
      {
        class: "scroll",
        tabindex: 0,
        role: "region",
        "aria-label": host.getAttribute("aria-label") ?? "table",
      },
      element("table", {}, element("thead", {}, element("tr")), element("tbody")),
    ),
  );
}

function fillTable(host) {
  const {state} = host;
  const {columns, options} = state;
  let rows = state.rows;
  if (state.words)
    rows = rows.filter(row =>
      columns.some(c =>
        String(c.value(row) ?? "")
          .toLowerCase()
          .includes(state.words),
      ),
    );
  if (state.column !== null) {
    const {value} = columns[state.column];
    const keyed = rows.map(row => [value(row), row]);
    const missing = ([key]) => key === null || key === undefined || key === "";
    keyed.sort(
      (a, b) =>
        missing(a) - missing(b) || (a[0] > b[0] ? 1 : a[0] < b[0] ? -1 : 0) * (state.down ? -1 : 1),
    );
    rows = keyed.map(([, row]) => row);
  }
  const pages = Math.max(1, Math.ceil(rows.length / PAGE));
  state.page = Math.max(0, Math.min(state.page, pages - 1));
  const part = rows.slice(state.page * PAGE, (state.page + 1) * PAGE);
  host.querySelector("tbody").replaceChildren(...part.map(row => tableRow(row, columns, options)));
  host.querySelectorAll("th").forEach((cell, at) => {
    if (at === state.column)
      cell.setAttribute("aria-sort", state.down ? "descending" : "ascending");
    else cell.removeAttribute("aria-sort");
  });
  const paged = state.rows.length > PAGE;
  host.querySelector(".table-tools").hidden = !paged && !options.search;
  host.querySelector(".turns").hidden = !paged;
  host.querySelector(".count").textContent = rows.length
    ? `${show(state.page * PAGE + 1)}–${show(state.page * PAGE + part.length)} of ${show(rows.length)}`
    : "no rows";
}

function tableRow(row, columns, options) {
  const line = element("tr", {class: options.class?.(row) || null});
  columns.forEach((c, at) => {
    const value = c.value(row);
    const text =
      value instanceof Node
        ? value
        : c.text
          ? (value ?? "")
          : c.draw
            ? c.draw(row)
            : c.number
              ? String(value)
              : show(value, c.digits ?? 4);
    const cell = element("td", {
      class: c.text ? "text" + (c.long ? " long" : "") : null,
      title: at === 0 && typeof text === "string" ? text : null,
    });
    cell.append(
      at === 0 && options.press ? button(text, () => options.press(row), {class: "link"}) : text,
    );
    line.append(cell);
  });
  return line;
}

export {drawTable};
