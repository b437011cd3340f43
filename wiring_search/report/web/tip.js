// The tip of a point under the pointer or the focus.

import {byId} from "./base.js";

function openTip(spot, ...content) {
  const tip = byId("tip");
  tip.replaceChildren(...content);
  tip.hidden = false;
  const size = tip.getBoundingClientRect();
  const left =
    spot.right + 12 + size.width < innerWidth ? spot.right + 12 : spot.left - size.width - 12;
  tip.style.left = Math.max(8, Math.min(left, innerWidth - size.width - 8)) + "px";
  tip.style.top =
    Math.max(8, Math.min(spot.top - size.height / 2, innerHeight - size.height - 8)) + "px";
}

const closeTip = () => {
  byId("tip").hidden = true;
};

function withTip(node, content) {
  for (const kind of ["mouseenter", "focus"])
    node.addEventListener(kind, () => openTip(node.getBoundingClientRect(), ...content()));
  for (const kind of ["mouseleave", "blur"]) node.addEventListener(kind, closeTip);
  return node;
}

document.addEventListener("keydown", event => {
  if (event.key === "Escape") closeTip();
});
document.addEventListener("scroll", closeTip, {passive: true});

export {openTip, closeTip, withTip};
