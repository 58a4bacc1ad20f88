"""Bad settings of every verb and option, a part of them."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("folder")]

FOLDER = "faults"


def test_no_nonsense_is_accepted_and_no_setting_ends_in_a_traceback() -> None:
    import settings

    counts, others = settings.campaign(every=7)
    assert not others
    assert counts["refused"] > 400
