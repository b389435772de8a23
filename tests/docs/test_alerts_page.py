"""docs/alerts.md shows the table of troubles as the code has it, and every setting."""

from __future__ import annotations

import re

from hub.alert_rules import RULES
from hub.sections import AlertsSection, MailSection, WebhookSection
from tests.docs.pages import ROOT

TEXT = (ROOT / "docs/alerts.md").read_text(encoding="utf-8")


def test_the_table_of_troubles_is_the_codes() -> None:
    shown = re.findall(
        r"^\| `([a-z-]+)` \| (destination|source|hub) \|([^|]*)\|([^|]*)\|([^|]*)\|$", TEXT, re.MULTILINE
    )
    assert [tuple(cell.strip() for cell in row) for row in shown] == [
        (
            trouble.value,
            rule.of,
            f"after `{rule.after}`" if rule.after else "at once",
            rule.en.meaning,
            rule.en.mend,
        )
        for trouble, rule in RULES.items()
    ]


def test_every_setting_is_explained() -> None:
    for section in (MailSection, AlertsSection, WebhookSection):
        missing = [name for name in section.model_fields if f"`{name}`" not in TEXT]
        assert missing == []
