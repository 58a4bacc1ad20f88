"""Haystack's document embedder."""

from common import backend, finish, folder, texts
from haystack import Document

try:
    from haystack.components.embedders import SentenceTransformersDocumentEmbedder
except ImportError:  # moved out of the core
    from haystack_integrations.components.embedders.sentence_transformers import SentenceTransformersDocumentEmbedder
from haystack.utils import ComponentDevice

embedder = SentenceTransformersDocumentEmbedder(model=folder, device=ComponentDevice.from_str("cpu"), **backend)
embedder.warm_up()
finish([one.embedding for one in embedder.run([Document(content=text) for text in texts])["documents"]], "haystack-ai")
