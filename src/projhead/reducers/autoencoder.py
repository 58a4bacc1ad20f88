"""A head trained with a decoder to rebuild the row."""

from __future__ import annotations

import copy
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn
from tqdm import tqdm

from projhead.heads.residual_mlp import ResidualMLP
from projhead.reducers.base import Reducer
from projhead.reducers.held_out import held_out_overlap, hold_out
from projhead.reducers.pca import PCA
from projhead.settings.ranges import Count, CountOrNone, Positive, Seed, Weight
from projhead.training.samplers import Rows
from projhead.vectors import Vectors, unit_rows

#: Steps between two looks at the held-out rows.
_EVERY = 50


class Autoencoder(Reducer):
    """Encoder and decoder that rebuild the row, the classic nonlinear PCA.

    Hinton and Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks", 2006. Both start as the
    uncentered PCA, which is the optimum of linear ones (Baldi and Hornik, "Neural Networks and Principal Component
    Analysis", 1989), with a hidden layer beside it. The loss is one minus the cosine of row and rebuilt row; the
    weights kept are those that keep most of the 10 nearest neighbors among held-out rows, the start among them.

    Parameters
    ----------
    n_components : int, default=128
        Reduced width k. `prefix` cuts the head, but only the whole width was trained.
    hidden_features : int
        Hidden width of encoder and decoder.
    learning_rate : float
        Of AdamW, falling to zero along a cosine.
    noise : float
        Length of the Gaussian noise that is added to rows of unit length before they are encoded (Vincent et al.,
        "Extracting and Composing Robust Features with Denoising Autoencoders", 2008).
    max_steps : int
        Optimizer steps.
    batch_rows : int
        Rows of a step.
    max_rows : int
        Rows that are trained on, at most: a random choice where there are more.
    random_state : int, default=0
        Seed of everything random.
    """

    kind = "autoencoder"
    role = "baseline"

    def __init__(
        self,
        n_components: Count = 128,
        *,
        hidden_features: Count = 768,
        learning_rate: Positive = 1e-3,
        noise: Weight = 0.0,
        max_steps: CountOrNone = 400,
        batch_rows: Count = 1024,
        max_rows: Count = 200_000,
        random_state: Seed = 0,
    ) -> None:
        self.n_components = n_components
        self.hidden_features = hidden_features
        self.learning_rate = learning_rate
        self.noise = noise
        self.max_steps = max_steps
        self.batch_rows = batch_rows
        self.max_rows = max_rows
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Train on rows (n, d), float, which are made unit length; `y` is not used.

        Raises
        ------
        ValueError
            If there are fewer rows or columns than components, or values are not finite.
        """
        rows = self._checked(X, reset=True)
        d, k = rows.shape[1], self.n_components
        kept, held_out = hold_out(rows, self.max_rows, self.random_state)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_state)
            axes = torch.from_numpy(PCA(k, center=False).fit(rows).components_).float()
            encoder, decoder = ResidualMLP(d, k, self.hidden_features), ResidualMLP(k, d, self.hidden_features)
            encoder.initialize(axes)
            decoder.initialize(axes.T)
            self.head_, best = self._trained(encoder, decoder, kept, held_out)
        self._training = {"held-out overlap@10": best}
        self._fit_decoder(rows, self.random_state)
        return self

    def _trained(
        self, encoder: nn.Module, decoder: nn.Module, rows: Rows, held_out: Vectors
    ) -> tuple[nn.Module, float]:
        """Train both; return the best encoder met, and its overlap."""
        optimizer = torch.optim.AdamW(
            [*encoder.parameters(), *decoder.parameters()], self.learning_rate, weight_decay=0
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(self.max_steps, 1))
        generator = np.random.default_rng(self.random_state)
        best, best_overlap = encoder, -1.0
        for step in tqdm(range(self.max_steps + 1), desc="autoencoder", unit="step", leave=False):
            if step % _EVERY == 0 or step == self.max_steps:
                with torch.inference_mode():
                    overlap = held_out_overlap(held_out, unit_rows(encoder(torch.from_numpy(held_out)).numpy()))
                if overlap > best_overlap:
                    best, best_overlap = copy.deepcopy(encoder), overlap
            if step == self.max_steps:
                break
            drawn = np.unique(generator.integers(len(rows), size=self.batch_rows))
            clean = torch.from_numpy(unit_rows(rows[drawn]))
            rebuilt = decoder(encoder(clean + self.noise / clean.shape[1] ** 0.5 * torch.randn_like(clean)))
            loss = 1 - nn.functional.cosine_similarity(rebuilt, clean).mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        return best.requires_grad_(False).eval(), best_overlap
