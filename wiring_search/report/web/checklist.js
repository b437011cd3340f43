// The checklist of best practice.

import {byId, element, withCode} from "./base.js";
import {study} from "./study.js";
import {addSection} from "./sections.js";

const MARKS = {yes: "✓", partly: "◐", no: "✗"};

function draw() {
  const {checklist} = study;
  const count = answer => checklist.filter(item => item.answer === answer).length;
  byId("checklist-note").textContent =
    `Of ${checklist.length} questions, ${count("yes")} are answered yes, ` +
    `${count("partly")} partly, ${count("no")} no.`;
  const parts = [...new Set(checklist.map(item => item.part))];
  byId("checklist").replaceChildren(
    ...parts.flatMap(part => [
      element("h3", {}, part),
      element(
        "ul",
        {class: "checks"},
        ...checklist
          .filter(item => item.part === part)
          .map(item =>
            element(
              "li",
              {},
              element(
                "span",
                {class: "check " + item.answer},
                `${MARKS[item.answer]} ${item.answer}`,
              ),
              element(
                "span",
                {},
                element("b", {}, item.question),
                element("br"),
                ...withCode(item.evidence),
              ),
            ),
          ),
      ),
    ]),
  );
}

addSection(draw);
