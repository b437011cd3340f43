"""Our layer inside programs that torch compiles, exports, traces or transforms."""

import io
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from wiring_search.networks.kernels import cpu
from wiring_search.networks.kernels.layout import PackLayout
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.wirings.topologies import ncp

WIRING = ncp(3, 6, 4, 2, 2, 2, 5, 2, seed=4)
NUMBERS = torch.Generator().manual_seed(3)
X = torch.rand(4, 5, 3, generator=NUMBERS)
WIDE = torch.rand(4, 5, 6, generator=NUMBERS)
ADJOINT = {"solver": "rk4", "steps": 2, "gradient": "adjoint"}
KINDS = {
    "ltc": {},
    "cfc": {"neuron": "cfc", "memory": "state", "every_step": False},
    "adjoint": ADJOINT,
}

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def _network(**given) -> LiquidNetwork:
    return LiquidNetwork(WIRING, outputs=2, seed=2, **given)


class Model(nn.Module):
    """The layer between others."""

    def __init__(self, **given) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.before = nn.Linear(6, 3)
        self.layer = _network(**given)
        self.behind = nn.Linear(2, 1)

    def forward(self, x: torch.Tensor, **others: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y, state = self.layer(self.before(x), **others)
        return self.behind(torch.relu(y)), state


def _compiled(function: Callable, **given) -> Callable:
    torch._dynamo.reset()
    return torch.compile(function, **{"fullgraph": True, "backend": "aot_eager", **given})


def _results(model: nn.Module, run: Callable, x: torch.Tensor, **others) -> list[torch.Tensor]:
    """Outputs and the gradients of inputs and parameters."""
    model.zero_grad()
    x = x.clone().requires_grad_()
    y, state = run(x, **others)
    (y.square().sum() + state.sum()).backward()
    grads = [value.grad for value in model.parameters() if value.grad is not None]
    return [y.detach(), state.detach(), x.grad, *(grad.clone() for grad in grads)]


def _all_equal(ours: list[torch.Tensor], theirs: list[torch.Tensor]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one, other)


def _close(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.fixture
def kernel_runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list to which every forward run of the fused kernel appends its time steps."""
    runs, forward = [], cpu.forward

    def counted(layout, params, x, *others):
        runs.append(x.shape[1])
        return forward(layout, params, x, *others)

    monkeypatch.setattr(cpu, "forward", counted)
    return runs


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_compiled_model_computes_the_same_with_the_kernel_inside(
    kind: dict, kernel_runs: list[int]
) -> None:
    model = Model(**kind)
    compiled = _results(model, _compiled(model), WIDE)
    assert kernel_runs == [5]
    _all_equal(compiled, _results(model, model, WIDE))


@pytest.mark.slow
def test_torch_s_compiler_of_c_code_computes_the_same() -> None:
    model = Model()
    compiled = _results(model, _compiled(model, backend="inductor"), WIDE)
    for ours, theirs in zip(compiled, _results(model, model, WIDE), strict=True):
        _close(ours, theirs)


def test_a_compiled_model_takes_lengths_times_and_a_state() -> None:
    model = Model()
    others = {
        "elapsed": torch.rand(4, 5, generator=NUMBERS),
        "lengths": torch.tensor([5, 3, 0, 1]),
        "state": torch.rand(4, WIRING.neurons, generator=NUMBERS),
    }
    compiled = _results(model, _compiled(model), WIDE, **others)
    _all_equal(compiled, _results(model, model, WIDE, **others))


def test_a_compiled_model_refuses_negative_times_when_it_runs() -> None:
    with pytest.raises(ValueError, match="elapsed has an infinite, negative or NaN entry"):
        _compiled(_network())(X, elapsed=-torch.ones(4, 5))


def test_a_compiled_model_without_gradients_keeps_no_history(kernel_runs: list[int]) -> None:
    model, compiled = _network(), _compiled(_network())
    long = torch.rand(2, 5000, 3)
    with torch.no_grad():
        y, state = compiled(long)
        assert max(kernel_runs) < 5000
        _all_equal([y, state], [*model(long)])


def test_a_compiled_model_takes_batches_and_sequences_of_any_size() -> None:
    model = Model()
    compiled = _compiled(model, dynamic=True)
    for samples, steps in ((4, 5), (17, 9), (33, 2)):
        x = torch.rand(samples, steps, 6)
        _all_equal(_results(model, compiled, x), _results(model, model, x))


def test_two_compiled_networks_with_equal_shapes_run_their_wirings() -> None:
    torch._dynamo.reset()
    for seed in (5, 6):
        net = LiquidNetwork(ncp(3, 6, 4, 2, 2, 2, 5, 2, seed=seed), outputs=2)
        compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
        _all_equal([*compiled(X)], [*net(X)])


def test_a_copy_that_was_pickled_compiles() -> None:
    saved = io.BytesIO()
    net = _network()
    torch.save(net, saved)
    saved.seek(0)
    again = torch.load(saved, weights_only=False)
    _all_equal([*_compiled(again)(X)], [*net(X)])


def test_a_compiled_reference_computes_the_same() -> None:
    net = _network().double()
    _close(_compiled(net)(X.double())[0], net(X.double())[0])


def test_the_operators_are_registered_as_torch_wants_them() -> None:
    layout = _network().layout
    flat = torch.cat([value.detach().reshape(-1) for value in _network().parameters()])
    inputs = flat, X, torch.ones(4, 5), torch.zeros(4, layout.state_size)
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    checks = "test_schema", "test_autograd_registration", "test_faketensor"
    for every_step in (True, False):
        torch.library.opcheck(
            torch.ops.wiring_search.liquid,
            (layout.text, True, every_step, *leaves),
            test_utils=checks,
        )


def test_a_layout_s_text_holds_all_of_it() -> None:
    layout = _network(memory="state").layout
    again = PackLayout.from_text(layout.text)
    assert again.text == layout.text
    assert (again.wirings, again.steps, again.features, again.outputs, again.kind) == (
        layout.wirings,
        layout.steps,
        layout.features,
        layout.outputs,
        layout.kind,
    )


def test_a_layout_s_text_is_the_same_in_every_process() -> None:
    source = (
        "from wiring_search.networks.liquid_network import LiquidNetwork\n"
        "from wiring_search.wirings.topologies import ncp\n"
        "wiring = ncp(3, 6, 4, 2, 2, 2, 5, 2, seed=4)\n"
        "print(LiquidNetwork(wiring, outputs=2).layout.text)"
    )
    printed = subprocess.run([sys.executable, "-c", source], check=True, capture_output=True)
    assert printed.stdout.decode().strip() == _network().layout.text


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_an_exported_program_is_plain_torch_and_computes_the_same(kind: dict) -> None:
    model = Model(**kind)
    batch = {0: torch.export.Dim("batch", min=2, max=64)}
    program = torch.export.export(model, (WIDE,), dynamic_shapes={"x": batch})
    targets = {str(node.target) for node in program.graph.nodes}
    assert not [target for target in targets if "wiring_search" in target]
    other = torch.rand(7, 5, 6)
    for ours, theirs in zip(program.module()(other), model(other), strict=True):
        _close(ours, theirs)


def test_a_strict_export_names_a_way_out() -> None:
    with pytest.raises(RuntimeError, match="give strict=False"):
        torch.export.export(_network(), (X,), strict=True)


@pytest.mark.parametrize("dynamo", [True, False], ids=["export", "tracing"])
def test_onnx_computes_the_same(dynamo: bool, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript" if dynamo else "onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    model, file = Model().eval(), tmp_path / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, (WIDE,), file, dynamo=dynamo, input_names=["x"], output_names=["y", "state"]
        )
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    found = session.run(None, {"x": WIDE.numpy()})
    for ours, theirs in zip(found, model(WIDE), strict=True):
        _close(torch.from_numpy(ours), theirs.detach())


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_traced_model_computes_the_same_for_another_batch() -> None:
    model = Model()
    other = torch.rand(7, 5, 6)
    for ours, theirs in zip(torch.jit.trace(model, (WIDE,))(other), model(other), strict=True):
        _close(ours, theirs)


def test_scripting_names_a_way_out() -> None:
    with pytest.raises(RuntimeError, match=r"torch.jit.script cannot .*; give torch.jit.trace"):
        torch.jit.script(Model())


def _last(net: LiquidNetwork) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda x: net(x)[0][:, -1].sum(0)


JACOBIANS = {
    "jacrev": lambda f, x: torch.func.jacrev(f)(x),
    "jacfwd": lambda f, x: torch.func.jacfwd(f)(x),
    "vectorized": lambda f, x: torch.autograd.functional.jacobian(f, x, vectorize=True),
    "forward mode": lambda f, x: torch.autograd.functional.jacobian(
        f, x, vectorize=True, strategy="forward-mode"
    ),
    "compiled jacrev": lambda f, x: _compiled(torch.func.jacrev(f), fullgraph=False)(x),
}


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # of torch's compiler
@pytest.mark.parametrize("jacobian", JACOBIANS.values(), ids=JACOBIANS)
def test_a_jacobian_is_that_of_plain_loops(jacobian: Callable) -> None:
    f = _last(_network())
    _close(jacobian(f, X), torch.autograd.functional.jacobian(f, X))


HESSIANS = {
    "torch.func": lambda f, x: torch.func.hessian(f)(x),
    "vectorized": lambda f, x: torch.autograd.functional.hessian(f, x, vectorize=True),
}


@pytest.mark.parametrize("hessian", HESSIANS.values(), ids=HESSIANS)
def test_a_hessian_is_that_of_plain_loops(hessian: Callable) -> None:
    f = _last(_network())
    _close(
        hessian(lambda x: f(x).sum(), X),
        torch.autograd.functional.hessian(lambda x: f(x).sum(), X),
    )


def test_an_ensemble_is_mapped_over() -> None:
    nets = [LiquidNetwork(WIRING, outputs=2, seed=seed) for seed in range(3)]
    values, _ = torch.func.stack_module_state(nets)

    def run(values: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.func.functional_call(nets[0], values, (X,))[0]

    y = torch.func.vmap(run)(values)
    _close(y, torch.stack([net(X)[0] for net in nets]))


def test_samples_are_mapped_over_with_their_times() -> None:
    net, elapsed = _network(), torch.rand(4, 5, generator=NUMBERS)
    y = torch.func.vmap(lambda x, elapsed: net(x[None], elapsed[None])[0][0])(X, elapsed)
    _close(y, net(X, elapsed)[0])


def test_gradients_by_function_are_those_of_backward() -> None:
    net = _network()

    def loss(values: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.func.functional_call(net, values, (X,))[0].square().mean()

    grads = torch.func.grad(loss)(dict(net.named_parameters()))
    net(X)[0].square().mean().backward()
    for name, grad in grads.items():
        _close(grad, net.get_parameter(name).grad)


@pytest.mark.parametrize("jacobian", ["jacrev", "jacfwd", "vectorized"])
def test_transforms_of_the_adjoint_s_gradient_are_refused(jacobian: str) -> None:
    with pytest.raises(RuntimeError, match='give gradient="bptt"'):
        JACOBIANS[jacobian](_last(_network(**ADJOINT)), X)


def test_a_compiled_transform_names_a_way_out() -> None:
    with pytest.raises(RuntimeError, match="leave out fullgraph=True, or torch.compile"):
        _compiled(torch.func.jacrev(_last(_network())))(X)


def test_tools_that_record_operators_see_the_layer() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    net = _network()
    with FakeTensorMode(allow_non_fake_inputs=True):
        y, state = net(torch.rand(4, 5, 3))
    assert y.shape == (4, 5, 2)
    assert state.shape == (4, WIRING.neurons)
