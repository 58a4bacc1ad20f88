from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from sentence_transformers import SentenceTransformer

from projhead.corpora.text_column import TextColumn
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.heads.residual_mlp import ResidualMLP
from projhead.reducers.base import load_reducer
from projhead.reducers.learned import LearnedReducer
from projhead.students.distill import Distilled, Texts, token_lengths
from projhead.students.layers import Layers
from projhead.students.pretrained import Pretrained
from projhead.students.static import Static
from projhead.vectors.lazy import chosen_rows

Make = Callable[..., Distilled]
Overlap = Callable[[SentenceTransformerEncoder, LearnedReducer], float]


def test_fewer_layers_learn_to_find_what_the_teacher_finds(
    teacher: SentenceTransformerEncoder,
    reducer: LearnedReducer,
    data: Texts,
    distilled: Make,
    overlap: Overlap,
    tmp_path: Path,
) -> None:
    encoder, student = distilled(Layers([0, 3]), steps=80).fit(teacher, reducer, data, tmp_path / "encoder")
    Layers([0, 3])(teacher, []).save_pretrained(str(tmp_path / "cut"), create_model_card=False)
    cut = SentenceTransformerEncoder(str(tmp_path / "cut"), device="cpu")
    before, after = overlap(cut, reducer), overlap(encoder, student)
    assert after > before + 0.1
    assert overlap(encoder, student.prefix(4)) > overlap(cut, reducer.prefix(4))
    # What was written is whole, stock, and cuts texts where the teacher does.
    stock = SentenceTransformer(str(tmp_path / "encoder"), device="cpu")
    np.testing.assert_allclose(stock.encode(data.documents[:20]), encoder.encode(data.documents[:20]), atol=1e-5)
    assert stock.max_seq_length == 24
    assert stock[0].auto_model.config.num_hidden_layers == 2
    student.save(tmp_path / "artifact")
    again = load_reducer(tmp_path / "artifact")
    assert again.teacher_ is not None
    assert again.teacher_ == encoder.identity != teacher.identity
    assert again.training_["steps"] == 80


