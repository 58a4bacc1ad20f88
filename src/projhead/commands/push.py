"""``projhead push``: an artifact, an export or an encoder to the model hub."""

from __future__ import annotations

from omegaconf import DictConfig

from projhead.hub.send import push


def run(cfg: DictConfig) -> float:
    """Send the folder and print where it can be seen; return 1."""
    print(
        push(
            cfg.folder,
            cfg.repo,
            private=cfg.private,
            create_pr=cfg.create_pr,
            revision=cfg.revision,
            message=cfg.message,
            license=cfg.license,
            language=list(cfg.language),
            datasets=list(cfg.datasets),
            base_model=cfg.base_model,
            results=cfg.results,
        )
    )
    return 1.0
