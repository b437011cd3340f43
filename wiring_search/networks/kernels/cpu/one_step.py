"""One time step of one network, at the least cost from Python: for control loops, where a step of a
few samples takes microseconds and everything round the kernel would cost more.

`Stepper` keeps what does not change from call to call: the candidate's index arrays, and its
parameters as the dynamics sees them. Parameters live in torch tensors that anyone may write to, so
each call compares their numbers with those of the last call, which takes a fraction of a
microsecond, and makes the positive ones anew only where one has changed.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from llvmlite import ir
from numba import njit, typeof, types
from numba.core.dispatcher import Dispatcher
from numba.extending import intrinsic

from wiring_search.networks.kernels.cpu.adam import effective_of
from wiring_search.networks.kernels.cpu.items import markers_of, sources_digest
from wiring_search.networks.kernels.cpu.sequence import forward_item
from wiring_search.networks.kernels.cpu.simd import LANES, aligned_scratch
from wiring_search.networks.kernels.layout import PackLayout


class Stepper:
    """Time steps of one network, one call each, on the calling thread.

    Args:
        layout: Of one candidate, of a kind that has a compiled kernel.
        softplus: Whether parameters that must be positive are stored raw.
    """

    def __init__(self, layout: PackLayout, softplus: bool) -> None:
        self.layout = layout
        sizes = [np.prod(shape, dtype=np.int64) for shape in layout.shapes[0].values()]
        self._addresses: list[int] = []
        self._markers = markers_of(layout.kind)
        self._kept = (
            *self._markers,
            layout.edges,
            np.array(sizes),
            layout.positive if softplus else np.zeros(layout.parameters, bool),
            np.full(layout.parameters, np.nan, np.float32),
            np.empty(layout.parameters, np.float32),
        )
        self._compiled: Callable[..., None] | None = None

    def step(
        self, addresses: list[int], x: np.ndarray, elapsed: np.ndarray, state: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """One time step.

        Args:
            addresses: Of each parameter's float32 numbers, contiguous, in the order of
                `layout.shapes`.
            x: (B, features) float32, contiguous.
            elapsed: (B,) float32, ≥ 0; where 0 the state is held.
            state: (B, neurons and memory cells) float32, contiguous.

        Returns:
            Readouts (B, outputs) and the new state, as `cpu.forward` gives them bit for bit.
        """
        if addresses != self._addresses:
            self._addresses, self._as_array = addresses, np.array(addresses, np.int64)
        y = np.empty((len(x), self.layout.output_size), np.float32)
        after = np.empty((len(x), self.layout.state_size), np.float32)
        arguments = (*self._kept, self._as_array, x, elapsed, state, y, after)
        if self._compiled is None:
            self._compiled = self._entry_for(arguments)
        self._compiled(*arguments)
        return y, after

    def _entry_for(self, arguments: tuple) -> Callable[..., None]:
        """The compiled step for arguments of these types.

        numba would look at the types of all arguments in every call, which takes as long as the
        step; they never change here.
        """
        one_step = _compiled_step(*map(type, self._markers))
        kinds = tuple(map(typeof, arguments))
        one_step.compile(kinds)
        entry: Callable[..., None] = one_step.overloads[kinds].entry_point
        return entry


@intrinsic
def _float_at(typingctx, address, i):
    """Float32 number i behind an address."""

    def codegen(context, builder, sig, args):
        start = builder.inttoptr(args[0], ir.FloatType().as_pointer())
        return builder.load(builder.gep(start, [args[1]]))

    return types.float32(types.int64, types.int64), codegen


@njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _refresh(addresses, sizes, positive, raw, params):
    """The parameters at these addresses into `raw`, and into `params` where they have changed."""
    at, changed = 0, False
    for p in range(len(addresses)):
        for i in range(sizes[p]):
            value = _float_at(addresses[p], i)
            if not value == raw[at]:  # NaN counts as changed
                raw[at], changed = value, True
            at += 1
    if changed:
        effective_of(raw, positive, params)


@cache
def _compiled_step(neurons: type, memory: type) -> Dispatcher:
    """The compiled step for one pair of markers; see `items.entry_points` for names and cache."""
    sources = sources_digest()

    def one_step(
        neurons,
        memory,
        edges,
        sizes,
        positive,
        raw,
        params,
        addresses,
        x,
        elapsed,
        state,
        y,
        after,
    ):
        if not sources:
            return
        _refresh(addresses, sizes, positive, raw, params)
        c, features, states, outputs = edges.table[0], x.shape[1], state.shape[1], y.shape[1]
        x_lanes, elapsed_lanes = aligned_scratch(features * LANES), aligned_scratch(LANES)
        state_lanes, final = aligned_scratch(states * LANES), aligned_scratch(states * LANES)
        y_lanes, history = aligned_scratch(outputs * LANES), aligned_scratch(2 * states * LANES)
        for first in range(0, len(x), LANES):
            samples = min(LANES, len(x) - first)
            x_lanes[:], elapsed_lanes[:], state_lanes[:] = 0.0, 0.0, 0.0
            for s in range(samples):
                if elapsed[first + s] > 0.0:  # what stands elsewhere must not reach a sum
                    for i in range(features):
                        x_lanes[i * LANES + s] = x[first + s, i]
                elapsed_lanes[s] = elapsed[first + s]
                for i in range(states):
                    state_lanes[i * LANES + s] = state[first + s, i]
            forward_item(
                (neurons, memory),
                c,
                edges,
                params,
                x_lanes,
                elapsed_lanes,
                state_lanes,
                y_lanes,
                final,
                history,
            )
            for s in range(samples):
                for i in range(outputs):
                    y[first + s, i] = y_lanes[i * LANES + s]
                for i in range(states):
                    after[first + s, i] = final[i * LANES + s]

    one_step.__qualname__ = f"one_step-{neurons.__name__}-{memory.__name__}-{sources[:8]}"
    return njit(error_model="numpy", cache=True)(one_step)
