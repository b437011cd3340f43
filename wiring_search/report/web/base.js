// What all pages share: elements, numbers as text, small controls.

const SVG_NAMES = new Set([
  "svg",
  "g",
  "path",
  "circle",
  "line",
  "text",
  "rect",
  "title",
  "polyline",
]);

const byId = id => document.getElementById(id);

// An element of HTML or SVG. Attributes that are null or false are left out; `true` has no value.
function element(name, attributes = {}, ...children) {
  const node = SVG_NAMES.has(name)
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes))
    if (value !== null && value !== undefined && value !== false)
      node.setAttribute(key, value === true ? "" : value);
  node.append(...children.filter(child => child !== null && child !== undefined));
  return node;
}

// A number with so many significant digits and separators of thousands; a dash for none.
function show(x, digits = 3) {
  if (x === null || x === undefined || Number.isNaN(x)) return "–";
  if (typeof x !== "number") return String(x);
  if (Number.isInteger(x)) return x.toLocaleString("en");
  return Math.abs(x) >= 10 ** digits
    ? Math.round(x).toLocaleString("en")
    : Number(x.toPrecision(digits)).toString();
}

const words = name => name.replaceAll("_", " ");
const counted = (n, one, many = one + "s") => `${show(n)} ${n === 1 ? one : many}`;
const known = x => typeof x === "number" && Number.isFinite(x);

// Seconds as a reader would say them.
function duration(seconds) {
  if (!known(seconds)) return "–";
  if (seconds < 90) return `${show(seconds, 2)} s`;
  if (seconds < 5400) return `${show(seconds / 60, 2)} min`;
  return `${show(seconds / 3600, 3)} h`;
}

// A labelled list to choose from. options: [value, text] pairs.
function picker(name, options, chosen, choose) {
  const list = element(
    "select",
    {},
    ...options.map(([value, text]) => element("option", {value}, text)),
  );
  list.value = chosen;
  list.addEventListener("change", () => choose(list.value));
  return element("label", {class: "picker"}, element("span", {}, name), list);
}

function tick(name, on, choose) {
  const box = element("input", {type: "checkbox", checked: on});
  box.addEventListener("change", () => choose(box.checked));
  return element("label", {class: "picker"}, box, element("span", {}, name));
}

function button(text, press, attributes = {}) {
  const node = element("button", {type: "button", ...attributes}, text);
  node.addEventListener("click", press);
  return node;
}

// The looks are in CSS; canvases have to ask for them.
const colour = name =>
  getComputedStyle(document.documentElement)
    .getPropertyValue("--" + name)
    .trim();
const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// A sentence in which what stands in `…` is a command.
const withCode = sentence =>
  sentence.split("`").map((part, i) => (i % 2 ? element("code", {}, part) : part));

// Names and values of a list of definitions.
const pairs = list =>
  list.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);

export {
  byId,
  element,
  show,
  words,
  counted,
  known,
  duration,
  picker,
  tick,
  button,
  colour,
  calm,
  withCode,
  pairs,
};
