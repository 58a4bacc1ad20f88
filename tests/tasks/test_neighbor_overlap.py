import numpy as np
import pytest

from projhead.corpora.split import in_test
from projhead.encoders.one_sided import OneSided
from projhead.encoders.precomputed import Precomputed
from projhead.encoders.reduced import Reduced
from projhead.persistence.identity import EncoderIdentity
from projhead.reducers.pca import PCA
from projhead.tasks.neighbor_overlap import NeighborOverlap
from projhead.vectors import neighbor_overlap, unit_rows


def measure(task, encoder, teacher):
    return {sample.metric: sample.items for sample in task.run(encoder, teacher)}


def write_texts(path, n):
    texts = [f"text number {i}" for i in range(n)]
    path.write_text("\n".join(texts) + "\n")
    return texts


def test_values_are_the_overlap_of_each_text(tmp_path, random_encoder):
    texts = write_texts(tmp_path / "held.txt", 60)
    teacher, student = random_encoder(texts, 16), random_encoder(texts, 4, seed=1)
    task = NeighborOverlap(tmp_path / "held.txt", top_k=[1, 20])
    samples = list(task.run(student, teacher))
    assert [(sample.task, sample.metric) for sample in samples] == [
        ("neighbor_overlap/held", "overlap@1"),
        ("neighbor_overlap/held", "overlap@20"),
    ]
    expected = neighbor_overlap(teacher.encode(texts), student.encode(texts), [1, 20])
    np.testing.assert_allclose(np.column_stack([sample.items for sample in samples]), expected, atol=1e-6)
    assert measure(task, teacher, teacher)["overlap@20"].min() == 1


def test_so_many_texts_are_chosen_and_always_the_same(tmp_path, random_encoder):
    texts = write_texts(tmp_path / "held.txt", 200)
    teacher, student = random_encoder(texts, 16), random_encoder(texts, 4, seed=1)
    task = NeighborOverlap(tmp_path / "held.txt", max_texts=50, top_k=[5])
    first = measure(task, student, teacher)["overlap@5"]
    assert len(first) == 50
    np.testing.assert_array_equal(first, measure(task, student, teacher)["overlap@5"])
    _, chosen = task._texts(teacher)
    assert chosen != texts[:50]  # a sorted file is not cut at its beginning


def test_split_test_is_what_training_on_that_file_holds_out(tmp_path, random_encoder):
    texts = write_texts(tmp_path / "all.txt", 400)
    held_out = [text for text in texts if in_test(text)]
    encoder = random_encoder(held_out, 4)  # any other text would be unknown to it
    assert len(
        measure(NeighborOverlap(tmp_path / "all.txt", split="test", top_k=[1]), encoder, encoder)["overlap@1"]
    ) == len(held_out)


def test_precomputed_vectors_need_no_texts(tmp_path):
    generator = np.random.default_rng(0)
    np.save(tmp_path / "vectors.npy", unit_rows(generator.standard_normal((500, 12))))
    teacher = Precomputed(str(tmp_path / "vectors.npy"))
    held_out = np.array([in_test(text) for text in teacher.texts_or_rows()])
    reducer = PCA(3).fit(teacher.rows[~held_out])
    found = measure(NeighborOverlap(top_k=[1, 10]), Reduced(teacher, reducer), teacher)
    rows = unit_rows(teacher.rows[held_out])
    expected = neighbor_overlap(rows, reducer.transform(rows), [1, 10])
    assert 20 < held_out.sum() < 100
    np.testing.assert_allclose(found["overlap@10"], expected[:, 1], atol=1e-6)


def test_without_a_path_held_out_docstrings_are_compared():
    class Lengths(OneSided):
        name, dimension = "lengths", 2
        identity = EncoderIdentity(name, "0" * 16, dimension)

        def encode(self, texts, *, show_progress=False):
            angles = np.array([len(text) for text in texts]) / 1000
            return np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)

    (sample,) = NeighborOverlap(max_texts=100, top_k=[3]).run(Lengths(), Lengths())
    assert (sample.task, len(sample.items), sample.items.min()) == ("neighbor_overlap/docstrings", 100, 1)


def test_too_few_texts_are_refused(tmp_path, random_encoder):
    encoder = random_encoder(write_texts(tmp_path / "few.txt", 100), 4)
    with pytest.raises(
        ValueError, match=r"neighbor_overlap/few: expected more texts than the largest of top_k.*got 100"
    ):
        measure(NeighborOverlap(tmp_path / "few.txt"), encoder, encoder)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        measure(NeighborOverlap(tmp_path / "nowhere.txt"), encoder, encoder)