def test_gradients_of_a_fused_optimizer_are_clipped_in_bfloat16_too(
    teacher: SentenceTransformerEncoder,
    reducer: LearnedReducer,
    data: Texts,
    distilled: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    norms, steps = [], torch.optim.AdamW.step

    def watched(self: torch.optim.AdamW, closure: Callable[[], object]) -> object:
        def clipped() -> object:
            loss = closure()
            gradients = [one.grad for group in self.param_groups for one in group["params"] if one.grad is not None]
            norms.append(float(torch.cat([one.flatten() for one in gradients]).norm()))
            return loss

        return steps(self, clipped)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    made = distilled(Layers([0, 3]), steps=3, optimizer=partial(torch.optim.AdamW, lr=1e-4, fused=True))
    made.trainer = partial(made.trainer, precision="bf16-mixed", gradient_clip_val=1e-3)
    made.fit(teacher, reducer, data, tmp_path / "encoder")
    assert norms == pytest.approx([1e-3] * 3, rel=1e-2)


def test_a_table_of_tokens_learns_too(
    teacher: SentenceTransformerEncoder,
    reducer: LearnedReducer,
    data: Texts,
    distilled: Make,
    overlap: Overlap,
    tmp_path: Path,
) -> None:
    untrained = Static()(teacher, [*data.documents, *data.queries])
    untrained.save_pretrained(str(tmp_path / "start"), create_model_card=False)
    start = SentenceTransformerEncoder(str(tmp_path / "start"), device="cpu")
    encoder, student = distilled(Static(), rate=1e-2, max_tokens=None).fit(teacher, reducer, data, tmp_path / "encoder")
    assert overlap(encoder, student) > overlap(start, reducer)
    before, after = (np.einsum("nd,nd->n", one.encode(data.documents), data.rows).mean() for one in (start, encoder))
    assert 1 - after < 0.7 * (1 - before)


def test_another_encoder_learns_under_a_wider_teacher(
    teacher: SentenceTransformerEncoder,
    small: SentenceTransformerEncoder,
    reducer: LearnedReducer,
    data: Texts,
    distilled: Make,
    overlap: Overlap,
    tmp_path: Path,
) -> None:
    start = Pretrained(small.path)
    begun, first = distilled(start, rate=0.0, steps=1).fit(teacher, reducer, data, tmp_path / "begun")
    encoder, student = distilled(start, steps=80).fit(teacher, reducer, data, tmp_path / "encoder")
    assert (encoder.dimension, student.n_features_in_, student.n_components) == (16, 16, 8)
    assert isinstance(student.head_, ResidualMLP)
    chance = 10 / len(data.documents)
    assert overlap(begun, first) > 2 * chance  # by least squares alone
    assert overlap(encoder, student) > overlap(begun, first) + 0.1
    with pytest.raises(ValueError, match="expecting 16 features"):
        student.transform(data.rows)


def _weights(encoder: SentenceTransformerEncoder, student: LearnedReducer) -> np.ndarray:
    tensors = [*encoder.model.state_dict().values(), *student.head_.state_dict().values()]
    return np.concatenate([tensor.double().numpy().ravel() for tensor in tensors])


class _Stop(pl.Callback):
    """Break off in the middle, as a power cut does."""

    def on_train_batch_end(self, trainer: pl.Trainer, *args: object, **kwargs: object) -> None:
        if trainer.global_step == 25:
            raise RuntimeError("cut off")


def test_an_interrupted_run_goes_on_to_the_same_weights(
    teacher: SentenceTransformerEncoder, reducer: LearnedReducer, data: Texts, distilled: Make, tmp_path: Path
) -> None:
    def last(name: str) -> ModelCheckpoint:
        return ModelCheckpoint(tmp_path / name, "last", save_on_train_epoch_end=True, enable_version_counter=False)

    whole = distilled(Layers(1), callbacks={"last": last("whole")}).fit(teacher, reducer, data, tmp_path / "a")
    broken = distilled(Layers(1), callbacks={"last": last("broken"), "stop": _Stop()})
    with pytest.raises(RuntimeError, match="cut off"):
        broken.fit(teacher, reducer, data, tmp_path / "b")
    assert not (tmp_path / "b").exists()
    further = distilled(Layers(1), callbacks={"last": last("broken")})
    resumed = further.fit(teacher, reducer, data, tmp_path / "b", resume=tmp_path / "broken" / "last.ckpt")
    np.testing.assert_array_equal(_weights(*resumed), _weights(*whole))
    assert resumed[0].identity == whole[0].identity
    # Cut off after the last step, before anything was written: nothing is trained again.
    ended = distilled(Layers(1), callbacks={"last": last("broken")})
    written = ended.fit(teacher, reducer, data, tmp_path / "d", resume=tmp_path / "broken" / "last.ckpt")
    np.testing.assert_array_equal(_weights(*written), _weights(*whole))
    other = distilled(Layers(1), random_state=1).fit(teacher, reducer, data, tmp_path / "c")
    assert np.abs(_weights(*other) - _weights(*whole)).max() > 1e-4


def test_texts_and_rows_are_joined_without_a_copy_in_memory(
    teacher: SentenceTransformerEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projhead.corpora.text_column._BLOCK", 64)
    documents, queries = ([f"{number} lone \ud800 {word * 99}" for number in range(2000)] for word in ("owl", "inn"))
    rows = np.random.default_rng(0).normal(size=(4000, 64)).astype(np.float16)
    parts = [chosen_rows(rows, numbers) for numbers in np.split(np.arange(4000), 2)]
    data = Texts(TextColumn(documents), parts[0], TextColumn(queries), parts[1])
    tracemalloc.start()
    plain = data.texts()
    texts, joined = data.joined(teacher.model)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < rows.nbytes / 2 < sum(map(len, documents)) / 2
    assert list(plain) == list(texts) == [text.replace("\ud800", "?") for text in (*documents, *queries)]
    np.testing.assert_array_equal(joined, rows)


def test_lengths_are_those_that_a_model_reads(teacher: SentenceTransformerEncoder) -> None:
    texts = ["owl", "the red owl", "", "owl " * 50]
    assert list(token_lengths(teacher.model, texts)) == [3, 5, 2, 24]
    assert list(token_lengths(Static()(teacher, texts), texts)) == [1, 3, 0, 22]
