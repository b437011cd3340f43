"""Playing a trained wiring in the page: JavaScript computes what Python computes.

The player runs in a real browser.
"""

import html
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.browser import dom_of
from tests.support.studies import fake_train, store
from wiring_search.export.trained_network import trained_network
from wiring_search.networks.kernels import reference as kernel
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.report import write_report
from wiring_search.report.player import (
    EASY,
    TYPICAL,
    WORST,
    Plain,
    plain,
    plane,
    playable,
    shortest,
)
from wiring_search.report.scripts import linked
from wiring_search.report.serve import Live
from wiring_search.run import Run, player
from wiring_search.scores.trajectory import principal_plane
from wiring_search.search.study import search
from wiring_search.store import Store
from wiring_search.tasks import Split, Task
from wiring_search.training.pack import Pack
from wiring_search.wirings.kinds import KINDS as NEURON_KINDS
from wiring_search.wirings.kinds import MEMORIES
from wiring_search.wirings.topologies import ncp
from wiring_search.workers.inline import InlinePool
from wiring_search.workers.jobs import Beat, PackJob, PackResult, Status, no_beat

KINDS = [
    (neuron, solver, memory)
    for neuron, known in NEURON_KINDS.items()
    for solver in known.solvers
    for memory in MEMORIES
]
OFF = {"synapses": [1, 4], "sensory": [0], "neurons": [0, 5], "nodes": [2]}


