"""BERTopic's backend of a sentence-transformers model."""

from bertopic.backend._utils import select_backend
from common import backend, finish, folder, texts
from sentence_transformers import SentenceTransformer

finish(select_backend(SentenceTransformer(folder, device="cpu", **backend)).embed_documents(texts), "bertopic")
