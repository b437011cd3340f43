"""The adjoint method: gradients from a second differential equation that runs backward, nothing of
the sub-steps kept.

Within a time step of length Δ the input is held, dv/dt = f(v, u, θ). With a = ∂L/∂v and s the
fraction of the time step that has passed, (v, a, g) obeys

    dv/ds = Δ f,    da/ds = −aᵀ ∂(Δ f)/∂v,    dg/ds = −aᵀ ∂(Δ f)/∂(u, Δ, θ)

which explicit steps of length 1/steps, with all signs turned, take from s = 1, g = 0 to s = 0,
where a is the gradient of the state at the start and g that of sensory values, elapsed time and
parameters (Chen et al., "Neural ordinary differential equations", NeurIPS 2018, algorithm 1;
measuring time in time steps gives every sample of a batch the same step). What lies between the
time steps, the LSTM of the memory included, goes through ordinary autograd, one time step at a
time.

The gradient is that of the ODE, not of the solver that stands in for it: it differs from
back-propagation through time by the solver's error, O(steps^−order) or less. Where the backward
pass has its v from is the reader's choice, `state_from`:

    "starts"   the states at time steps are kept; a step's sub-steps run again forward, and only a
               goes backward
    "ends"     the states at time steps are kept; v goes backward from the end of each
    "final"    the final state is kept; v goes backward over the whole sequence, and memory grows
               neither with time nor with steps

Forward, liquid neurons contract: errors die out at a rate 1/τ. Backward, v expands at that rate and
its errors with it, by e^{Δ/τ} a time step, whereas a, which is linear and obeys the transposed
equation, contracts as v does forward. So "starts" is the default (Gholami, Keutzer & Biros,
"ANODE", IJCAI 2019, on why v must not be run backward); "final" is for short sequences and slow
neurons alone. `benchmarks/adjoint.py` measures all three. The fused kernel knows "starts"
(`kernels.cpu.explicit`), which is the gradient that a candidate may choose; this file is its
reference.

The semi-implicit solver is refused, see `require`. Run backward, its step would divide by C − h (g
+ Σ w s), which stiff neurons take through zero. With its forward states kept, an explicit adjoint
(classic RK4) of an NCP with 22 neurons, fresh parameters and Δ = 1 was off the solver's gradient by
23 % at 6 sub-steps and by 3 % at 48: the steps are too long for the ODE to be what they compute.
"""

from itertools import accumulate, repeat
from typing import Literal, NamedTuple, get_args

import torch

from wiring_search.networks.kernels.first_order import first_order_only
from wiring_search.networks.kernels.layout import Kind, PackLayout
from wiring_search.networks.kernels.reference import apply_map
from wiring_search.networks.neurons import NEURONS
from wiring_search.networks.neurons.connections import Connections
from wiring_search.networks.neurons.memory import remember
from wiring_search.networks.neurons.solvers import TABLEAUX, explicit_step

Tensor = torch.Tensor
StateFrom = Literal["starts", "ends", "final"]


def require(kind: Kind, state_from: StateFrom = "starts") -> None:
    """Refuse what has no adjoint.

    Args:
        kind: Of the candidate. Its solver must be explicit, which only ODEs have.
        state_from: "starts", "ends" or "final". The discrete steps of a memory cannot be run
            backward, so a memory excludes "final".

    Raises:
        ValueError: The solver is not explicit, or `state_from` is unknown or excluded.
    """
    if kind.solver not in TABLEAUX:
        raise ValueError(
            f"solver is {kind.solver!r}, whose steps do not follow the ODE closely enough for its "
            "adjoint and cannot be run "
            f'backward; give one of {", ".join(TABLEAUX)}, or gradient="bptt"'
        )
    if state_from not in get_args(StateFrom):
        raise ValueError(
            f"state_from is {state_from!r}; give one of {', '.join(get_args(StateFrom))}"
        )
    if state_from == "final" and kind.memory != "none":
        raise ValueError(
            f"memory is {kind.memory!r}, whose steps cannot be run backward; give "
            'state_from="starts"'
        )


