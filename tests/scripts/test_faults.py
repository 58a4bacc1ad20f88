"""The campaigns of scripts/faults in short."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def test_no_nonsense_is_accepted_and_no_setting_ends_in_a_traceback() -> None:
    path = Path(__file__).parents[2] / "scripts" / "faults" / "settings.py"
    spec = importlib.util.spec_from_file_location("faults_settings", path)
    assert spec is not None
    assert spec.loader is not None
    settings = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(settings)
    counts, others = settings.campaign(every=7)
    assert not others
    assert counts["refused"] > 400
