"""A small configuration that is right, for tests that make it wrong in one place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

CONFIGURATION = """\
hub: {name: tra-vinh, province: H59}
ledger: {url: "sqlite:///var/hub.db"}
bus: {url: "embedded:"}
agencies: agencies.yaml
sources:
  so-tttt:
    adapter: reads
    every_s: 1.5
    mappings: [one-stop-soap/dossier, one-stop-soap/step]
    settings:
      url: http://127.0.0.1:9
      password: ${HUB_PASSWORD}
destinations:
  national:
    adapter: writes
    answers: dvcqg
    mappings: {dossier.v1: dvcqg/dossier, dossier-step.v1: dvcqg/step}
    settings:
      url: http://127.0.0.1:9
    deadline_s: 20
routes:
  - {kinds: [dossier.v1, dossier-step.v1], to: [national]}
"""

AGENCIES = """\
- {code: H59.15, name: Sở Thông tin và Truyền thông, level: province, aliases: [000.00.15.H59]}
- {code: H59.34, name: UBND huyện Cầu Ngang, level: district}
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write the configuration with parts replaced, and the agencies beside it; returns its path."""

    def make(*replacements: tuple[str, str], agencies: str = AGENCIES) -> Path:
        text = CONFIGURATION
        for before, after in replacements:
            assert before in text, before
            text = text.replace(before, after)
        (tmp_path / "agencies.yaml").write_text(agencies, encoding="utf-8")
        path = tmp_path / "hub.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return make
