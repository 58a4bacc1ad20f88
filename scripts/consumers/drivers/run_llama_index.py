"""LlamaIndex's HuggingFaceEmbedding."""

from common import backend, finish, folder, texts
from llama_index.embeddings.huggingface import HuggingFaceEmbedding

embedding = HuggingFaceEmbedding(model_name=folder, device="cpu", **backend)
finish(embedding.get_text_embedding_batch(texts), "llama-index-embeddings-huggingface")
