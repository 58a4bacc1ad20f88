"""The published rules by which other tools read a folder, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Reads(NamedTuple):
    """How a consumer reads a form.

    Attributes
    ----------
    setting : str
        What must be said to it, nothing where its defaults are right.
    networks, poolings, activations : frozenset of str, optional
        What it has of its own: kinds of network, as their ``config.json`` calls them, ways of pooling,
        activations of Dense. Anything where not given.
    inner_normalize : bool
        Whether it makes rows unit length where modules before the last one ask for that.
    """

    setting: str = ""
    networks: frozenset[str] | None = None
    poolings: frozenset[str] | None = None
    activations: frozenset[str] | None = None
    inner_normalize: bool = True


class Consumer(NamedTuple):
    """A tool that loads exported folders.

    Attributes
    ----------
    title, source : str
        Its name, and where its rule can be read.
    reads : mapping of str to Reads
        What it takes, by what a folder holds: ``modules`` of a transformer, ``routes`` of one for each side,
        ``table_modules`` of a table of tokens and modules, one ``table`` that took its head in; or a graph of one of
        these, such as ``onnx`` and ``table_openvino``.
    prompts : str
        How it is told what to put before queries and documents.
    instead : str
        What to do where it cannot take a folder.
    """

    title: str
    source: str
    reads: Mapping[str, Reads]
    prompts: str = "put the prompt before each text yourself"
    instead: str = ""


_PLAIN = Reads()
_ASKS = Reads("the input is_query: 1 for queries, 0 for documents")
_NETWORKS = {form: _PLAIN for form in ("modules", "routes")}
_MODULES = {**_NETWORKS, "table_modules": _PLAIN, "table": _PLAIN}
_POOLINGS = frozenset({"cls", "mean", "lasttoken"})
_TEI = Reads(
    "--dtype float32",
    frozenset(
        {"bert", "camembert", "distilbert", "gemma3_text", "modernbert", "mpnet", "new", "nomic_bert", "qwen2", "qwen3"}
        | {"roberta", "xlm-roberta"}
    ),
    _POOLINGS,
    frozenset({"Identity", "Tanh"}),
    inner_normalize=False,
)
_VLLM = Reads(
    "--runner pooling --dtype float32",
    frozenset(
        {"bert", "gemma3_text", "llama", "mistral", "modernbert", "new", "nomic_bert", "qwen2", "qwen3", "roberta"}
        | {"xlm-roberta"}
    ),
    _POOLINGS,
    frozenset({"GELU", "Identity", "ReLU", "SiLU", "Sigmoid", "Tanh"}),
    inner_normalize=False,
)
#: Whose tokenizers Elasticsearch has.
_ELAND = frozenset({"bert", "deberta-v2", "distilbert", "electra", "mobilebert", "mpnet", "roberta", "xlm-roberta"})
_NOT_YET = "not yet"


#: OpenVINO computes in bfloat16 by itself where the processor has it, 3e-3 away from float32.
_F32 = '{"ov_config": {"INFERENCE_PRECISION_HINT": "f32"}}'
_ONNX, _OPENVINO = 'backend="onnx"', f'backend="openvino", model_kwargs={_F32}'


def _graphs(onnx: str = _ONNX, openvino: str = _OPENVINO) -> dict[str, Reads]:
    """Return how a tool reads graphs that hands folders to sentence-transformers, with optimum beside it."""
    return {"onnx": Reads(onnx), "openvino": Reads(openvino)}


CONSUMERS: dict[str, Consumer] = {
    "sentence-transformers": Consumer(
        "sentence-transformers",
        "https://sbert.net/docs/sentence_transformer/usage/efficiency.html",
        {**_MODULES, **_graphs()},
        prompts="encode_query, encode_document",
    ),
    "langchain": Consumer(
        "LangChain",
        "https://github.com/langchain-ai/langchain/blob/master/libs/partners/huggingface/langchain_huggingface/"
        "embeddings/huggingface.py",
        {
            **_MODULES,
            **_graphs(
                'model_kwargs={"backend": "onnx"}', f'model_kwargs={{"backend": "openvino", "model_kwargs": {_F32}}}'
            ),
        },
        prompts='encode_kwargs={"prompt_name": "document"}, query_encode_kwargs={"prompt_name": "query"}',
    ),
    "llama-index": Consumer(
        "LlamaIndex",
        "https://github.com/run-llama/llama_index/blob/main/llama-index-integrations/embeddings/"
        "llama-index-embeddings-huggingface/llama_index/embeddings/huggingface/base.py",
        {**_NETWORKS, **_graphs()},
        prompts="query_instruction=..., text_instruction=...",
        instead="a student with a network: it wants a limit of tokens, which a table has not",
    ),
    "haystack": Consumer(
        "Haystack",
        "https://github.com/deepset-ai/haystack/blob/main/haystack/components/embedders/"
        "sentence_transformers_text_embedder.py",
        {**_MODULES, **_graphs()},
        prompts="prefix=... of the text embedder and the document embedder",
    ),
    "bertopic": Consumer(
        "BERTopic",
        "https://github.com/MaartenGr/BERTopic/blob/master/bertopic/backend/_sentencetransformers.py",
        {**_MODULES, **_graphs(*(f"embedding_model=SentenceTransformer(folder, {how})" for how in (_ONNX, _OPENVINO)))},
    ),
    "txtai": Consumer(
        "txtai",
        "https://github.com/neuml/txtai/blob/master/src/python/txtai/vectors/dense/factory.py",
        {form: Reads('method="sentence-transformers"') for form in _MODULES},
        prompts='instructions={"query": ..., "data": ...}',
        instead="export=sentence_transformers",
    ),
    "infinity": Consumer(
        "infinity",
        "https://github.com/michaelfeil/infinity/blob/main/libs/infinity_emb/infinity_emb/transformer/embedder/optimum.py",
        {"modules": Reads("--engine torch --no-bettertransformer")},
        instead="export=sentence_transformers: with optimum 2 its engine for ONNX seeks a whole path among file names",
    ),
    "tei": Consumer(
        "text-embeddings-inference",
        "https://github.com/huggingface/text-embeddings-inference/blob/main/backends/candle/src/models/dense.rs",
        {
            "modules": _TEI,
            "onnx": Reads("a CPU image: the ort backend"),
        },
        prompts="prompt_name in each request, or --default-prompt-name",
        instead="export=onnx, for its CPU images, or train with head=linear",
    ),
    "vllm": Consumer(
        "vLLM",
        "https://github.com/vllm-project/vllm/blob/main/vllm/model_executor/models/adapters.py",
        {"modules": _VLLM},
        instead="export=sentence_transformers of a head without biases: head=linear, or residual_mlp with relu",
    ),
    "eland": Consumer(
        "Elasticsearch (eland)",
        "https://github.com/elastic/eland/blob/main/eland/ml/pytorch/wrappers.py",
        {"modules": Reads("--task-type text_embedding", _ELAND)},
        instead="export=sentence_transformers",
    ),
    "fastembed": Consumer(
        "fastembed",
        "https://github.com/qdrant/fastembed/blob/main/fastembed/text/custom_text_embedding.py",
        {"onnx": Reads("add_custom_model(pooling=PoolingType.DISABLED, normalization=False)")},
        instead="export=onnx",
    ),
    "transformers.js": Consumer(
        "transformers.js",
        "https://huggingface.co/docs/transformers.js/api/pipelines",
        {
            "onnx": Reads(
                '{dtype: "fp32"}, then {pooling: "mean", normalize: true}, texts within the token limit: beyond it the '
                "closing token is cut off"
            )
        },
        instead="export=onnx",
    ),
    "vespa": Consumer(
        "Vespa",
        "https://docs.vespa.ai/en/embedding.html",
        {"onnx": Reads("pooling-strategy mean, normalize true, max-tokens as in sentence_bert_config.json")},
        prompts="<prepend> of queries and documents",
        instead="export=onnx",
    ),
    "onnxruntime": Consumer(
        "ONNX Runtime",
        "https://onnxruntime.ai/docs/api/python/api_summary.html",
        {"onnx": _PLAIN, "table_onnx": _PLAIN, "lifted_onnx": _ASKS},
        prompts="query_prompt and document_prompt in the model's metadata",
        instead="export=onnx",
    ),
    "openvino": Consumer(
        "OpenVINO",
        "https://docs.openvino.ai/",
        {"openvino": _PLAIN, "table_openvino": _PLAIN, "lifted_openvino": _ASKS},
        prompts="projhead/query_prompt and projhead/document_prompt in the model's information",
        instead="export=openvino",
    ),
    "model2vec": Consumer(
        "model2vec",
        "https://github.com/MinishLab/model2vec/blob/main/model2vec/persistence/datamodels.py",
        {"table": _PLAIN},
        instead="student=static with head=linear, export=sentence_transformers",
    ),
    "llama.cpp": Consumer(
        "llama.cpp, ollama",
        "https://github.com/ggml-org/llama.cpp/blob/master/convert_hf_to_gguf.py",
        {},
        instead=_NOT_YET,
    ),
}