def run(
    layout: PackLayout,
    params: Tensor,
    x: Tensor,
    elapsed: Tensor,
    state: Tensor,
    every_step: bool,
    state_from: StateFrom = "starts",
) -> tuple[Tensor, Tensor]:
    """`reference.run`, with the same outputs, and gradients by the adjoint method.

    These gradients cannot be differentiated again, see `first_order`.

    Args:
        layout: Of the pack.
        params: (layout.parameters,), positive where they must be; any dtype, any device.
        x: (B, T, features).
        elapsed: (B, T) time units, ≥ 0.
        state: (B, layout.state_size).
        every_step: Readouts of all time steps, or of the last one only.
        state_from: Where the backward pass has its states from: "starts", "ends" or "final", see
            above.

    Returns:
        Readouts (candidates, B, T or 1, outputs) and the final state (B, layout.state_size).

    Raises:
        ValueError: As `require`.

    Source:
        Chen et al., "Neural ordinary differential equations", NeurIPS 2018, algorithm 1.
    """
    require(layout.kind, state_from)
    outputs, finals = [], []
    for p, shapes in enumerate(layout.shapes):
        by_name = {name: params[at].reshape(shapes[name]) for name, at in layout.slices[p].items()}
        setting = _Setting(
            layout.kind,
            layout.steps[p],
            layout.connections[p],
            layout.wirings[p].motor,
            tuple(by_name),
            state_from,
        )
        motors, final = _Adjoint.apply(
            setting, every_step, x, elapsed, state[:, layout.states[p]], *by_name.values()
        )
        outputs.append(apply_map(by_name["output_w"], by_name["output_b"], motors))
        finals.append(final)
    return torch.stack(outputs), torch.cat(finals, dim=1)


class _Setting(NamedTuple):
    """What of one candidate is no tensor. names: of its parameters."""

    kind: Kind
    steps: int
    made: Connections
    motors: int
    names: tuple[str, ...]
    state_from: StateFrom


class _Adjoint(torch.autograd.Function):
    """From the parameters, one by one, to the motor neurons' states (B, T or 1, motors) and the
    final state."""

    @staticmethod
    def forward(ctx, setting, every_step, x, elapsed, state, *values):
        by_name = dict(zip(setting.names, values, strict=True))
        states: list[torch.Tensor] = [state]
        motors: list[torch.Tensor] = []
        for t in range(x.shape[1]):
            v, u, dt, c = _enter(setting, by_name, x[:, t], elapsed[:, t], state)
            v = NEURONS[setting.kind.neuron].advance(
                setting.kind.solver, setting.steps, setting.made, by_name, v, u, dt
            )
            state = torch.cat([v, c], dim=1)
            motors = [*(motors if every_step else ()), v[:, : setting.motors]]
            states = [*(states if setting.state_from != "final" else ()), state]
        ctx.setting = setting
        ctx.save_for_backward(x, elapsed, *values, *states)
        return torch.stack(motors, dim=1), state

    @staticmethod
    @first_order_only
    def backward(ctx, grad_motors, grad_final):
        setting, count = ctx.setting, len(ctx.setting.names)
        x, elapsed, *rest = ctx.saved_tensors
        values, states = rest[:count], rest[count:]
        neurons = setting.made.neurons
        grads = {
            name: torch.zeros_like(value) for name, value in zip(setting.names, values, strict=True)
        }
        grad_x, grad_elapsed, grad_state = (
            torch.empty_like(x),
            torch.empty_like(elapsed),
            grad_final.clone(),
        )
        v = states[-1][:, :neurons]
        for t in range(x.shape[1])[::-1]:
            shown = t - x.shape[1] + grad_motors.shape[1]
            if shown >= 0:
                grad_state[:, : setting.motors] += grad_motors[:, shown]
            if setting.state_from != "final":
                v = states[t + 1][:, :neurons]
            # Without a memory the values of the state before go nowhere but into the ODE, so
            # "final" need not know them.
            before = states[t] if setting.state_from != "final" else states[-1]
            with torch.enable_grad():
                leaves = [
                    tensor.detach().requires_grad_()
                    for tensor in (x[:, t], elapsed[:, t], before, *values)
                ]
                by_name = dict(zip(setting.names, leaves[3:], strict=True))
                entered = _enter(setting, by_name, *leaves[:3])
            v, grad_start, grad_u, grad_dt, grad_by_name = _back(
                setting, by_name, entered, v, grad_state[:, :neurons]
            )
            ends = (grad_start, grad_u, grad_dt, grad_state[:, neurons:])
            grad_x[:, t], grad_elapsed[:, t], grad_state, *grad_outer = torch.autograd.grad(
                entered, leaves, ends, allow_unused=True, materialize_grads=True
            )
            for name, outer in zip(setting.names, grad_outer, strict=True):
                grads[name] += grad_by_name[name] + outer if name in grad_by_name else outer
        return None, None, grad_x, grad_elapsed, grad_state, *grads.values()


