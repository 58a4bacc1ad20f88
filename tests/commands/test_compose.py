"""What a command line gets wrong is told in one line, before anything is computed."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import DictConfig

from projhead.commands.compose import composed, understood
from projhead.errors import mendable


def _checked(verb: str, *overrides: str) -> DictConfig:
    return composed(verb, overrides, Path("out"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("train n_componets=64", "n_componets: no such setting of projhead train; did you mean n_components?"),
        ("train lr=0.1", "lr: no such setting of projhead train; did you mean optimizer.lr?"),
        ("train encoder.devic=cpu", "encoder.devic: no such setting of projhead train; did you mean encoder.device?"),
        ("train encoder=minlm", "encoder: got 'minlm', expected one of exported, minilm, mpnet,"),
        ("train encoder=[minilm,mpnet]", "encoder: got minilm, mpnet, expected one of exported,"),
        ("train encoder=null", "a group's choice: got NoneType, expected the name of an option"),
        ("train ~encoder", "encoder: not given"),
        ("train experiment=nested_2", "experiment: got 'nested_2', expected one of"),
        ("train +experiment=nested", "experiment: expected experiment=nested, without a plus"),
        ("evaluate task=[mine]", "task: got 'mine', expected one of classification,"),
        ("train foo", "foo: cannot be read; expected group=option or key=value"),
        ("train optimizer.lr=[1", "optimizer.lr=[1: cannot be read"),
        ("train +foo=1", "foo: no such setting"),
        ("train foo@bar=x", "foo: no group of projhead train"),
        ("train ~foo", "foo: no such setting of projhead train"),
        ("train n_components=${none}", "Interpolation key 'none' not found"),
        ("train n_components=0", "n_components: got 0, expected a whole number of at least 1"),
        ("train n_components=abc", "n_components: got 'abc'"),
        ("train corpus=file", "corpus.path: not given; expected Your own texts"),
        ("train corpus=file corpus.path=x corpus.skip_bad=maybe", "corpus.skip_bad: got 'maybe', expected yes or no"),
        ("train optimizer.lr=abc", "optimizer.lr: got 'abc', expected a number"),
        ("train +trainer.precison=16", "trainer.precison: no such setting; did you mean precision?"),
        ("train trainer.max_steps=many", "trainer.max_steps: got 'many', expected a whole number"),
        (
            "train corpus=file corpus.paht=x",
            "corpus.paht: no such setting of projhead train; did you mean corpus.path?",
        ),
        ("encode", "out: not given; expected the store to write, or to go on with"),
        ("encode out=x split=dev", "split: got 'dev', expected train, test or all"),
        ("search index=x query=y top_k=10**12", "top_k: got '10**12'"),
        ("search query=x", "index.path: not given; expected index=...: a folder that 'index' wrote"),
        ("train codec=[int8,binary]", "codec: got int8, binary, expected one of"),
        ("train codec=pq:many", "codec.n_bytes: got 'many', expected a whole number"),
        ("evaluate codecs=[int8,pg:8]", "codec: got 'pg:8', expected one of"),
        ("export artifact=x quantization=int8 export=head_onnx", "export.quantization: no such setting"),
        ("plan recall=nan", "recall: got nan"),
        ("export artifact=x min_mean_cosine=-1", "min_mean_cosine: got -1"),
    ],
)
def test_a_mistake_is_one_line(line: str, said: str) -> None:
    verb, *overrides = line.split(" ")
    with pytest.raises(Exception) as refused:  # noqa: PT011  of whatever kind: the line counts
        _checked(verb, *overrides)
    told = mendable(understood(refused.value, verb))
    assert told is not None
    assert told.startswith(said)
    assert "\n" not in told


def test_words_for_no_mean_no() -> None:
    assert _checked("encode", "out=x", "keep_texts=no").keep_texts is False
    assert _checked("train", "reducer=pca", "reducer.center=off").reducer.center is False
    assert _checked("search", "index=x", "query=5").query == "5"


def test_a_class_in_an_options_place_has_none_of_its_settings(tmp_path: Path) -> None:
    own = "loss._target_=projhead.losses.info_nce.InfoNCE"
    assert set(composed("train", [own], tmp_path).loss) == {"_target_", "_partial_"}
    kept = composed("train", [own, "+loss.temperature=0.1"], tmp_path).loss
    assert kept.temperature == 0.1
