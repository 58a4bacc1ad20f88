"""txtai with the method that keeps the head."""

from common import finish, folder, form, texts
from txtai.embeddings import Embeddings

method = "model2vec" if form == "table" else "sentence-transformers"
finish(Embeddings(path=folder, method=method, gpu=False).batchtransform(texts), "txtai")
