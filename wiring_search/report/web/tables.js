// Tables that sort by any column; long ones are paged and can be searched. What the reader sorted, typed or turned to stays when
// the rows change.

const PAGE = 25;

// columns: {name, value(row), and of texts: text, long; of numbers: digits, draw(row) where more than the value is shown, or `number` for
// those that are names}. rows: anything. options: class(row), press(row), search: whether there is a field for it.
function drawTable(host, columns, rows, options = {}) {
  const state = host.state ??= {column: null, down: false, page: 0, words: ""};
  if (!host.childElementCount) buildTable(host, state, options);
  Object.assign(state, {columns, rows, options});
  const head = host.querySelector("thead tr");
  const names = columns.map(c => c.name).join("|");
  if (head.dataset.names !== names) {
    head.dataset.names = names;
    head.replaceChildren(...columns.map((c, at) => element("th", {scope: "col", class: c.text ? "text" : null},
      button(c.name, () => { state.down = state.column === at && !state.down; state.column = at; state.page = 0; fillTable(host); }))));
  }
  fillTable(host);
}

function buildTable(host, state, options) {
  const search = element("input", {type: "search", placeholder: "Search the rows", "aria-label": "search the rows of the table"});
  search.addEventListener("input", () => { state.words = search.value.toLowerCase(); state.page = 0; fillTable(host); });
  const turn = by => () => { state.page += by; fillTable(host); };
  host.replaceChildren(
    element("div", {class: "table-tools"}, options.search ? search : null, element("span", {class: "told", role: "status"}),
      element("span", {class: "turns"}, button("‹", turn(-1), {"aria-label": "earlier rows", class: "quiet"}), button("›", turn(1), {"aria-label": "later rows", class: "quiet"}))),
    element("div", {class: "scroll", tabindex: 0, role: "region", "aria-label": host.getAttribute("aria-label") ?? "table"},
      element("table", {}, element("thead", {}, element("tr")), element("tbody"))));
}

function fillTable(host) {
  const {state} = host, {columns, options} = state;
  let rows = state.rows;
  if (state.words) rows = rows.filter(row => columns.some(c => String(c.value(row) ?? "").toLowerCase().includes(state.words)));
  if (state.column !== null) {
    const {value} = columns[state.column];
    const keyed = rows.map(row => [value(row), row]);
    const missing = ([key]) => key === null || key === undefined || key === "";
    keyed.sort((a, b) => missing(a) - missing(b) || (a[0] > b[0] ? 1 : a[0] < b[0] ? -1 : 0) * (state.down ? -1 : 1));
    rows = keyed.map(([, row]) => row);
  }
  const pages = Math.max(1, Math.ceil(rows.length / PAGE));
  state.page = Math.max(0, Math.min(state.page, pages - 1));
  const part = rows.slice(state.page * PAGE, (state.page + 1) * PAGE);
  host.querySelector("tbody").replaceChildren(...part.map(row => tableRow(row, columns, options)));
  host.querySelectorAll("th").forEach((cell, at) => {
    if (at === state.column) cell.setAttribute("aria-sort", state.down ? "descending" : "ascending");
    else cell.removeAttribute("aria-sort");
  });
  const paged = state.rows.length > PAGE;
  host.querySelector(".table-tools").hidden = !paged && !options.search;
  host.querySelector(".turns").hidden = !paged;
  host.querySelector(".told").textContent = rows.length ? `${show(state.page * PAGE + 1)}–${show(state.page * PAGE + part.length)} of ${show(rows.length)}` : "no row";
}

function tableRow(row, columns, options) {
  const line = element("tr", {class: options.class?.(row) || null});
  columns.forEach((c, at) => {
    const value = c.value(row), text = value instanceof Node ? value : c.text ? value ?? "" : c.draw ? c.draw(row) : c.number ? String(value) : show(value, c.digits ?? 4);
    const cell = element("td", {class: c.text ? "text" + (c.long ? " long" : "") : null});
    cell.append(at === 0 && options.press ? button(text, () => options.press(row), {class: "link"}) : text);
    line.append(cell);
  });
  return line;
}

// ---- the report's tables

const numberOf = name => ({name: name === "latency_us" ? "µs a step" : titled(name), value: i => study.value(i, name), number: name === "trial"});

function trialColumns() {
  const scores = ["trial", ...(study.share ? ["metric"] : []), "error", "synapses", "parameters", "latency_us", ...study.further, "train_seconds"];
  return [
    ...scores.map(name => name === "error" ? {...numberOf(name), name: study.share ? "error" : study.metric} : name === "train_seconds" ? {...numberOf(name), name: "train s"} : numberOf(name)),
    {name: "status", value: i => study.value(i, "status"), text: true},
    ...(Object.keys(study.probability).length ? [{name: "truly on the front", value: i => study.probability[study.columns.trial[i]] ?? null, digits: 2}] : []),
    ...study.dimensionNames.map(name => ({...numberOf(name), text: study.words.has(name)})),
  ];
}

function drawTables() {
  const columns = trialColumns(), press = i => choose(study.columns.trial[i]);
  const chosenClass = i => study.columns.trial[i] === study.lead.best ? "best" : "";
  drawTable(byId("table-front"), columns.filter(c => c.name !== "status"), study.front.map(trial => study.row(trial)), {press, class: chosenClass});
  byId("compared").hidden = !study.compared.length;
  const of = key => ({name: key === "latency_us" ? "µs a step" : words(key), value: b => b[key]});
  drawTable(byId("table-compared"), [{name: "baseline", value: b => b.name, text: true},
    ...(study.share ? [{name: study.metric, value: b => known(b.error) ? 1 - b.error : null}] : []), of("error"), of("synapses"), of("parameters"), of("latency_us"),
    {name: "joint front", value: b => b.front, text: true}, {name: "status", value: b => b.status, text: true}], study.compared, {class: () => "baseline"});
  const all = {search: true, press, class: i => study.onFront.has(study.columns.trial[i]) ? "best" : ""};
  drawTable(byId("table-all"), columns, Array.from({length: study.count}, (_, i) => i), all);
  drawTable(byId("table-states"), [{name: "status", value: s => s.status, text: true}, {name: "trials", value: s => s.count},
    {name: "what it means", value: s => s.sentence, text: true, long: true}, {name: "for instance", value: s => s.example, text: true, long: true}], study.states);
}

const MOST_SMALL = 12;

// Small multiples: the wirings of the front, evenly chosen from the smallest to the best where there are many.
function drawGallery() {
  const kept = study.front.filter(trial => study.wirings[trial]);
  const few = kept.length <= MOST_SMALL ? kept : Array.from({length: MOST_SMALL}, (_, i) => kept[Math.round(i * (kept.length - 1) / (MOST_SMALL - 1))]);
  byId("gallery-note").textContent = kept.length > few.length ? `${few.length} of the ${study.front.length} on the front, from the first to the last in the table.` : "";
  byId("wirings").replaceChildren(...few.map(trial => {
    const i = study.row(trial);
    return element("figure", {class: "card"}, wiringPicture(study.wirings[trial]), element("figcaption", {},
      button(`trial ${trial}`, () => choose(trial), {class: "link"}), ` · ${study.metric} ${show(study.value(i, "metric"), 4)} · ${show(study.value(i, "synapses"))} synapses`));
  }));
}
