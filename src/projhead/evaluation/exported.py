"""Export an artifact, and turn what was measured of the files into result rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from projhead.encoders.precomputed import Precomputed
from projhead.encoders.reduced import Reduced
from projhead.evaluation.measurements import export_rows
from projhead.exporters.by_format import export
from projhead.exporters.export import sample_texts
from projhead.exporters.serving import Claim, told
from projhead.persistence.identity import EncoderIdentity
from projhead.protocols import Corpus, Encoder, Exporter
from projhead.reducers.base import Reducer
from projhead.report.results import Result, read_results
from projhead.report.tables import markdown
from projhead.students.assemble import assemble


class Exported(NamedTuple):
    """What was written: the folder, its record, and size, speed and parity as result rows."""

    folder: Path
    record: dict[str, Any]
    rows: list[Result]

    def __str__(self) -> str:
        parity = self.record["parity"]
        said = (
            f"{self.folder}: {self.record['bytes'] / 1e6:.1f} MB; over {parity['n']} items the cosine to the fp32 "
            f"student is {parity['mean_cosine']:.5f} on average and {parity['worst_cosine']:.5f} at worst, "
            f"{parity['overlap_at_10']:.1%} of the 10 nearest stay"
        )
        serves = self.record["serves"]
        return f"{said}\n{told([Claim(**one) for one in serves])}" if serves else said


def measures_itself(exporter: Exporter, reducer: Reducer) -> bool:
    """Say whether a head alone is exported, of an artifact that keeps vectors to measure it on."""
    return exporter.encoder is None and reducer.kept_sample is not None


def export_artifact(
    reducer: Reducer,
    folder: str | Path,
    exporter: Exporter,
    *,
    encoder: Encoder | None = None,
    corpus: Corpus | None = None,
    measured: Path | None = None,
    max_items: int = 512,
    min_mean_cosine: float | None = None,
    serve: Sequence[str] = (),
) -> Exported:
    """Export a fitted reducer with its teacher, or alone, and measure the written files.

    Parameters
    ----------
    reducer : Reducer
    folder : path
        To write; an older export there is replaced.
    exporter : Exporter
    encoder : Encoder, optional
        The teacher; not needed where `measures_itself` says so.
    corpus : Corpus, optional
        Its held-out texts calibrate and measure; vectors made elsewhere are their own.
    measured : path, optional
        Result rows for the card, where there is such a file.
    max_items, min_mean_cosine, serve
        As in `projhead.export`.

    Raises
    ------
    FileExistsError, UserError, ValueError
        As `projhead.export`; if the reducer is another teacher's.
    """
    if encoder is not None:
        Reduced(encoder, reducer)  # refuses another teacher's head
    record = export(
        reducer if exporter.encoder is None else assemble(encoder, reducer),  # type: ignore[arg-type]  # it refuses
        folder,
        format=exporter,
        calibrate=None if encoder is None else _items(exporter, encoder, corpus, max_items),
        max_items=max_items,
        min_mean_cosine=min_mean_cosine,
        serve=serve,
        measured=markdown(read_results(measured)) if measured is not None and measured.is_file() else "",
    )
    unit = "texts" if exporter.encoder else "vectors"
    teacher = encoder.identity if encoder is not None else reducer.teacher_
    teacher = teacher or EncoderIdentity("unknown", "unknown", int(reducer.n_features_in_))
    rows = export_rows(f"export/{Path(folder).name}", unit, record, teacher, reducer.seed or 0)
    return Exported(Path(folder), record, rows)


def _items(exporter: Exporter, encoder: Encoder, corpus: Corpus | None, max_items: int) -> Any:
    """Return what calibrates and measures the export: texts, or vectors for a head alone."""
    if exporter.encoder is None and isinstance(encoder, Precomputed):
        return encoder.rows
    texts = [] if corpus is None else [document.text for document in corpus.documents("test")]
    return texts if exporter.encoder else encoder.encode_document(sample_texts(texts, max_items))
