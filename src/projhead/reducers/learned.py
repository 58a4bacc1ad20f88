"""The learned head, as a scikit-learn estimator."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import ArrayLike

from projhead.codecs.base import BaseCodec
from projhead.persistence.identity import EncoderIdentity
from projhead.reducers.base import Reducer
from projhead.reducers.coded import fit_codec
from projhead.reducers.given import Given, checked_pairs
from projhead.reducers.guarded import fit_guarded
from projhead.reducers.spectrum import one_pass
from projhead.settings.ranges import Count, CountOrNone, Seed, Share, Weight
from projhead.store.store import EmbeddingStore
from projhead.training.recipe import Recipe, make_recipe, settled

if TYPE_CHECKING:
    from torch import nn


#: Arguments of earlier versions.
_FORMER = {"near", "group", "depth", "max_anchors"}


class LearnedReducer(Reducer):
    """A head trained to keep each row's neighbors, the trained alternative to PCA.

    The head starts at the axes of a PCA of `X` and is trained by distillation: rows of a step are compared with each
    other, and the student's similarities follow the teacher's. How wide, how long and how fast follows from how many
    rows there are and what the head is for. Rows held out judge how much of what was learned is kept: never so much
    that a form of PCA would serve better.

    Parameters
    ----------
    n_components : int, default=128
        Reduced width k.
    purpose : {"unseen", "index"}, optional
        Whether the head is for rows that are yet to come, or for these very rows, searched. Where not given: "index"
        with queries, "unseen" without.
    nested : sequence of int, default=()
        Smaller widths at which the first components are to serve alone: one fit, several widths (`prefix`).
    codec : BaseCodec, optional
        How documents will be stored, while queries stay float: a copy is fitted to what the trained head makes of
        rows, and where it can be trained through both are tuned together, as far as held-out rows support it.
    head : callable, optional
        From ``in_features`` and ``out_features``, and ``hidden_features`` where it is left None, to a head module;
        a `ResidualMLP` where not given.
    loss : Module or callable, optional
        A loss from `projhead.losses`, or what makes one; `NeighborKL` where not given, at the temperatures that suit
        the purpose.
    optimizer : callable, optional
        From parameters, and ``lr`` where it is left None, to an optimizer; AdamW where not given.
    n_queries, n_anchors, n_documents : int, optional
        Queries and documents of a step that are compared with all of its documents, and those; they follow the purpose
        where not given. With fewer queries than documents there are fewer of the first and more of the second.
    document_pool : int, optional
        Documents from which a step's are chosen, half of them near to its queries and anchors, the others for the rest;
        0 for random ones. It follows the rows and the purpose where not given.
    document_weight : float
        What the documents' similarities to each other count beside the queries' to them, where there is at least
        a query for every document; with fewer queries the documents count more.
    label_margin : float
        How far above all others the teacher's similarity of a query and its relevant document is put, where `fit` is
        given such pairs.
    raw_codes : bool
        Tune codes for scores of what they say as it stands, as FAISS computes them (`BaseCodec.to_faiss`); where not,
        for those of the codec, which gives it unit length.
    distortion_weight : float
        What the codec's squared error counts beside the loss.
    blend : float, optional
        How much is kept of the way from the start to the trained head, unasked. Where not given held-out rows decide,
        PCA among the choices.
    max_steps : int, optional
        Optimizer steps; they follow the rows and the purpose where not given.
    steps_per_epoch : int, optional
        Steps between validations; a twelfth of all where not given.
    validation_rows : int
        Rows that validate, at most.
    trainer : callable, optional
        From keyword arguments to a ``pytorch_lightning.Trainer``: on which device, with which precision, and for how
        long, unless ``max_steps`` is left None.
    callbacks, logger : mapping of name to object, optional
        Lightning callbacks and loggers. Where a ``ModelCheckpoint`` is among them its best weights are kept.
    random_state : int, default=0
        Seed of everything random.
    verbose : int, default=0
        1 shows a bar over all steps, and in the end what was kept and why.

    Attributes
    ----------
    head_ : Module
        The trained head.
    codec_ : BaseCodec or None
        The trained codec of reduced rows.
    decoder_ : ndarray of shape (k, d), float32
        What `inverse_transform` rebuilds rows by: least squares.
    reconstruction_error_ : float
        Mean squared distance of held-out unit rows to what is rebuilt of them.
    history_ : list of dict
        ``step``, mean ``loss`` since the last check, and ``overlap`` of the 10 nearest with the teacher's, at every
        check on rows held out. An artifact does not keep it.
    summary_ : str
        What the head is for, how its training ended and what was kept of that, in words.
    training_ : dict
        The same in numbers: steps, rate, what was kept and what it gains over the best PCA on held-out rows, and the
        last (or best) validation overlap.

    Examples
    --------
    >>> import numpy as np
    >>> from projhead import LearnedReducer
    >>> X = np.random.default_rng(0).normal(size=(200, 32))
    >>> head = LearnedReducer(8, nested=[4], max_steps=5).fit(X)
    >>> head.transform(X).shape, head.prefix(4).transform(X).shape
    ((200, 8), (200, 4))
    >>> 0 < head.score(X) < 1
    True
    """

    kind = "learned"

    @staticmethod
    def upgrade(parameters: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments that a record means: older ones say how neighbors were mined, which is no more."""
        return {name: value for name, value in parameters.items() if name not in _FORMER}

    summary_: str

    def __init__(
        self,
        n_components: Count = 128,
        *,
        purpose: str | None = None,
        nested: Sequence[Count] = (),
        codec: BaseCodec | None = None,
        raw_codes: bool = False,
        head: Callable[..., Any] | None = None,
        loss: Callable[..., Any] | None = None,
        optimizer: Callable[..., Any] | None = None,
        n_queries: Count | None = None,
        n_anchors: Count | None = None,
        n_documents: Count | None = None,
        document_pool: CountOrNone | None = None,
        document_weight: Weight = 0.3,
        label_margin: Weight = 0.1,
        distortion_weight: Weight = 3.0,
        blend: Share | None = None,
        max_steps: Count | None = None,
        steps_per_epoch: Count | None = None,
        validation_rows: Count = 1024,
        trainer: Callable[..., Any] | None = None,
        callbacks: Mapping[str, Any] | None = None,
        logger: Mapping[str, Any] | None = None,
        random_state: Seed = 0,
        verbose: CountOrNone = 0,
    ) -> None:
        self.n_components = n_components
        self.purpose = purpose
        self.nested = nested
        self.codec = codec
        self.raw_codes = raw_codes
        self.head = head
        self.loss = loss
        self.optimizer = optimizer
        self.n_queries = n_queries
        self.n_anchors = n_anchors
        self.n_documents = n_documents
        self.document_pool = document_pool
        self.document_weight = document_weight
        self.label_margin = label_margin
        self.distortion_weight = distortion_weight
        self.blend = blend
        self.max_steps = max_steps
        self.steps_per_epoch = steps_per_epoch
        self.validation_rows = validation_rows
        self.trainer = trainer
        self.callbacks = callbacks
        self.logger = logger
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: ArrayLike | EmbeddingStore,
        y: object = None,
        *,
        queries: ArrayLike | None = None,
        pairs: ArrayLike | None = None,
        resume: str | Path | None = None,
    ) -> Self:
        """Train on the teacher's vectors.

        Parameters
        ----------
        X : array-like of shape (n, d), float16, float32 or float64
            Documents; made unit length. May be memory-mapped: rows are read as they are needed.
        y : None
            Not used.
        queries : array-like of shape (q, d), optional
            The same teacher's vectors of query-like texts (real queries, titles, sentences of the documents):
            their order of the documents is what retrieval needs kept.
        pairs : array-like of shape (p, 2), int, optional
            Number of a query and number of a document that answers it: judgments, where there are any. Half of a
            step's queries are of those that have one.
        resume : path, optional
            A Lightning checkpoint of an interrupted fit with the same settings and data.

        Raises
        ------
        ValueError
            If shapes or widths do not fit or values are not finite.
        """
        from projhead.training.seeding import seeded

        rows = self._checked(X, reset=True)
        if any(not 1 <= width < self.n_components for width in self.nested):
            raise ValueError(f"nested: expected widths from 1 to {self.n_components - 1}, got {list(self.nested)}")
        if len(self.nested) and self.codec is not None:
            raise ValueError(f"nested: expected none with a codec, got {list(self.nested)}; train each width by itself")
        if queries is not None:
            queries = self._checked(queries, reset=False)
        given = Given(rows, queries, checked_pairs(pairs, 0 if queries is None else len(queries), len(rows)))
        self._provenance |= {"queries": 0 if given.queries is None else len(given.queries), "pairs": len(given.pairs)}
        with seeded(self.random_state), one_pass():
            if self.codec is None:
                self._fit_guarded(given, self._recipe(given), resume)
            else:
                self._fit_coded(given, self._recipe(given), self.codec, resume)
        self._fit_decoder(rows, self.random_state)
        if self.verbose:
            print(self.summary_)
        return self

    def _recipe(self, given: Given) -> Recipe:
        """Return the recipe for the given rows, with the arguments that were set in place."""
        (n, d), q = given.rows.shape, 0 if given.queries is None else len(given.queries)
        recipe = make_recipe(self.purpose, n, q, (min(self._widths) * max(self._widths)) ** 0.5 / d)
        asked = {name: set_ for name in recipe._fields if (set_ := getattr(self, name, None)) is not None}
        if (steps := settled(self.trainer, "max_steps").get("max_steps", 0)) > 0:
            asked["max_steps"] = steps
        return recipe._replace(**asked | settled(self.head, "hidden_features") | settled(self.optimizer, "lr"))

    def _fit_coded(self, given: Given, recipe: Recipe, codec: BaseCodec, resume: str | Path | None) -> None:
        """Train the head, fit a copy of the codec to what it makes of rows, and tune both together."""
        codec.layout(self.n_components)
        self._fit_guarded(given, recipe, resume)
        coded = fit_codec(self, given, recipe, self.head_, codec)
        self.head_, self.codec_ = coded.head, coded.codec
        self._training |= coded.numbers
        self.summary_ += f"; {coded.summary}"

    def _fit_guarded(self, given: Given, recipe: Recipe, resume: str | Path | None) -> None:
        """Train the head, and keep as much of what it learned as serves rows that it did not learn from."""
        kept = fit_guarded(self, given, recipe, resume)
        self.head_, self._training, self.history_ = kept.head, kept.numbers, kept.history
        self._provenance |= kept.made_by
        self.summary_ = f"{recipe}; {kept.summary}"

    @property
    def _widths(self) -> list[int]:
        return [int(width) for width in (self.n_components, *self.nested)]

    def prefix(self, n_components: int) -> Self:
        """Return this fitted reducer with its first components only, where it was trained for that width.

        Raises
        ------
        ValueError
            If it was not.
        """
        if n_components not in (self.n_components, *self.nested):
            raise ValueError(
                f"n_components: expected {self.n_components} or one of nested = {list(self.nested)}, the widths it "
                f"was trained for, got {n_components}; train again with nested=[{n_components}]"
            )
        shorter = super().prefix(n_components)
        shorter.nested = [width for width in self._widths if width < n_components]
        return shorter

    def with_head(
        self, head: nn.Module, teacher: EncoderIdentity, training: dict[str, Any], provenance: dict[str, Any]
    ) -> Self:
        """Return this reducer with another trained head, of the same width, for the rows of another encoder."""
        other = copy.copy(self)
        other._drop_decoder()
        other.head_ = head.cpu().requires_grad_(False).eval()
        other.n_features_in_ = int(head.in_features)  # type: ignore[arg-type]
        other.teacher_, other._training, other._provenance = teacher, training, provenance
        other.__dict__.pop("sample_", None)
        return other
