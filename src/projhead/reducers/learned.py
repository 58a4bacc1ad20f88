"""The learned head, as a scikit-learn estimator."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from projhead.codecs.base import BaseCodec
from projhead.persistence.identity import EncoderIdentity
from projhead.reducers.base import Reducer
from projhead.reducers.given import Given, Rows, checked_pairs
from projhead.reducers.pca import PCA
from projhead.reducers.spectrum import one_pass
from projhead.reducers.start import linear_head, measured, shares_of, start_of
from projhead.settings.ranges import Count, CountOrNone, Seed, Share, Weight
from projhead.store.store import EmbeddingStore
from projhead.training.codec_start import start_codec
from projhead.training.recipe import Recipe, filled, make_recipe
from projhead.vectors import Vectors, unit_rows

if TYPE_CHECKING:
    import torch
    from torch import nn

    from projhead.codecs._fake_quantize import FakeQuantized
    from projhead.training.guard import Judge

#: With fewer rows none can be spared to judge by.
_FEW = 100
#: Below this every row is needed: parts are held out in turn, and the head is trained once more on all.
_SPARE = 10_000
#: Rows that judge, and documents among which queries are judged, at most.
_JUDGING, _AMONG = 2000, 20_000
#: Arguments of earlier versions.
_FORMER = {"near", "group", "depth", "max_anchors"}


class Trained(NamedTuple):
    """What one training gives: the head, its numbers, how it ended in words, and what every validation saw."""

    head: nn.Module
    numbers: dict[str, Any]
    ending: str
    history: list[dict[str, float]]


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
        How documents will be stored: the head is trained through a copy of it, and the copy with the head, while
        queries stay float. A head of the teacher's width then costs nothing but keeps most.
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
    document_weight : float
        What the documents' similarities to each other count beside the queries' to them, where there is at least
        a query for every document; with fewer queries the documents count more.
    label_margin : float
        How far above all others the teacher's similarity of a query and its relevant document is put, where `fit` is
        given such pairs.
    raw_codes : bool
        Train for scores of what codes say as it stands, as FAISS computes them (`BaseCodec.to_faiss`); where not, for
        those of the codec, which gives it unit length.
    distortion_weight : float
        What the codec's squared error counts beside the loss.
    blend : float, optional
        How much is kept of the way from the start to the trained head, unasked. Where not given held-out rows decide,
        PCA among the choices. A head trained through a codec is kept whole.
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
        """Return the recipe for what is given, with what was asked for in its place."""
        (n, d), q = given.rows.shape, 0 if given.queries is None else len(given.queries)
        share = None if self.codec is not None else (min(self._widths) * max(self._widths)) ** 0.5 / d
        recipe = make_recipe(self.purpose, n, q, share)
        names = ("n_queries", "n_anchors", "n_documents", "max_steps", "blend")
        asked = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return recipe._replace(**asked | _settled(self.head, "hidden_features") | _settled(self.optimizer, "lr"))

    def _fit_coded(self, given: Given, recipe: Recipe, codec: BaseCodec, resume: str | Path | None) -> None:
        """Train the head through a codec, and a copy of the codec with it."""
        fitted, weight = start_codec(codec, given.rows, start_of(given.rows, self.n_components))
        fake = fitted.fake_quantized()
        held_out = self._held_out(given.pool, min(self.validation_rows, len(given.pool) // 20))
        trained = self._train(given, recipe, weight, held_out, fake=fake, resume=resume)
        self.head_, self._training, ending, self.history_ = trained
        self._training["purpose"] = recipe.purpose
        self.codec_ = fitted.load_trained(fake)
        self.summary_ = f"{recipe}; {ending}"

    def _fit_guarded(self, given: Given, recipe: Recipe, resume: str | Path | None) -> None:
        """Train the head, and keep as much of what it learned as serves rows that it did not learn from."""
        from projhead.training.guard import Judge

        n, judged = len(given.pool), []
        shares = [recipe.blend] if self.blend is not None else shares_of(recipe.blend)
        # Rows that will be searched are all trained on, and judge themselves.
        spared = given.queries is not None or (recipe.purpose == "unseen" and n >= _SPARE)
        unseen = given.queries is None and recipe.purpose == "unseen"
        centered = len(given.rows) > 1.5 * self.n_components  # of which two thirds are still enough
        if self.blend is not None:
            held_out = self._held_out(given.pool, min(self.validation_rows, n // 20))
        elif spared:
            held_out = self._held_out(given.pool, min(_JUDGING, n // (10 if unseen else 20)))
        else:
            held_out = self._held_out(given.pool, 0)
        if self.blend is None and unseen and _FEW <= n < _SPARE:
            for part, rest in self._folds(given.rows):
                start = start_of(rest, self.n_components)
                learned = Given(rest, None, given.pairs)
                trained = self._train(learned, recipe, start, held_out[:0], alone=True)
                judge = Judge(unit_rows(part), None, self._widths)
                judged.append(measured(judge, self._candidates(trained.head, learned, start, shares, centered)))
        start = start_of(given.rows, self.n_components)
        trained = self._train(given, recipe, start, held_out, resume=resume)
        self._training, self.history_ = trained.numbers, trained.history
        candidates = self._candidates(trained.head, given, start, shares, centered)
        if self.blend is None and not judged and n >= _FEW:
            judged.append(measured(self._judge(given, held_out), candidates))
        self._keep(recipe, trained.ending, candidates, judged)

    def _keep(self, recipe: Recipe, ending: str, candidates: dict[str, nn.Module], judged: list[Vectors]) -> None:
        """Take the candidate that does best by all judges, or the one that was asked for; say which and why."""
        from projhead.training.guard import choose

        names = list(candidates)
        taken = f"{recipe.blend:.0%} of the way to the trained head"
        why = "as asked" if self.blend is not None else "too few rows to judge by"
        if judged:
            forms = [i for i, name in enumerate(names) if name.startswith("PCA")]
            best, gains = choose(np.concatenate(judged, axis=3), forms, names.index(taken))
            taken = names[best]
            near, wide = gains[best].mean(0)
            why = f"{100 * near:+.1f} points of near and {100 * wide:+.1f} of wide neighborhoods against the best PCA"
            self._training |= {"gain, near": float(near), "gain, wide": float(wide)}
        self.head_ = candidates[taken]
        self._training |= {"purpose": recipe.purpose, "kept": taken}
        self.summary_ = f"{recipe}; {ending}; kept {taken}: {why}"

    @property
    def _widths(self) -> list[int]:
        return [int(width) for width in (self.n_components, *self.nested)]

    def _candidates(
        self, trained: nn.Module, given: Given, start: NDArray[Any], shares: Sequence[float], centered: bool
    ) -> dict[str, nn.Module]:
        """Return the forms of PCA and points on the line from the start to the trained head."""
        import torch

        from projhead.heads.rotation import Rotation

        weight = torch.from_numpy(start).float()
        blends = {
            f"{share:.0%} of the way to the trained head": trained.blended(weight, share)  # type: ignore[operator]
            for share in shares
        }
        if self.blend is not None:
            return blends
        if isinstance(trained, Rotation):  # and nothing else
            return {"PCA (through the origin)": trained.blended(weight, 0), **blends}
        forms: dict[str, nn.Module] = {"PCA (through the origin)": linear_head(weight)}
        if given.lifted:  # their mean, of which the start has no axis, is how long they are
            forms["PCA (uncentered)"] = PCA(self.n_components, center=False).fit(given.rows).head_
        if centered:
            forms["PCA (centered)"] = PCA(self.n_components).fit(given.rows).head_
        return forms | blends

    def _judge(self, given: Given, held_out: NDArray[np.int64]) -> Judge:
        """Return what judges one head: held-out rows where there are any, the rows themselves where not."""
        from projhead.training.guard import Judge

        if given.queries is None:
            numbers = held_out if len(held_out) else self._held_out(given.rows, min(2 * _JUDGING, len(given.rows)))
            return Judge(unit_rows(given.rows[numbers]), None, self._widths)
        numbers = held_out if len(held_out) else self._held_out(given.queries, min(_JUDGING, len(given.queries)))
        among = self._held_out(given.rows, min(_AMONG, len(given.rows)))
        return Judge(unit_rows(given.queries[numbers]), unit_rows(given.rows[among]), self._widths)

    def _held_out(self, rows: Rows, size: int) -> NDArray[np.int64]:
        """Return the numbers of a random choice of rows, sorted; none where that would be too few to say anything."""
        order = np.random.default_rng(self.random_state).permutation(len(rows))
        return np.sort(order[: size if size > 20 else 0])

    def _folds(self, rows: Rows) -> Iterator[tuple[Rows, Rows]]:
        """Yield (part, rest) of the rows: three thirds in turn where there are few, one fifth where there are more."""
        order = np.random.default_rng(self.random_state).permutation(len(rows))
        parts = np.array_split(order, 3) if len(rows) < 3000 else [order[: len(rows) // 5]]
        for part in parts:
            yield rows[np.sort(part)], rows[np.setdiff1d(order, part)]

    def _train(
        self,
        given: Given,
        recipe: Recipe,
        start: NDArray[Any],
        held_out: NDArray[np.int64],
        *,
        fake: FakeQuantized | None = None,
        resume: str | Path | None = None,
        alone: bool = False,
    ) -> Trained:
        """Train a head from its start (k, d); `alone` without the callbacks and loggers of the fit."""
        # Lightning and torch take seconds to import: who loads and applies a head does without.
        import torch
        from torch import nn

        from projhead.heads.residual_mlp import ResidualMLP
        from projhead.losses.neighbor_kl import NeighborKL
        from projhead.training.data import RowData
        from projhead.training.head_module import HeadModule
        from projhead.training.progress import History, StepProgress
        from projhead.training.trainer import ending, fit, made_by, make_trainer, take_best

        torch.manual_seed(self.random_state)
        n, d = given.rows.shape
        make_head = filled(self.head or ResidualMLP, hidden_features=recipe.hidden_features)
        head = make_head(in_features=d, out_features=self.n_components)
        head.initialize(torch.from_numpy(start).float())
        make_loss = filled(
            self.loss or NeighborKL, teacher_temperatures=recipe.teacher_temperatures, weights=recipe.weights
        )
        loss = copy.deepcopy(self.loss) if isinstance(self.loss, nn.Module) else make_loss()
        # Few queries for the documents (a corpus of single sentences gives few) say little about the whole.
        coverage = 0.0 if given.queries is None else min(len(given.queries) / n, 1.0)
        n_queries = round(coverage * recipe.n_queries)
        module = HeadModule(
            head,
            loss,
            filled(self.optimizer or default_optimizer, lr=recipe.lr),
            nested=self._widths[1:],
            codec=fake,
            raw_codes=self.raw_codes,
            distortion_weight=self.distortion_weight,
            query_weight=coverage,
            document_weight=1 - coverage * (1 - self.document_weight),
            label_margin=self.label_margin,
        )
        data = RowData(
            *given,
            held_out,
            n_queries=max(n_queries, 1),
            n_anchors=recipe.n_anchors + recipe.n_queries - n_queries,
            n_documents=recipe.n_documents,
            steps_per_epoch=self.steps_per_epoch or max(-(-recipe.max_steps // 12), 1),
            validation_rows=self.validation_rows,
            seed=self.random_state,
        )
        make = self.trainer and filled(self.trainer, max_steps=recipe.max_steps)
        history = History()
        watchers = [history, StepProgress("judge" if alone else "train")] if self.verbose else [history]
        callbacks, logger = (None, None) if alone else (self.callbacks, self.logger)
        divided = getattr(loss, "by_anchor", False)
        undivided = "" if divided else f"{type(loss).__name__} is no mean over anchors, of which each would take a part"
        trainer = make_trainer(make, callbacks, logger, recipe.max_steps, watchers, undivided=undivided)
        fit(trainer, module, data, resume)
        self._provenance |= made_by(loss, trainer)
        numbers = {"steps": trainer.global_step, **take_best(trainer, module)}
        return Trained(head.cpu().requires_grad_(False).eval(), numbers, ending(trainer), history.checks)

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


def default_optimizer(parameters: Any, lr: float | None = None) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019) without decay."""
    import torch

    return torch.optim.AdamW(parameters, lr=lr or 1e-3, weight_decay=0.0, fused=True)


def _settled(make: Callable[..., Any] | None, name: str) -> dict[str, Any]:
    """Return an argument of the recipe that what makes a head or an optimizer has settled; 0 where it takes none."""
    if make is None:
        return {}
    parameters = inspect.signature(make).parameters
    if name not in parameters:
        return {name: 0}
    default = parameters[name].default
    return {} if default in (None, inspect.Parameter.empty) else {name: default}
