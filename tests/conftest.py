"""Fixtures that many tests share: unit rows with structure, and the real MiniLM."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from projhead.encoders.minilm import MiniLM
from projhead.vectors import Vectors, unit_rows

torch.set_num_threads(1)  # tests run side by side


@pytest.fixture(scope="session")
def rows() -> Vectors:
    """600 unit rows of width 32 in 30 clusters on a falling spectrum: neighbours mean something, PCA is not perfect."""
    generator = np.random.default_rng(0)
    scale = np.geomspace(1, 0.2, 32)
    centres = generator.normal(size=(30, 32)) * scale
    return unit_rows(centres[generator.integers(30, size=600)] + 0.4 * generator.normal(size=(600, 32)) * scale + 0.1)


@pytest.fixture(scope="session")
def minilm() -> MiniLM:
    """all-MiniLM-L6-v2 on the CPU; loaded once."""
    return MiniLM(device="cpu", max_seq_length=64)
