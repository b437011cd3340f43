"""A fixture for the tests of GPU kernels."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture
def nothing_is_read_before_it_is_written() -> Iterator[None]:
    """Fresh memory holds NaN."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)
