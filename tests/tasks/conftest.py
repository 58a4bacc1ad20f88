import numpy as np
import pytest

from projhead.encoders.one_sided import OneSided
from projhead.persistence.identity import EncoderIdentity
from projhead.vectors import unit_rows


class Known(OneSided):
    """An encoder with every text's vector written down."""

    name = "known"

    def __init__(self, vectors):
        self.vectors, self.dimension = vectors, len(next(iter(vectors.values())))
        self.identity = EncoderIdentity("known", "0" * 16, self.dimension)

    def encode(self, texts, *, show_progress=False):
        return unit_rows([self.vectors[text] for text in texts])


@pytest.fixture(scope="session")
def known():
    return Known


@pytest.fixture(scope="session")
def random_encoder():
    def make(texts, dimension, seed=0):
        generator = np.random.default_rng(seed)
        return Known({text: generator.standard_normal(dimension) for text in texts})

    return make
