"""Playing a trained wiring in the page: what JavaScript computes is what Python computes, and the player is alive."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from wiring_search.candidate import EXPLICIT, MEMORIES, SOLVERS
from wiring_search.network import LiquidNetwork
from wiring_search.playing import plain
from wiring_search.topologies import ncp

WEB = Path(__file__).parents[1] / "wiring_search" / "report" / "web"
KINDS = [(neuron, solver, memory) for neuron, solvers in SOLVERS.items() for solver in solvers for memory in MEMORIES]
OFF = {"synapses": [1, 4], "sensory": [0], "neurons": [0, 5], "nodes": [2]}


def _network(kind: tuple[str, str, str], number: int) -> LiquidNetwork:
    """A random one in float64: every second with as many features as sensory nodes, every third with an affine readout."""
    neuron, solver, memory = kind
    wiring = ncp(4, 5, 3, 2, 2, 2, 2, 2, seed=number)
    features, outputs = (4, 3)[number % 2], (3, 3, None)[number % 3]
    torch.manual_seed(number)
    network = LiquidNetwork(
        wiring, features, outputs, neuron=neuron, solver=solver, steps=3, memory=memory, seed=number, use_reference=True
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
        for name, pinned in network.layout.connections[0].pinned().items():
            network.get_parameter(name)[torch.from_numpy(pinned)] = 0.0
    return network


def _flat(network: LiquidNetwork) -> np.ndarray:
    return np.concatenate([value.detach().numpy().ravel() for value in network.effective().values()])


def _silenced(network: LiquidNetwork, off: dict[str, list[int]]) -> dict[str, torch.Tensor]:
    """The effective parameters with zeros where something is off, from the documented meaning, by hand."""
    made, own = network.layout.connections[0], {name: value.detach().clone() for name, value in network.effective().items()}
    motors = network.wiring.motor
    inner = np.isin(np.arange(len(made.pre)), off["synapses"]) | np.isin(made.pre, off["neurons"])
    outer = np.isin(np.arange(len(made.sensory_pre)), off["sensory"]) | np.isin(made.sensory_pre, off["nodes"])
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


def _reference(network: LiquidNetwork, own: dict[str, torch.Tensor], x: np.ndarray, elapsed: np.ndarray) -> dict:
    """Outputs (B, T, O) and states (B, T, neurons), in float64, step by step."""
    from wiring_search.kernels import reference

    params = torch.cat([value.double().ravel() for value in own.values()])
    state = torch.zeros(len(x), network.layout.state_size, dtype=torch.float64)
    states, outputs = [], []
    for t in range(x.shape[1]):
        now = (torch.from_numpy(part[:, t : t + 1]).double() for part in (x, elapsed))
        y, state = reference.run(network.layout, params, *now, state, True)
        outputs.append(y[0, :, 0])
        states.append(state[:, : network.wiring.neurons])
    return {"outputs": torch.stack(outputs, 1).numpy(), "states": torch.stack(states, 1).numpy()}


def _browser() -> str:
    found = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("needs a Chromium or Chrome, and none is installed")
    return found


def _dom(page: Path) -> str:
    """The page as a browser has it after its scripts have run."""
    profile = f"--user-data-dir={page.parent / 'profile'}"
    command = [_browser(), "--headless", "--no-sandbox", "--disable-gpu", profile, "--window-size=1100,900"]
    command += ["--virtual-time-budget=3000", "--dump-dom", page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


_RUN = """
const off = Object.fromEntries(Object.entries(given.off).map(([name, list]) => [name, new Set(list)]));
const told = given.cases.map(({network, x, elapsed}) => {
  const own = forward.prepared(network);
  return [own, forward.silenced(own, off)].map(n => x.map((sample, b) => {
    const ran = forward.run(n, forward.exact(sample), elapsed[b].map(Math.fround));
    return {outputs: ran.map(s => [...s.y]), states: ran.map(s => [...s.v])};
  }));
});
document.getElementById("told").textContent = JSON.stringify(told);
"""


@pytest.mark.slow
def test_javascript_computes_what_python_computes_for_every_kind_whole_and_with_parts_switched_off(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cases, expected = [], []
    for number, kind in enumerate(KINDS):
        network = _network(kind, number)
        x = rng.standard_normal((2, 6, network.layout.features)).astype(np.float32)
        elapsed = rng.uniform(0.2, 1.5, (2, 6)).astype(np.float32)
        elapsed[0, 2] = 0.0  # no time passes
        elapsed[1, 4:] = 0.0  # a sample that has ended
        cases.append({"network": plain(network.layout, 0, _flat(network)), "x": x.tolist(), "elapsed": elapsed.tolist()})
        whole = {name: value.detach() for name, value in network.effective().items()}
        expected.append([_reference(network, own, x, elapsed) for own in (whole, _silenced(network, OFF))])
    given = json.dumps({"off": OFF, "cases": cases})
    page = tmp_path / "page.html"
    script = (WEB / "forward.js").read_text(encoding="utf-8")
    page.write_text(f"<pre id=told></pre><script>{script}\nconst given = {given};{_RUN}</script>", encoding="utf-8")
    dom = _dom(page)
    told = json.loads(dom[dom.index('<pre id="told">') + 15 : dom.index("</pre>")])
    worst: dict[str, float] = {}
    for kind, (whole, off), mine in zip(KINDS, expected, told, strict=True):
        assert np.abs(whole["outputs"] - off["outputs"]).max() > 1e-3, f"{kind}: nothing was switched off"
        for reference, runs in zip((whole, off), mine, strict=True):
            for name in ("outputs", "states"):
                values = np.array([run[name] for run in runs])
                scale = np.abs(reference[name]).max()
                worst["/".join(kind)] = max(worst.get("/".join(kind), 0.0), np.abs(values - reference[name]).max() / scale)
    assert {"/".join(kind): 0.0 for kind in KINDS}.keys() == worst.keys() and len(EXPLICIT) == 3
    print(worst)
    assert max(worst.values()) < 1e-5, {kind: value for kind, value in worst.items() if not value < 1e-5}
