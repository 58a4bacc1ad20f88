"""BERTopic's backend of a sentence-transformers model."""

from bertopic.backend._utils import select_backend
from common import finish, folder, texts
from sentence_transformers import SentenceTransformer

finish(select_backend(SentenceTransformer(folder, device="cpu")).embed_documents(texts), "bertopic")