def _network(kind: tuple[str, str, str], number: int) -> LiquidNetwork:
    """A random network in float64.

    Every second has as many features as sensory nodes, every third an affine readout.
    """
    neuron, solver, memory = kind
    wiring = ncp(4, 5, 3, 2, 2, 2, 2, 2, seed=number)
    features, outputs = (4, 3)[number % 2], (3, 3, None)[number % 3]
    torch.manual_seed(number)
    network = LiquidNetwork(
        wiring,
        features,
        outputs,
        neuron=neuron,
        solver=solver,
        steps=3,
        memory=memory,
        seed=number,
        use_reference=True,
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
        for name, pinned in network.layout.connections[0].pinned().items():
            network.get_parameter(name)[torch.from_numpy(pinned)] = 0.0
    return network


def _flat(network: LiquidNetwork) -> np.ndarray:
    return np.concatenate(
        [value.detach().numpy().ravel() for value in network.effective().values()]
    )


def _silenced(network: LiquidNetwork, off: dict[str, list[int]]) -> dict[str, torch.Tensor]:
    """The effective parameters with zeros where a part is off, by hand from the documentation."""
    made, own = (
        network.layout.connections[0],
        {name: value.detach().clone() for name, value in network.effective().items()},
    )
    motors = network.wiring.motor
    inner = np.isin(np.arange(len(made.pre)), off["synapses"]) | np.isin(made.pre, off["neurons"])
    outer = np.isin(np.arange(len(made.sensory_pre)), off["sensory"]) | np.isin(
        made.sensory_pre, off["nodes"]
    )
    for name in ("w", "ff1_w", "ff2_w", "time_a_w", "time_b_w"):
        if name in own:
            own[name][torch.from_numpy(inner)] = 0.0
            own["sensory_" + name][torch.from_numpy(outer)] = 0.0
    for i in off["neurons"]:
        if i < motors:
            own["output_w"][..., i] = 0.0
        if "memory_h" in own:
            own["memory_h"][:, i] = 0.0
    return own


def _reference(
    network: LiquidNetwork, own: dict[str, torch.Tensor], x: np.ndarray, elapsed: np.ndarray
) -> dict:
    """Outputs (B, T, O) and states (B, T, neurons), in float64, step by step."""
    params = torch.cat([value.double().ravel() for value in own.values()])
    state = torch.zeros(len(x), network.layout.state_size, dtype=torch.float64)
    states, outputs = [], []
    for t in range(x.shape[1]):
        now = (torch.from_numpy(part[:, t : t + 1]).double() for part in (x, elapsed))
        y, state = kernel.run(network.layout, params, *now, state, True)
        outputs.append(y[0, :, 0])
        states.append(state[:, : network.wiring.neurons])
    return {"outputs": torch.stack(outputs, 1).numpy(), "states": torch.stack(states, 1).numpy()}


_RUN = """
const off = Object.fromEntries(Object.entries(given.off).map(([name, list]) => [name, new Set(list)]));
const told = given.cases.map(({network, x, elapsed}) => {
  const own = Forward.prepared(network);
  return [own, Forward.silenced(own, off)].map(n => x.map((sample, b) => {
    const ran = Forward.run(n, Forward.exact(sample), elapsed[b].map(Math.fround));
    return {outputs: ran.map(s => [...s.y]), states: ran.map(s => [...s.v])};
  }));
});
document.getElementById("told").textContent = JSON.stringify(told);
"""


@pytest.mark.slow
def test_javascript_computes_what_python_computes_for_every_kind_whole_and_with_parts_switched_off(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    cases, expected = [], []
    for number, kind in enumerate(KINDS):
        network = _network(kind, number)
        x = rng.standard_normal((2, 6, network.layout.features)).astype(np.float32)
        elapsed = rng.uniform(0.2, 1.5, (2, 6)).astype(np.float32)
        elapsed[0, 2] = 0.0  # no time passes
        elapsed[1, 4:] = 0.0  # a sample that has ended
        cases.append(
            {
                "network": plain(network.layout, 0, _flat(network)),
                "x": x.tolist(),
                "elapsed": elapsed.tolist(),
            }
        )
        whole = {name: value.detach() for name, value in network.effective().items()}
        expected.append(
            [_reference(network, own, x, elapsed) for own in (whole, _silenced(network, OFF))]
        )
    given = json.dumps({"off": OFF, "cases": cases})
    page = tmp_path / "page.html"
    script = "".join(linked("forward.js", set()))
    page.write_text(
        f"<pre id=told></pre><script>{script}\nconst given = {given};{_RUN}</script>",
        encoding="utf-8",
    )
    dom = dom_of(page)
    told = json.loads(dom[dom.index('<pre id="told">') + 15 : dom.index("</pre>")])
    worst: dict[str, float] = {}
    for kind, (whole, off), mine in zip(KINDS, expected, told, strict=True):
        assert np.abs(whole["outputs"] - off["outputs"]).max() > 1e-3, (
            f"{kind}: nothing was switched off"
        )
        for reference, runs in zip((whole, off), mine, strict=True):
            for name in ("outputs", "states"):
                assert np.isfinite(reference[name]).all(), kind
                values = np.array([run[name] for run in runs])
                apart = np.abs(values - reference[name]).max() / np.abs(reference[name]).max()
                worst["/".join(kind)] = max(
                    worst.get("/".join(kind), 0.0), apart if np.isfinite(apart) else np.inf
                )
    # Both compute in float64, so the tolerance is far below what the eye could see.
    assert max(worst.values()) < 1e-9, {
        kind: value for kind, value in worst.items() if not value < 1e-9
    }


def _irregular_task() -> Task:
    """Twelve samples of up to six irregular steps."""
    rng = np.random.default_rng(1)
    x, elapsed = (
        rng.standard_normal((12, 6, 2)).astype(np.float32),
        rng.uniform(0.5, 1.5, (12, 6)).astype(np.float32),
    )
    split = Split(x, rng.integers(0, 2, 12), elapsed, np.array([6, 5, 4] * 4))
    return Task("made up", "classification", False, 2, "accuracy", split, split, split, {}, "")


def _keep_initial_weights(task: Task, job: PackJob, beat: Beat = no_beat) -> PackResult:
    """Fake scores, with weights that can be read."""
    outcomes = []
    for candidate, outcome in zip(job.candidates, fake_train(task, job).outcomes, strict=True):
        state, buffer = Pack([candidate], task.features, task.outputs).state(0), io.BytesIO()
        np.savez(
            buffer, **state, best_weights=state["weights"], curve=np.ones(1), epochs=np.array(1)
        )
        outcomes.append(
            replace(outcome, state=buffer.getvalue() if outcome.status is Status.OK else None)
        )
    return PackResult(job.number, tuple(outcomes), "fake")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Store:
    mine = store(tmp_path_factory.mktemp("study"), trials=9)
    search(mine.config, mine, InlinePool(_keep_initial_weights, _irregular_task()))
    return mine


@pytest.fixture(scope="module")
def given(study: Store) -> Plain:
    return playable(study, study.trials(), _irregular_task())


def test_what_is_told_is_what_the_trained_network_says_to_that_sample(
    study: Store, given: Plain
) -> None:
    assert [one["trial"] for one in given["networks"]] == [
        t.trial for t in study.trials() if t.status is Status.OK
    ]
    valid = _irregular_task().valid
    for one in given["networks"]:
        network = trained_network(study, one["trial"], every_step=False)
        for shown, told in zip(one["shown"], one["expected"], strict=True):
            sample, steps = given["samples"][str(shown["row"])], int(valid.lengths[shown["row"]])
            assert len(sample["x"]) == len(sample["elapsed"]) == steps
            assert sample["y"] == valid.y[shown["row"]]
            with torch.no_grad():
                y, _ = network(torch.tensor([sample["x"]]), torch.tensor([sample["elapsed"]]))
            assert np.allclose(told, y[0], atol=1e-5)
        for name, value in network.effective().items():
            assert np.allclose(one["parameters"][name], value.detach().numpy().ravel(), rtol=1e-6)


def test_samples_are_one_that_is_easy_for_all_a_typical_one_and_each_ones_worst(
    study: Store, given: Plain
) -> None:
    valid = _irregular_task().valid
    for one in given["networks"]:
        rows = {shown["name"]: shown["row"] for shown in one["shown"]}
        y, _ = trained_network(study, one["trial"], every_step=False)(
            torch.from_numpy(valid.x),
            torch.from_numpy(valid.elapsed),
            lengths=torch.from_numpy(valid.lengths),
        )
        losses = torch.nn.functional.cross_entropy(
            y, torch.from_numpy(valid.y), reduction="none"
        ).detach()
        assert (
            losses[rows.get(WORST, rows[EASY])] == losses.max()
            or losses[rows[TYPICAL]] == losses.max()
        )
        assert rows[EASY] != rows[TYPICAL]
    assert len({one["shown"][0]["row"] for one in given["networks"]}) == 1


def test_the_first_networks_are_kept_where_all_would_be_too_much(
    study: Store, given: Plain
) -> None:
    numbers = [one["trial"] for one in given["networks"]]
    size = len(json.dumps(given))
    less = playable(study, study.trials()[::-1], _irregular_task(), largest=size // 2)
    kept = [one["trial"] for one in less["networks"]]
    assert 0 < len(kept) < len(numbers)
    assert kept == numbers[::-1][: len(kept)]
    assert len(json.dumps(less)) < 0.6 * size
    assert [
        one["trial"]
        for one in playable(study, study.trials(), _irregular_task(), most=2)["networks"]
    ] == numbers[:2]
    assert playable(study, [], _irregular_task())["networks"] == []


def test_neurons_that_the_page_does_not_know_are_left_out(
    study: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NEURON_KINDS, "ltc", replace(NEURON_KINDS["ltc"], compiled=False))
    assert all(t.candidate.neuron == "ltc" for t in study.trials() if t.candidate)
    assert playable(study, study.trials(), _irregular_task())["networks"] == []


def test_the_plane_is_that_of_the_principal_components() -> None:
    path = np.random.default_rng(0).standard_normal((40, 5)) * [3, 2, 1, 0.5, 0.1]
    found = plane(path)
    there = (path - found["middle"]) @ np.array(found["axes"]).T
    expected = principal_plane(path)
    assert np.allclose(np.abs(there), np.abs(expected), atol=1e-3)
    assert np.allclose(found["explained"], expected.var(axis=0) / path.var(axis=0).sum(), atol=1e-3)
    assert len(plane(path[:, :1])["axes"]) == 1


def test_a_number_is_written_as_short_as_its_float32_can_be_told() -> None:
    values = np.random.default_rng(0).standard_normal(200).astype(np.float32)
    text = json.dumps(shortest(values))
    assert np.array_equal(np.float32(json.loads(text)), values)
    assert len(text) < 0.65 * len(json.dumps(values.tolist()))


def test_a_report_says_why_networks_cannot_be_run_where_the_data_are_gone(tmp_path: Path) -> None:
    mine = store(tmp_path, trials=3, task="half-cheetah")
    search(mine.config, mine, InlinePool(_keep_initial_weights, _irregular_task()))
    mine.close()
    Run(tmp_path).write_files()
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '"play":{"absent":"The networks of this study cannot be run here: ' in text
    assert "--data" in text


def test_a_served_page_has_them_too_and_its_task_is_loaded_once(
    study: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []
    monkeypatch.setattr(
        "wiring_search.tasks.load", lambda *given: loaded.append(given) or _irregular_task()
    )
    live = Live(study.folder, player())
    played = live.page()["play"]
    assert {one["trial"] for one in played["networks"]} == {
        t.trial for t in study.trials() if t.status is Status.OK
    }
    assert live.page()["play"] is played
    assert "play" not in live.data()
    assert player()(study)["networks"] == played["networks"]
    assert len(loaded) == 2


_PLAY = """
const spoken = () => document.querySelector(".summary").textContent, part = name => document.querySelector(`[data-part="${name}"]`);
const press = (node, key) => node.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
const list = document.querySelector(".player select");
list.value = FIRST;
list.dispatchEvent(new Event("change"));
const heard = [spoken()];
const motor = Base.byId("play").querySelectorAll(".motor");
motor.forEach(neuron => neuron.dispatchEvent(new MouseEvent("click")));
heard.push(spoken(), Base.byId("play").querySelectorAll(".neuron.off").length === motor.length, document.querySelectorAll(".bar s").length);
document.querySelector(".all-on").click();
heard.push(spoken(), document.querySelectorAll(".stage .off").length);
const slider = document.querySelector(".player input[type=range]"), at = () => document.querySelector(".says h3").textContent;
slider.value = 1;
slider.dispatchEvent(new Event("input"));
heard.push(at());
part("nodes-0").focus();
press(document.activeElement, "ArrowRight");
press(document.activeElement, "Enter");
heard.push(document.activeElement.getAttribute("aria-pressed"), spoken(), document.querySelectorAll(".synapse.off").length);
[...document.querySelectorAll(".segments button")].at(-1).click();
heard.push(document.querySelector(".segments [aria-pressed=true]").textContent, document.querySelectorAll(".stage .off").length);
document.querySelector(".player .round").click();
heard.push(document.querySelector(".player .round").getAttribute("aria-label"), at());
document.body.append(Base.element("pre", {id: "heard"}, JSON.stringify({heard, faults})));
"""


@pytest.mark.slow
def test_in_a_browser_the_player_plays_and_every_part_is_a_switch(
    study: Store, given: Plain, tmp_path: Path
) -> None:
    text = write_report(study, given).read_text(encoding="utf-8")
    faults = "<script>const faults = []; onerror = console.error = (...what) => faults.push(what.join(' '));</script>"
    page, first = tmp_path / "page.html", given["networks"][0]
    script = _PLAY.replace("FIRST", str(first["trial"]))
    page.write_text(
        text.replace("<head>", f"<head>{faults}", 1).replace(
            "</body>", f"<script>{script}</script></body>"
        ),
        encoding="utf-8",
    )
    found = re.search(r'<pre id="heard">(.*?)</pre>', dom_of(page))
    assert found, "the script did not come to its end"
    told = json.loads(html.unescape(found[1]))
    assert not told["faults"]
    (
        whole,
        silent,
        all_off,
        ghosts,
        again,
        none_off,
        at,
        pressed,
        switched,
        cut,
        worst,
        still_off,
        button,
        start,
    ) = told["heard"]
    bias, easy = np.array(first["parameters"]["output_b"]), np.array(first["expected"][0])
    share = lambda y: round(100 * float(np.exp(y.max()) / np.exp(y).sum()))  # noqa: E731
    # Without motor neurons the output is the readout's bias.
    assert f"Prediction: {easy.argmax()} ({share(easy)} %)" in whole
    assert f"Prediction: {bias.argmax()} ({share(bias)} %)" in silent
    assert f"Intact network: {easy.argmax()}" in silent
    assert all_off
    assert ghosts == 2
    assert again.endswith(whole)
    assert none_off == 0
    assert at.startswith("Output at step 2 of")
    assert pressed == "false"
    assert cut == 1
    assert switched.startswith("Sensory node 0 → ")
    assert " is off. Prediction: " in switched
    assert worst.startswith(first["shown"][-1]["name"])
    assert still_off == 1
    assert button == "pause"
    assert start.startswith("Output at step 1 of")
