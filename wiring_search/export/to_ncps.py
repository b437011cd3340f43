"""`NAME_ncps.py` and `NAME_ncps.pt`: a module that builds the network out of the `ncps` package,
and its weights.

What an `ncps` module cannot hold becomes plain linear layers around it (a projection, the readout)
or is folded into its weights (the affine input map of a CfC). See
`wiring_search.networks.ncps_interop` for the networks it can hold.
"""

import importlib.util
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import nn

from wiring_search.export.format import Format
from wiring_search.export.parcel import Parcel, title_of
from wiring_search.export.verified import Check, compared, microseconds
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.networks.neurons import NEURONS
from wiring_search.networks.neurons.cfc import HEADS
from wiring_search.wirings.kinds import KINDS, Family

_HOLDS = "ncps holds LTC with the semi-implicit solver and layered CfC, with memory none or state"


def missing() -> str:
    return "" if find_spec("ncps") else "needs the package ncps: pip install ncps"


def refused(parcel: Parcel) -> str:
    """Why ncps cannot hold this network; "" if it can."""
    kind = parcel.network.layout.kind
    layout = parcel.network.layout
    wiring = layout.wirings[0]
    if kind.memory == "input" or not KINDS[kind.neuron].is_in_ncps(kind.solver):
        return f"{'/'.join(kind[:3])} has no counterpart in ncps; {_HOLDS}"
    if kind.memory == "state" and layout.features != wiring.sensory:
        return (
            f"its memory would see the {wiring.sensory} projected values, not the "
            f"{layout.features} features; {_HOLDS}; memory state needs as many sensory nodes as "
            "features"
        )
    if (
        KINDS[kind.neuron].family is Family.CFC
        and not (wiring.inter and wiring.command)
        and wiring.motor != wiring.neurons
    ):
        return (
            "ncps.torch.CfC would see its wiring as one layer, and output all neurons instead of "
            "the motor neurons alone"
        )
    return ""


def files(parcel: Parcel) -> tuple[str, str]:
    return f"{parcel.name}_ncps.py", f"{parcel.name}_ncps.pt"


def write(parcel: Parcel, folder: Path) -> None:
    code, weights = files(parcel)
    before, neurons, after = _parts(parcel.network)
    parts = {"before": before, "neurons": neurons, "after": after}
    state = {
        f"{part}.{name}": value
        for part, module in parts.items()
        for name, value in module.state_dict().items()
    }
    torch.save(state, folder / weights)
    (folder / code).write_text(_code(parcel), encoding="utf-8")


def check(parcel: Parcel, folder: Path) -> Check:
    from wiring_search.networks.ncps_interop import state_order

    network = _imported(folder / files(parcel)[0]).load()
    order = state_order(parcel.network)
    outputs, finals = [], []
    with torch.no_grad():
        # One sample at a time, without steps in which no time passes: ncps computes elapsed times
        # of batches wrongly, and divides by 0.
        for x, elapsed in zip(parcel.x, parcel.elapsed, strict=True):
            passes = elapsed > 0
            y, state = network(x[None, passes], None, elapsed[None, passes])
            state = state if isinstance(state, tuple) else (state,)
            ours = [torch.empty_like(part) for part in state]
            for reordered, part in zip(ours, state, strict=True):
                reordered[:, order] = part
            finals.append(torch.cat(ours, dim=1)[0])
            outputs.append(_held(y[0], passes, parcel))
        one = parcel.x[:1, :1]
        time = microseconds(lambda: network(one))
    return Check(*compared(parcel, torch.stack(outputs).numpy(), torch.stack(finals).numpy()), time)


def _held(y: torch.Tensor, passes: torch.Tensor, parcel: Parcel) -> torch.Tensor:
    """Outputs of all steps: where no time passes, those of the previous step; before the first,
    those of the state 0."""
    return torch.cat([parcel.network.output_b.detach()[None], y])[passes.cumsum(0)]


def _parts(network: LiquidNetwork) -> tuple[nn.Module, nn.Module, nn.Module]:
    """The layer before the ncps module, the module, and the layer after it."""
    from wiring_search.networks.ncps_interop import to_ncps

    layout, kind = network.layout, network.layout.kind
    projected = layout.features != network.wiring.sensory
    is_cfc = KINDS[kind.neuron].family is Family.CFC
    bare = LiquidNetwork(
        network.wiring,
        neuron=kind.neuron,
        steps=layout.steps[0],
        memory=kind.memory,
        positive=network.positive,
    )
    given = dict(network.named_parameters())
    with torch.no_grad():
        for name, value in bare.named_parameters():
            if name.startswith("output_") or (name.startswith("input_") and (projected or is_cfc)):
                value.fill_(float(name.endswith("_w")))  # the identity
            else:
                value.copy_(given[name])
        if is_cfc and not projected:
            _fold(bare, given["input_w"], given["input_b"])
    before = _linear(given["input_w"], given["input_b"]) if projected else nn.Identity()
    return before, to_ncps(bare), _linear(given["output_w"], given["output_b"])


