"""One thread for FAISS: threads that wait for each other take seconds on a busy machine."""

from __future__ import annotations

import faiss
import pytest


@pytest.fixture(autouse=True)
def one_thread() -> None:
    faiss.omp_set_num_threads(1)
