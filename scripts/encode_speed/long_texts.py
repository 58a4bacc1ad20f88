"""What long texts and large networks take: memory and seconds, with attention in blocks and whole, in one run.

    python scripts/encode_speed/long_texts.py [--tokens 512 2048 4096 8192] [--layers 6] [--weights 550] [--rounds 15]

Networks have random weights, as values do not change the work: one of MiniLM's shape that reads 8,192 tokens, and one
whose token table makes its weights as many millions as asked. Every form is measured in a process of its own, but for
the two that are compared by speed, which take turns. Prints Markdown tables; memory is what comes on top of the loaded
model, or with ``--weights`` the peak of the whole process.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from tabulate import tabulate
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel, ModernBertConfig, ModernBertModel, PreTrainedTokenizerFast

from projhead import load_encoder
from projhead.exporters.export import write_export
from projhead.exporters.onnx import Onnx
from projhead.exporters.openvino import OpenVino
from projhead.exporters.tracing import serve_pooling_tools, whole_graph
from projhead.persistence.record import Record, read_record
from projhead.protocols import Exporter
from projhead.quantization.blocks import in_blocks
from projhead.quantization.network import Network

sys.path.append(str(Path(__file__).parents[1]))  # where bench is
from bench import apart, in_turns, machine, median, resident, watch
from bench import parser as bench_parser

WORDS = 500
MARKS = [f"{name}_token_id" for name in ("pad", "bos", "eos", "cls", "sep")]
FORMS: dict[str, Callable[[], Exporter]] = {
    "ONNX": Onnx,
    "ONNX float16": lambda: Onnx("float16"),
    "ONNX int8": lambda: Onnx("int8"),
    "OpenVINO": OpenVino,
}


def student(network: Any, folder: Path, width: int, limit: int) -> SentenceTransformer:
    """Return a network of random weights behind a tokenizer of made-up words."""
    vocabulary = {name: number for number, name in enumerate(["[PAD]", "[UNK]", *map(str, range(WORDS))])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    inputs = ["input_ids", "attention_mask"]
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        model_max_length=limit,
        model_input_names=inputs,
    ).save_pretrained(folder)
    network.save_pretrained(folder)
    modules = [Transformer(str(folder), max_seq_length=limit), Pooling(width), Normalize()]
    return SentenceTransformer(modules=modules, device="cpu").eval()


def long_reader(folder: Path, layers: int, heads: int = 12, width: int = 384) -> SentenceTransformer:
    """Return a network that reads 8,192 tokens."""
    torch.manual_seed(0)
    config = ModernBertConfig(
        vocab_size=WORDS + 2, hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads,
        intermediate_size=4 * width, max_position_embeddings=8192, global_attn_every_n_layers=1,
        **dict.fromkeys(MARKS, 0),
    )  # fmt: skip
    return student(ModernBertModel(config), folder, width, 8192)


def large(folder: Path, millions: int, width: int = 1024) -> SentenceTransformer:
    """Return a network of so many weights, nearly all in its token table."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=millions * 1_000_000 // width, hidden_size=width, num_hidden_layers=1, num_attention_heads=8,
        intermediate_size=width, max_position_embeddings=128,
    )  # fmt: skip
    return student(BertModel(config), folder, width, 128)