def _fold(network: LiquidNetwork, scale: torch.Tensor, shift: torch.Tensor) -> None:
    """Fold the affine input map into the next weights: Σ w (a x + b) = Σ (w a) x + Σ w b."""
    made = network.layout.connections[0]
    pre, post = (
        torch.from_numpy(ends.astype(np.int64)) for ends in (made.sensory_pre, made.sensory_post)
    )
    for head in HEADS[NEURONS[network.layout.kind.neuron].variant]:
        weights = getattr(network, f"sensory_{head}_w")
        getattr(network, f"{head}_b").index_add_(0, post, weights * shift[pre])
        weights.mul_(scale[pre])


def _linear(weight: torch.Tensor, bias: torch.Tensor) -> nn.Linear:
    """weight: a matrix, or the diagonal of one."""
    weight = torch.diag(weight) if weight.ndim == 1 else weight
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer


def _imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _code(parcel: Parcel) -> str:
    wiring = parcel.network.wiring
    layout = parcel.network.layout
    mixed = layout.kind.memory == "state"
    kind = KINDS[layout.kind.neuron]
    if kind.family is Family.LTC:
        module = (
            f"LTC({wiring.sensory}, Given(), mixed_memory={mixed}, ode_unfolds={layout.steps[0]})"
        )
    else:
        mode = kind.ncps
        module = f'CfC({wiring.sensory}, Given(), mixed_memory={mixed}, mode="{mode}")'
    projected = layout.features != wiring.sensory
    return _TEMPLATE.format(
        title=title_of(parcel),
        module_name=f"{parcel.name}_ncps",
        features=layout.features,
        sensory=wiring.sensory,
        motor=wiring.motor,
        outputs=layout.output_size,
        roles=wiring.roles,
        sensory_synapses=wiring.sensory_synapses,
        synapses=wiring.synapses,
        before=f"torch.nn.Linear({layout.features}, {wiring.sensory})"
        if projected
        else "torch.nn.Identity()",
        module=module,
    )


_TEMPLATE = '''"""{title}, for the ncps package.

Needs torch and ncps. Keep the .pt file of the same name beside this file.

    import {module_name}
    network = {module_name}.load()
    y, state = network(x)  # x: (batch, time, {features}); then network(x, state)

Elapsed times, network(x, state, timespans), must be (1, time): ncps computes those of batches
wrongly.
"""

from pathlib import Path

import torch
from ncps.torch import LTC, CfC  # noqa: F401
from ncps.wirings import Wiring

SENSORY, MOTOR = {sensory}, {motor}
ROLES = {roles!r}
# (from, to, polarity)
SENSORY_SYNAPSES = {sensory_synapses!r}
SYNAPSES = {synapses!r}


class Given(Wiring):
    """The wiring of the search."""

    def __init__(self):
        super().__init__(len(ROLES))
        self.set_output_dim(MOTOR)
        for synapse in SYNAPSES:
            self.add_synapse(*synapse)
        super().build(SENSORY)
        for synapse in SENSORY_SYNAPSES:
            self.add_sensory_synapse(*synapse)
        layers = [
            [i for i, neuron_role in enumerate(ROLES) if neuron_role == role]
            for role in ("inter", "command", "motor")
        ]
        self._layers = layers if all(layers) else [list(range(len(ROLES)))]

    def build(self, input_dim):
        assert input_dim == SENSORY

    @property
    def num_layers(self):
        return len(self._layers)

    def get_neurons_of_layer(self, layer_id):
        return self._layers[layer_id]

    def get_type_of_neuron(self, neuron_id):
        return ROLES[neuron_id]


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.before = {before}
        self.neurons = {module}
        self.after = torch.nn.Linear(MOTOR, {outputs})

    def forward(self, x, state=None, timespans=None):
        y, state = self.neurons(self.before(x), state, timespans)
        return self.after(y), state


def load():
    network = Network()
    network.load_state_dict(torch.load(Path(__file__).with_suffix(".pt"), weights_only=True))
    return network.eval()
'''


_LOADING = """The ncps package (batch first; elapsed times for one sample at a time only):

```python
import {name}_ncps
network = {name}_ncps.load()
y, state = network(x)  # (batch, time, {F})
```
"""

FORMAT = Format(
    summary="a module of the ncps package",
    write=write,
    files=files,
    check=check,
    loading=_LOADING,
    missing=missing,
    refused=refused,
)
