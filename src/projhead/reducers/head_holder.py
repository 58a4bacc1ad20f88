"""Hold a head as a torch module, or as the matrix it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from projhead.reducers.linear_map import LinearMap
from projhead.vectors import Vectors

if TYPE_CHECKING:
    from torch import nn


class HeadHolder:
    """What holds a head; of a linear one torch is imported only where the module is asked for.

    Attributes
    ----------
    head_ : torch.nn.Module
        The fitted projection, before rows are made unit length again.
    n_components_ : int
        The reduced width k.
    """

    _linear: LinearMap | None = None
    _head_record: Any = None
    _module: nn.Module | None = None

    @property
    def head_(self) -> nn.Module:
        """The fitted projection, before rows are made unit length again."""
        if self._module is None:
            if self._linear is None:
                raise AttributeError(f"{type(self).__name__} is not fitted: call fit with rows, or load an artifact")
            self._module = self._linear.head(self._head_record)
        return self._module

    @head_.setter
    def head_(self, head: nn.Module) -> None:
        self._module, self._linear, self._head_record = head, None, None

    def __sklearn_is_fitted__(self) -> bool:
        """Say whether there is a head, or what one is made of."""
        return self._linear is not None or self._module is not None

    def _head(self, rows: Vectors) -> Vectors:
        """Project unit rows (n, d) to (n, k); where a matrix does it torch is not needed."""
        if self._linear is not None:
            return self._linear(rows)
        import torch

        with torch.inference_mode():
            projected: Vectors = self.head_(torch.from_numpy(rows)).numpy()
        return projected

    @property
    def is_fitted(self) -> bool:
        """Whether there is a head."""
        return self.__sklearn_is_fitted__()

    @property
    def n_components_(self) -> int:
        """The reduced width k, once fitted."""
        return len(self._linear.weight) if self._linear is not None else int(self.head_.out_features)  # type: ignore[arg-type]

    def _set_linear(self, components: NDArray[Any], mean: NDArray[Any] | None) -> Self:
        """Finish a closed-form fit: ``components_ (x - mean_)`` as a head."""
        self.components_, self.mean_ = components, mean
        bias = None if mean is None else (-components @ mean).astype(np.float32)
        self._set_map(LinearMap(components.astype(np.float32), bias))
        return self

    def _set_map(self, linear: LinearMap, record: Any = None) -> None:
        """Take a linear map as the head; a record says how it was written."""
        self._linear, self._head_record, self._module = linear, record, None
