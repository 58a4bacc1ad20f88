"""txtai with the method that keeps the head."""

from common import finish, folder, texts
from txtai.embeddings import Embeddings

finish(Embeddings(path=folder, method="sentence-transformers", gpu=False).batchtransform(texts), "txtai")
