"""What the documents refer to is there, and decisions are numbered and linked."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("ops/**/*.md"), *ROOT.glob("load/*.md")])
DECISIONS = sorted((ROOT / "ops" / "adr").glob("*.md"))
# What somebody makes who follows a how-to.
TO_BE_MADE = {"service/channels/sms.py", "workers/channels/sms.py", "migrations/000N-name.sql"}


def anchors(text: str) -> set[str]:
    """Give the names by which the headings of a page can be linked to."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        there = (page.parent / path) if path else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there.read_text()), target


def test_decisions_are_numbered_without_a_gap_and_the_architecture_links_each():
    architecture = (ROOT / "ops" / "ARCHITECTURE.md").read_text()
    for number, decision in enumerate(DECISIONS, 1):
        assert decision.name.startswith(f"{number:04}-")
        assert decision.read_text().startswith(f"# {number}. ")
        assert f"](adr/{decision.name})" in architecture


def test_every_path_that_the_how_tos_name_is_there():
    how_to = (ROOT / "ops" / "ARCHITECTURE.md").read_text().partition("## How to")[2]
    paths = re.findall(r"`((?:service|workers|sql|migrations|ops|tests|load)/[\w./-]*)`", how_to)
    assert paths
    assert [p for p in paths if not (ROOT / p).exists() and p not in TO_BE_MADE] == []
