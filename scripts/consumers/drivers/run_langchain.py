"""LangChain's HuggingFaceEmbeddings."""

from common import backend, finish, folder, texts
from langchain_huggingface import HuggingFaceEmbeddings

embeddings = HuggingFaceEmbeddings(model_name=folder, model_kwargs={"device": "cpu", **backend})
finish(embeddings.embed_documents(texts), "langchain-huggingface")
