"""Exports: every kind of network in every format that can hold it, compared with the fused kernel.
No unverified file is kept."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import networkx
import numpy as np
import onnx
import onnx.reference
import onnxruntime
import pytest
import torch
from typer.testing import CliRunner

from tests.support import exported_networks as exported
from tests.support.extensions import tables_restored
from wiring_search import export as exporting
from wiring_search.cli import app
from wiring_search.export import FORMATS, network_from_json, to_c, to_torch, write
from wiring_search.export.parcel import Parcel
from wiring_search.export.steps import Step
from wiring_search.networks.neurons import NEURONS
from wiring_search.run import ONE_PROCESS, search, study_config
from wiring_search.store.extension import Extension
from wiring_search.tasks import TaskOptions
from wiring_search.wirings.kinds import KINDS, Family, NeuronKind
from wiring_search.wirings.wiring import Wiring

needs_compiler = pytest.mark.skipif(bool(to_c.missing()), reason="no C compiler")


@pytest.fixture(scope="module")
def parcels() -> list[Parcel]:
    """One of each kind; every other one with a projection, every third without a linear readout."""
    return [
        exported.network_parcel(
            *kind, projected=bool(number % 2), outputs=4 if number % 3 else None
        )
        for number, kind in enumerate(exported.KINDS)
    ]


def _near(ours: np.ndarray, theirs: np.ndarray) -> bool:
    return bool(np.abs(ours - theirs).max() <= 1e-5 * max(1.0, np.abs(theirs).max()))


def test_plain_steps_are_what_the_kernel_computes(parcels: list[Parcel]) -> None:
    for parcel in parcels:
        step, state, outputs = Step(parcel.network), torch.zeros_like(parcel.state), []
        for t in range(parcel.x.shape[1]):
            y, state = step(parcel.x[:, t], parcel.elapsed[:, t, None], state)
            outputs.append(y)
        assert _near(torch.stack(outputs, 1).numpy(), parcel.y.numpy()), parcel.name
        assert _near(state.numpy(), parcel.state.numpy()), parcel.name


@needs_compiler
def test_c_is_what_the_kernel_computes(parcels: list[Parcel], tmp_path: Path) -> None:
    for parcel in parcels:
        to_c.write(parcel, tmp_path)
    for parcel, (y, state, _) in zip(
        parcels, to_c.run_headers(parcels, tmp_path, "-O1"), strict=True
    ):
        assert _near(y, parcel.y.numpy()), parcel.name
        assert _near(state, parcel.state.numpy()), parcel.name


@needs_compiler
def test_the_header_is_cpp_too_says_its_sizes_and_scales(tmp_path: Path) -> None:
    if not shutil.which("g++"):
        pytest.skip("no C++ compiler")
    parcel = exported.network_parcel("ltc", "rk4", "state")
    to_c.write(parcel, tmp_path)
    name, big = parcel.name, parcel.name.upper()
    (tmp_path / "main.cpp").write_text(
        f"""#include <stdio.h>
#include "{name}.h"
#include "{name}.h"
int main() {{
    const float raw[{big}_FEATURES] = {{0.0f, 3.0f, 2.0f, 3.0f}};
    float x[{big}_FEATURES];
    {name}_scale(raw, x);
    printf("%g %g %zu %d\\n", x[0], x[1], sizeof({name}_state), {big}_STATE_BYTES);
}}
"""
    )
    strict = ["-std=c++11", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    subprocess.run(["g++", *strict, tmp_path / "main.cpp", "-o", tmp_path / "main"], check=True)
    printed = subprocess.run(
        [tmp_path / "main"], capture_output=True, text=True, check=True
    ).stdout.split()
    size = str(4 * parcel.state.shape[1])
    assert printed == ["0", "1", size, size]


def test_graphs_json_and_ncps_hold_every_kind_that_they_can(
    parcels: list[Parcel], tmp_path: Path
) -> None:
    refused = []
    for parcel in parcels:
        names = [
            name for name in ("graphml", "dot", "json", "ncps") if not FORMATS[name].refused(parcel)
        ]
        for one in write(parcel, names, tmp_path / parcel.name):
            assert one.check.relative < 2e-6, (parcel.name, one)
        if "ncps" not in names:
            refused.append(parcel)
    holding = [parcel for parcel in parcels if parcel not in refused]
    assert {(p.candidate.neuron, p.candidate.memory) for p in holding} >= {
        ("ltc", "none"),
        ("layered-cfc", "none"),
    }
    assert any(parcel.candidate.memory == "state" for parcel in holding)
    assert all(
        p.candidate.neuron.startswith("layered") or p.candidate.solver == "semi-implicit"
        for p in holding
    )
    with pytest.raises(
        ValueError, match="ncps holds LTC with the semi-implicit solver and layered CfC"
    ):
        write(refused[0], ["ncps"], tmp_path / "refused")
    assert not (tmp_path / "refused").exists()


def test_an_extensions_neuron_has_a_graph_but_no_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NEURONS, "mine", NEURONS["ct-rnn"])
    monkeypatch.setitem(KINDS, "mine", NeuronKind(Family.EXTENSION, ("euler",), compiled=False))
    parcel = exported.network_parcel("mine", "euler", "none")
    assert not write(parcel, ["graphml", "json"], tmp_path / "out")[0].check.absolute
    with pytest.raises(ValueError, match="exported to c: .*the neuron mine is an extension's"):
        write(parcel, ["c"], tmp_path / "out")


_SIZES = """
from wiring_search.export import Format
from wiring_search.export.verified import Check

