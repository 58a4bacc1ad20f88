"""fastembed with a model of one's own."""

from common import finish, folder, texts
from fastembed import TextEmbedding
from fastembed.common.model_description import ModelSource, PoolingType

TextEmbedding.add_custom_model(
    "mine", pooling=PoolingType.DISABLED, normalization=False, sources=ModelSource(url="none"), dim=64
)
finish(list(TextEmbedding("mine", specific_model_path=folder).embed(texts)), "fastembed")