def texts(n: int, longest: int) -> list[str]:
    """Return texts of all lengths."""
    generator = np.random.default_rng(0)
    return [" ".join(map(str, generator.integers(WORDS, size=1 + longest * i // n))) for i in range(n)]


def read_long(form: str, folder: Path, tokens: list[int]) -> list[str]:
    """Return megabytes and seconds of one text of each length."""
    torch.set_num_threads(1)
    encoder = load_encoder(folder) if form == "torch" else load_encoder(folder, threads=1)
    encoder.encode(["1 2 3"])
    cells = []
    for length in tokens:
        (text,), before, started = [" ".join(["7"] * length)], watch(), time.perf_counter()
        encoder.encode([text])
        cells.append(f"{resident('VmHWM') - before:,.0f} MB, {time.perf_counter() - started:.1f} s")
        print(f"{form}, {length:,} tokens: {cells[-1]}", file=sys.stderr, flush=True)
    return [form, *cells]


def read_whole(folder: Path, tokens: list[int]) -> list[str]:
    """Measure a graph as it was before: attention whole."""
    return ["ONNX, attention whole", *read_long("ONNX", folder, tokens)[1:]]


def write_whole(made: SentenceTransformer, folder: Path) -> None:
    """Put the graph that torch's exporter gives into an export, under a record that knows it."""
    record = read_record(folder, "export", ())
    serve_pooling_tools(whole_graph(made)).write(folder / "onnx" / "model.onnx")
    Record.of(folder, "export", record.body).write(folder)


def one_thread(network: Network, path: Path) -> onnxruntime.InferenceSession:
    """Return what runs a graph on one thread, whose processor time is that of its work."""
    network.write(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def speeds(made: SentenceTransformer, rounds: int, folder: Path) -> list[list[Any]]:
    """Return milliseconds of processor time of short batches, whole and in blocks by turns, medians."""
    network = whole_graph(made)
    sessions = [one_thread(network, folder / "whole.onnx"), one_thread(in_blocks(network), folder / "blocks.onnx")]
    table = []
    for shape in ((1, 8), (1, 22), (46, 22), (8, 128), (2, 512)):
        ids = np.random.default_rng(0).integers(2, WORDS, shape)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        ways = {str(n): partial(one.run, ["sentence_embedding"], feed) for n, one in enumerate(sessions)}
        times, _ = in_turns(ways, rounds, warm=1)
        whole, blocks = (1000 * median(each).processor for each in times.values())
        table.append([f"{shape[0]} of {shape[1]} tokens", f"{whole:.2f}", f"{blocks:.2f}", f"{whole / blocks:.2f}"])
    return table


def write_large(form: str, folder: Path) -> list[str]:
    """Return seconds and the peak of writing one form of a large network."""
    torch.set_num_threads(1)
    made = SentenceTransformer(str(folder / "stock"), device="cpu")
    items = texts(60, 100)
    reference, started = made.encode(items), time.perf_counter()
    watch()
    if form == "one message, as before":
        try:
            whole_graph(made).whole().SerializeToString()
            said = "written"
        except Exception as error:  # protobuf's own kind
            said = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        return [form, "", f"{resident('VmHWM') / 1000:.1f} GB", said]
    path = folder / "written"
    write_export(FORMS[form](), made, path, items, reference, teacher=None, reducer="none", min_mean_cosine=0.9)
    took = time.perf_counter() - started
    files = [(one.name, one.stat().st_size) for one in path.rglob("*") if one.is_file() and one.stat().st_size > 1e6]
    said = ", ".join(f"{name} {size / 1e9:.2f} GB" for name, size in files if "tokenizer" not in name)
    return [form, f"{took:.0f} s", f"{resident('VmHWM') / 1000:.1f} GB", said]


def main() -> None:
    parser = bench_parser(__doc__)
    parser.add_argument("--tokens", type=int, nargs="*", default=[512, 2048, 4096, 8192])
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--weights", type=int, default=550, help="millions; 0 leaves the large network out")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--most-whole", type=int, default=4096, help="tokens of the longest text with attention whole")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as temporary:
        folder = Path(temporary)
        made = long_reader(folder / "network", args.layers)
        made.save_pretrained(str(folder / "torch"), create_model_card=False)
        items = texts(24, 60)
        reference = made.encode(items)
        for form in (*FORMS, "whole"):
            exporter = FORMS.get(form, Onnx)()
            write_export(
                exporter, made, folder / form, items, reference, teacher=None, reducer="none", min_mean_cosine=0
            )
        write_whole(made, folder / "whole")
        print(f"{machine()}, one thread", flush=True)
        rows = [apart(read_long, "torch", folder / "torch", args.tokens)]
        rows += [apart(read_whole, folder / "whole", [one for one in args.tokens if one <= args.most_whole])]
        rows += [apart(read_long, form, folder / form, args.tokens) for form in FORMS]
        print("\n" + tabulate(rows, ["one text of", *(f"{one:,} tokens" for one in args.tokens)], "github"))
        headers = ["batch", "whole, ms", "blocks, ms", "whole / blocks"]
        print("\n" + tabulate(speeds(made, args.rounds, folder), headers, "github", disable_numparse=True))
        if args.weights:
            large(folder / "table", args.weights).save_pretrained(str(folder / "stock"), create_model_card=False)
            written = [apart(write_large, form, folder) for form in ("one message, as before", *FORMS)]
            headers = [f"{args.weights} M weights", "export", "peak", "files"]
            print("\n" + tabulate(written, headers, "github", disable_numparse=True))


if __name__ == "__main__":
    main()