def write(parcel, folder):
    (folder / "size.txt").write_text(str(parcel.network.wiring.synapse_count))

def check(parcel, folder):
    found = int((folder / "size.txt").read_text())
    return Check(float(found - parcel.network.wiring.synapse_count), 0.0)

EXPORTS = {NAME: Format("a size", write, lambda parcel: ["size.txt"], check, "Read {name}.")}
"""


def test_an_extension_brings_a_format(tmp_path: Path) -> None:
    parcel = exported.network_parcel("ltc", "semi-implicit", "none")
    with tables_restored():
        Extension("sizes.py", _SIZES.replace("NAME", '"size"')).load()
        written = write(parcel, ["size"], tmp_path / "out")
    assert [path.name for path in written[0].files] == ["size.txt"]
    assert f"Read {parcel.name}." in (tmp_path / "out" / "README.md").read_text()


def test_an_extension_cannot_replace_a_format() -> None:
    with tables_restored():
        Extension("sizes.py", _SIZES.replace("NAME", '"json"')).load()
        with pytest.raises(ValueError, match="EXPORTS..json.. exists already"):
            exporting.formats()


def test_an_extensions_format_must_be_one() -> None:
    with pytest.raises(ValueError, match="give a Format of wiring_search.export"):
        Extension("sizes.py", 'EXPORTS = {"size": print}').load()


def test_files_hold_the_wiring_and_the_network(tmp_path: Path) -> None:
    parcel = exported.network_parcel("ltc", "semi-implicit", "none")
    write(parcel, ["graphml", "json", "dot"], tmp_path / "out")
    graph = networkx.read_graphml(tmp_path / "out" / "wiring.graphml")
    assert Wiring.from_networkx(graph) == parcel.network.wiring
    weights = [
        graph.edges[f"neuron_{pre}", f"neuron_{post}"]["w"]
        for pre, post, _ in parcel.network.wiring.synapses
    ]
    assert weights == parcel.network.effective()["w"].tolist()
    assert graph.nodes["sensory_1"]["feature"] == 'feature "1"'
    again = network_from_json((tmp_path / "out" / "network.json").read_text())
    assert again.wiring == parcel.network.wiring
    assert torch.allclose(again(parcel.x, parcel.elapsed)[0], parcel.y, atol=1e-6)
    layers = (tmp_path / "out" / "wiring.dot").read_text().split("rank=same")[1:]
    assert [layer.split("}")[0].count("[") for layer in layers] == [
        4,
        parcel.network.wiring.inter,
        3,
        2,
    ]
    with pytest.raises(ValueError, match="this is no network.json"):
        network_from_json('{"candidate": 1}')


@pytest.mark.slow
def test_torch_and_onnx(tmp_path: Path) -> None:
    """One kind alone, as tracing is slow; the plain steps that are traced are compared for every
    kind above."""
    parcel = exported.network_parcel("ltc", "semi-implicit", "state")
    written = write(parcel, ["torch", "onnx"], tmp_path / "out")
    assert all(one.check.relative < 2e-6 for one in written)
    x, elapsed, state = (
        values.numpy()
        for values in (parcel.x[:2, :3], parcel.elapsed[:2, :3], torch.zeros_like(parcel.state))
    )
    given = {"x": x, "elapsed": elapsed, "state": state[:2]}
    wanted = parcel.y[:2, :3].numpy()
    path = str(tmp_path / "out" / "sequence.onnx")
    for session in (onnxruntime.InferenceSession(path), onnx.reference.ReferenceEvaluator(path)):
        assert _near(session.run(None, given)[0], wanted)
    properties = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert properties["task"] == "made up"
    assert json.loads(properties["inputs"])["features"][1] == {
        "name": 'feature "1"',
        "middle": 1.0,
        "spread": 2.0,
    }
    torch.export.load(tmp_path / "out" / "step.pt2", extra_files=(extra := {"about.json": ""}))
    assert json.loads(extra["about.json"]) == parcel.about
    for file in to_torch.FILES:
        assert str(Path.cwd()).encode() not in (tmp_path / "out" / file).read_bytes()
    np.savez(tmp_path / "given.npz", **given, wanted=wanted)
    subprocess.run([sys.executable, "-c", _TORCH_ALONE, tmp_path], cwd=tmp_path, check=True)


_TORCH_ALONE = """
import sys
sys.modules["wiring_search"] = None  # importing it fails
import numpy, torch
folder = sys.argv[1]
arrays = numpy.load(folder + "/given.npz")
given = {name: torch.from_numpy(value) for name, value in arrays.items()}
step = torch.export.load(folder + "/out/step.pt2").module()
sequence = torch.export.load(folder + "/out/sequence.pt2").module()
y, state = sequence(given["x"], given["elapsed"], given["state"])
assert torch.allclose(y, given["wanted"], atol=1e-5)
y, _ = step(given["x"][:1, 0], given["elapsed"][:1, :1], given["state"][:1])
assert torch.allclose(y, given["wanted"][:1, 0], atol=1e-5)
"""


def test_files_that_differ_from_the_network_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parcel = exported.network_parcel("ltc", "semi-implicit", "none")
    write(parcel, ["dot"], tmp_path / "out")
    before = sorted(path.name for path in tmp_path.rglob("*"))
    honest = exporting.to_json.network_from_json

    def off(text: str):
        network = honest(text)
        with torch.no_grad():
            network.output_b += 0.001
        return network

    monkeypatch.setattr(exporting.to_json, "network_from_json", off)
    with pytest.raises(
        ValueError, match="json export of .* differs from the network: its values differ by 0.001"
    ):
        write(parcel, ["graphml", "json"], tmp_path / "out")
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_a_folder_belongs_to_one_network(tmp_path: Path) -> None:
    first, second = (
        exported.network_parcel("ltc", solver, "none") for solver in ("semi-implicit", "rk4")
    )
    write(first, ["dot"], tmp_path / "out")
    write(first, ["json"], tmp_path / "out")
    assert set(json.loads((tmp_path / "out" / "export.json").read_text())["formats"]) == {
        "dot",
        "json",
    }
    with pytest.raises(ValueError, match="another network; choose another folder"):
        write(second, ["dot"], tmp_path / "out")


def test_the_command(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    rng = np.random.default_rng(0)
    raw = rng.normal([5.0, -3.0], [2.0, 0.5], (600, 2))
    lines = [f"{a},{b},{a - b}" for a, b in raw]
    table.write_text("\n".join(["a,b,y", *lines]))
    out = tmp_path / "study"
    options = TaskOptions(data=str(table), target="y", window=8, stride=8)
    search(study_config("csv", "small", options, trials=2, epochs=1, scores=()), out, ONE_PROCESS)
    ran = CliRunner().invoke(
        app,
        [
            "export",
            str(out),
            "--trial",
            "0",
            "--to",
            "json,graphml,c",
            "--out",
            str(tmp_path / "exported"),
        ],
    )
    assert ran.exit_code == 0, ran.output
    inputs = json.loads((tmp_path / "exported" / "inputs.json").read_text())
    training = raw[:420]
    assert [column["name"] for column in inputs["features"]] == ["a", "b"]
    assert np.allclose([column["middle"] for column in inputs["features"]], training.mean(axis=0))
    assert np.allclose([column["spread"] for column in inputs["features"]], training.std(axis=0))
    assert inputs["outputs"][0]["name"] == "y"
    assert np.isclose(inputs["outputs"][0]["middle"], (training[:, 0] - training[:, 1]).mean())
    readme = (tmp_path / "exported" / "README.md").read_text()
    for name in ("json", "graphml", "c"):
        loading = FORMATS[name].loading.split("```")[1].splitlines()[1]
        assert loading.format(name="csv_0") in readme, name
    assert "raw = y · spread + middle" in readme
    with pytest.raises(ValueError, match="'pdf' is no export format"):
        exporting.export(out, 0, ["pdf"], tmp_path / "exported")
