"""model2vec itself."""

from common import finish, folder, texts
from model2vec import StaticModel

finish(StaticModel.from_pretrained(folder).encode(texts), "model2vec")
