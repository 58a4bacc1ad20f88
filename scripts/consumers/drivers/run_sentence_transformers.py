"""Stock sentence-transformers, and every tool that hands folders to it unchanged."""

from common import backend, finish, folder, texts
from sentence_transformers import SentenceTransformer

model = SentenceTransformer(folder, device="cpu", **backend)
finish(model.encode(texts), "sentence-transformers")