def _enter(
    setting: _Setting, by_name: dict[str, Tensor], x: Tensor, elapsed: Tensor, state: Tensor
) -> tuple[Tensor, ...]:
    """What a time step's ODE starts with: v (B, neurons), u (B, sensory), Δ (B, 1), and the
    memory's new cells.

    Where no time passes Δ is 0, which holds v and passes its gradient on, bit for bit; nothing else
    gets one there.
    """
    memory, neurons = setting.kind.memory, setting.made.neurons
    passes = elapsed[:, None] > 0
    dt = torch.where(passes, elapsed[:, None], torch.zeros_like(elapsed[:, None]))
    x = torch.where(passes, x, torch.zeros_like(x))
    v, c = state[:, :neurons], state[:, neurons:]
    if memory == "none":
        return v, apply_map(by_name["input_w"], by_name["input_b"], x), dt, c
    shown, new_c = remember(x, v, c, by_name)
    new_c = torch.where(passes, new_c, c)
    if memory == "input":
        return v, shown, dt, new_c
    return (
        torch.where(passes, shown, v),
        apply_map(by_name["input_w"], by_name["input_b"], x),
        dt,
        new_c,
    )


def _back(
    setting: _Setting,
    by_name: dict[str, Tensor],
    entered: tuple[Tensor, ...],
    v: Tensor,
    adjoint: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, dict[str, Tensor]]:
    """Over one time step from its end to its start: the state there, the adjoint there, and the
    gradients of u, Δ and the neurons' parameters. entered: see `_enter`; v, adjoint: (B, neurons)
    at the end."""
    neuron, tableau, steps = (
        NEURONS[setting.kind.neuron],
        TABLEAUX[setting.kind.solver],
        setting.steps,
    )
    start, *held = (tensor.detach() for tensor in entered[:3])
    u, dt = (tensor.requires_grad_() for tensor in held)
    theta = {name: by_name[name].detach().requires_grad_() for name in neuron.shapes(setting.made)}
    if neuron.field is None:
        raise TypeError(f"{setting.kind.neuron} has no field to integrate backwards")
    with torch.enable_grad():
        field = neuron.field(setting.made, theta, u)
    like = (v, adjoint, u, dt, *theta.values())

    def slopes(z: Tensor) -> Tensor:
        v, adjoint = _pieces(z, like)[:2]
        with torch.enable_grad():
            v = v.detach().requires_grad_()
            slope = dt * field(v)
        # The graph is kept for the part of it that all evaluations share, the sums over sensory
        # nodes.
        pulled = torch.autograd.grad(slope, (v, u, dt, *theta.values()), adjoint, retain_graph=True)
        return _flat(-slope.detach(), *pulled)

    known = None
    if setting.state_from == "starts":
        known = list(
            accumulate(
                repeat(dt / steps, steps),
                lambda v, h: explicit_step(field, v, h, tableau),
                initial=start,
            )
        )
    z = _flat(v, adjoint, *(torch.zeros_like(tensor) for tensor in like[2:]))
    for step in range(steps, 0, -1):
        if known:
            z = _flat(known[step], z[v.numel() :])
        z = explicit_step(slopes, z, z.new_tensor(1.0 / steps), tableau)
    v, adjoint, grad_u, grad_dt, *grad_theta = _pieces(z, like)
    return v, adjoint, grad_u, grad_dt, dict(zip(theta, grad_theta, strict=True))


def _flat(*tensors: Tensor) -> Tensor:
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def _pieces(flat: Tensor, like: tuple[Tensor, ...]) -> list[Tensor]:
    sizes = [tensor.numel() for tensor in like]
    return [piece.view_as(tensor) for piece, tensor in zip(flat.split(sizes), like, strict=True)]
