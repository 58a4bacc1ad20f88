import pytest

from projhead.report.results import Result

KEPT = {
    "learned": 0.93,
    "pca": 0.85,
    "pca_uncentered": 0.86,
    "pca_whitened": 0.8,
    "random_projection": 0.6,
    "truncation": 0.7,
}
FULL = {
    "retrieval/scifact": {"ndcg@10": 0.645, "recall@10": 0.783, "recall@100": 0.925, "mrr@10": 0.605},
    "sts/stsb": {"spearman": 0.82},
    "neighbor_overlap/docstrings": {"overlap@1": 1.0, "overlap@10": 1.0},
}


def role_of(reducer):
    return {"teacher": "reference", "learned": "subject"}.get(reducer, "baseline")


def make_results(widths=(32, 128), fingerprint="0123456789abcdef"):
    """Rows like those of 'evaluate' and 'export': wider is better, every number different."""

    def row(task, metric, value, reducer, width, **more):
        ends = {"low": value - 0.0203, "high": value + 0.0191} | more
        return Result(task, metric, value, reducer=reducer, n_components=width, n=300, encoder="MiniLM",
                      fingerprint=fingerprint, commit="0.1.0+abc1234", role=role_of(reducer), **ends)  # fmt: skip

    rows = []
    for task, metrics in FULL.items():
        for metric, full in metrics.items():
            rows.append(row(task, metric, full, "teacher", 384))
            for width in widths:
                kept = {name: share ** (64 / width) * (1 - 0.003 * len(metric)) for name, share in KEPT.items()}
                rows += [row(task, metric, full * share, name, width) for name, share in kept.items()]
                gain = full * (kept["learned"] - kept["pca_uncentered"])
                rows.append(row(task, metric, gain, "learned", width, baseline="pca_uncentered"))
    for export, values in {"onnx": (91.4, 374.0, 0.9999998), "onnx_int8": (23.1, 641.0, 0.99113)}.items():
        for metric, value in zip(("megabytes", "texts_per_second", "parity_cosine"), values, strict=True):
            rows.append(row(f"export/{export}", metric, value, "learned", 128, low=value, high=value))
    return rows


@pytest.fixture(scope="session")
def results():
    return make_results()


@pytest.fixture(scope="session")
def curve(tmp_path_factory):
    path = tmp_path_factory.mktemp("curve") / "metrics.csv"
    path.write_text(
        "epoch,step,train/loss,val/overlap@10\n"
        "0,49,0.91,\n0,49,,0.512\n1,99,0.62,\n1,99,,0.634\n2,149,0.55,\n2,149,,0.671\n"
    )
    return path
