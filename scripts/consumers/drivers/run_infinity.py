"""infinity's engines."""

import asyncio

from common import finish, folder, form, texts
from infinity_emb import AsyncEmbeddingEngine, EngineArgs

engine = "optimum" if form == "onnx" else "torch"
arguments = EngineArgs(
    model_name_or_path=folder, engine=engine, device="cpu", bettertransformer=False, dtype="float32", model_warmup=False
)


async def run():
    running = AsyncEmbeddingEngine.from_args(arguments)
    async with running:
        rows, _ = await running.embed(sentences=texts)
    return rows


finish(asyncio.run(run()), "infinity-emb")
