"""Where packs train: on the CPU, or on a GPU where there is one and a kernel for their kind."""

from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch

from wiring_search.networks.kernels.layout import Kind, kind_of
from wiring_search.training.pack import Pack
from wiring_search.training.pack_like import PackLike
from wiring_search.wirings.candidate import Candidate

DEVICES = ("auto", "cpu", "cuda")


def packs_on(device: str) -> Callable[..., PackLike]:
    """Return how packs are made on a device.

    Candidates of a kind that has no GPU kernel train on the CPU.

    Args:
        device: "cpu"; "cuda", the GPU of this process; or "auto", a GPU where there is one.

    Raises:
        ValueError: The name is another, or it is "cuda" and no GPU can be used.
    """
    if device not in DEVICES:
        raise ValueError(f"device is {device!r}; give one of {', '.join(DEVICES)}")
    why_not = why_no_gpu()
    if device == "cuda" and why_not:
        raise ValueError(f"device is 'cuda', but {why_not}; give --device cpu, or auto")
    return Pack if device == "cpu" or why_not else partial(_where_it_can, device="cuda")


def why_no_gpu() -> str | None:
    """Return the reason why no GPU can be used, None where one can."""
    if not torch.cuda.is_available():
        return "torch sees no GPU here"
    if find_spec("triton"):
        return None
    return "Triton is not installed (pip install 'wiring-search[gpu]')"


def has_gpu_kernel(kind: Kind) -> bool:
    """Return whether candidates of this kind can train on a GPU."""
    from wiring_search.networks.kernels import gpu

    return gpu.covers(kind)


def _where_it_can(candidates: Sequence[Candidate], *given: Any, device: str) -> PackLike:
    if not all(has_gpu_kernel(kind_of(candidate)) for candidate in candidates):
        return Pack(candidates, *given)
    from wiring_search.training.gpu_pack import GpuPack

    return GpuPack(candidates, *given, device=device)  # type: ignore[misc]
