"""The quality benchmark: retrieval sets x widths x reducers x seeds, to the tables of the README.

    python scripts/quality/domains.py OUT SET... [--corpus TEXTS] [--widths 32 64 128] [--seeds 0 1 2] [--override ...]

SET is a folder in the BEIR layout or its name on the hub. Each protocol is one of conf/experiment: `in_domain` and
`in_domain_vectors` train on nine tenths of each set's documents, with and without sentences of them; `nested` one head
for all widths; `any_domain` on the words of a tokenizer alone; `out_of_domain`, where --corpus (a file or folder of
texts) is given, on that alone. Test queries and judgments are never trained on. Every baseline is fitted to the same
vectors; the differences to the best PCA are paired. Run again, it goes on where it was: a finished training is found by
its settings, a finished evaluation by its artifacts. Ends with a report per protocol, OUT/<protocol>/report.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from projhead.persistence.files import sha256_of, write_json

IN_DOMAIN = ("in_domain", "in_domain_vectors", "nested")
PROTOCOLS = (*IN_DOMAIN, "any_domain", "out_of_domain")
#: Those that are no experiment of their own.
RECIPES = {"in_domain_vectors": ["experiment=in_domain", "queries=none"]}
#: Width of the head whose first components serve the others.
NESTED = 256


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("sets", nargs="+")
    parser.add_argument("--corpus", help="a file or folder of texts to train on, out of domain")
    parser.add_argument("--protocols", nargs="+", choices=PROTOCOLS, default=PROTOCOLS)
    parser.add_argument("--widths", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--encoder", nargs="*", default=[], help="for train and evaluate, such as encoder=mpnet")
    parser.add_argument("--override", nargs="*", default=[], help="for train alone, such as loss=similarity_mse")
    return parser.parse_args()


def projhead(*words: object) -> None:
    """Run one verb, as typed."""
    print("$ projhead", *words, flush=True)
    subprocess.run([sys.executable, "-m", "projhead.cli", *map(str, words)], check=True)


def train(protocol: str, path: str | None, folder: Path, args: argparse.Namespace) -> list[Path]:
    """Train at every width and seed; return the artifacts."""
    widths = [NESTED] if protocol == "nested" else args.widths
    corpus = [] if path is None else [f"corpus.path={path}"]
    recipe = RECIPES.get(protocol, [f"experiment={protocol}"])
    projhead(
        "train", "-m", *recipe, *corpus, *args.encoder, *args.override,
        f"n_components={','.join(map(str, widths))}", f"seed={','.join(map(str, args.seeds))}",
        f"run_dir={folder}", "hydra.sweep.subdir=${n_components}-${seed}",
    )  # fmt: skip
    runs = [folder / f"{width}-{seed}" for width in widths for seed in args.seeds]
    return [artifact for run in runs for artifact in (run / "artifact", *sorted(run.glob("nested/*/artifact")))]


def evaluate(artifacts: list[Path], path: str, folder: Path, encoder: list[str]) -> None:
    """Measure artifacts on one set, unless these very ones have been."""
    record = folder / "finished.json"
    measured = {str(artifact): sha256_of(artifact / "config.json") for artifact in artifacts}
    if record.is_file() and json.loads(record.read_text(encoding="utf-8")) == measured:
        return
    (folder / "results.jsonl").unlink(missing_ok=True)
    projhead(
        "evaluate", f"artifact=[{','.join(measured)}]", "task=retrieval", f"task.retrieval.path={path}",
        *encoder, f"run_dir={folder}",
    )  # fmt: skip
    write_json(record, measured)


def main() -> None:
    """Train, measure and report, one protocol after the other."""
    args = arguments()
    for protocol in args.protocols:
        top = args.out / protocol
        if protocol == "out_of_domain" and args.corpus is None:
            continue
        path = args.corpus if protocol == "out_of_domain" else None
        shared = [] if protocol in IN_DOMAIN else train(protocol, path, top / "corpus", args)
        for one in args.sets:
            folder = top / Path(one).name
            evaluate(shared or train(protocol, one, folder, args), one, folder / "evaluate", args.encoder)
        results = ",".join(f"{top / Path(one).name}/evaluate" for one in args.sets)
        projhead("report", f"results=[{results}]", f"out={top}/report", f"run_dir={top}/report-run")


if __name__ == "__main__":
    main()
