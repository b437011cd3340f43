"""A network as plain torch that `torch.export` can trace: one time step, and a sequence as a scan.

Both are the reference (`kernels.reference.step`) with the parameters of the equations; neither uses
the fused kernel. The scan leaves the number of time steps open.
"""

import torch
from torch import nn

# No public loop of torch can be exported with an open number of steps.
from torch._higher_order_ops.scan import scan

from wiring_search.networks.kernels import reference
from wiring_search.networks.liquid_network import LiquidNetwork

Tensor = torch.Tensor


class Step(nn.Module):
    """One time step: (x, elapsed, state) -> (y, state).

    Args:
        network: The network; its weights are copied.
    """

    def __init__(self, network: LiquidNetwork) -> None:
        super().__init__()
        self._layout = network.layout
        for name, value in network.effective().items():
            self.register_buffer(name, value.detach().clone())
        self.eval()

    def forward(self, x: Tensor, elapsed: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute one time step.

        Args:
            x: Inputs, (B, F).
            elapsed: Time since the previous step, (B, 1). If it is 0, the state does not change.
            state: State before the step, (B, N).

        Returns:
            Outputs (B, outputs) and the state after the step (B, N).
        """
        return reference.step(self._layout, 0, dict(self.named_buffers()), x, elapsed, state)


class Sequence(nn.Module):
    """A whole sequence: (x, elapsed, state) -> (y, state).

    Args:
        network: The network; its weights are copied.
    """

    def __init__(self, network: LiquidNetwork) -> None:
        super().__init__()
        self.step = Step(network)
        self.eval()

    def forward(self, x: Tensor, elapsed: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute all time steps.

        Args:
            x: Inputs, (B, T, F).
            elapsed: Time since the previous step, (B, T).
            state: State before the first step, (B, N).

        Returns:
            Outputs (B, T, outputs) and the state after the last step (B, N).
        """

        def advance(state: Tensor, inputs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            y, state = self.step(*inputs, state)
            return state, y

        inputs = x.transpose(0, 1).contiguous(), elapsed.t().unsqueeze(-1).contiguous()
        state, y = scan(advance, state, inputs)
        return y.transpose(0, 1), state


def programs_of(network: LiquidNetwork) -> dict[str, torch.export.ExportedProgram]:
    """The programs "step" and "sequence", for any batch size and number of time steps."""
    layout = network.layout
    batch = torch.export.Dim("batch")
    time = torch.export.Dim("time")
    x = torch.zeros(3, 5, layout.features)
    elapsed = torch.ones(3, 5)
    state = torch.zeros(3, layout.state_size)
    with torch.no_grad():
        programs = {
            "step": torch.export.export(
                Step(network),
                (x[:, 0], elapsed[:, :1], state),
                dynamic_shapes=({0: batch}, {0: batch}, {0: batch}),
            ),
            "sequence": torch.export.export(
                Sequence(network),
                (x, elapsed, state),
                dynamic_shapes=({0: batch, 1: time}, {0: batch, 1: time}, {0: batch}),
            ),
        }
    for program in programs.values():
        _remove_source_lines(program.graph_module)
    return programs


def _remove_source_lines(module: torch.fx.GraphModule) -> None:
    """Remove the source lines of each operation: they name files of this machine and would make up
    most of the file."""
    for part in module.modules():
        for node in part.graph.nodes if isinstance(part, torch.fx.GraphModule) else ():
            for key in (
                "stack_trace",
                "nn_module_stack",
                "source_fn_stack",
                "torch_fn",
                "from_node",
            ):
                node.meta.pop(key, None)
