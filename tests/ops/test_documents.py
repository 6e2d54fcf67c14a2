"""What the documents refer to is there, and decisions are numbered and linked."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("*.md", "ops/**/*.md", "load/*.md", "service/client/*.md")
DOCUMENTS = sorted(page for pages in PAGES for page in ROOT.glob(pages))
DECISIONS = sorted((ROOT / "ops" / "adr").glob("*.md"))
# What somebody makes who follows a how-to.
TO_BE_MADE = {
    "service/channels/sms.py",
    "workers/channels/sms.py",
    "migrations/000N-name.sql",
    "migrations/000N-tag.sql",
}


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


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "SECURITY.md", "ops/STABILITY.md"])
def test_every_file_that_a_page_for_others_names_is_there(page):
    named = re.findall(
        r"`((?:tests|sql|service|workers|migrations|ops|load)/[^`:]*)", (ROOT / page).read_text()
    )
    assert named
    for path in named:
        assert (ROOT / path).exists(), path


def test_decisions_are_numbered_without_a_gap_and_the_architecture_links_each():
    architecture = (ROOT / "ops" / "ARCHITECTURE.md").read_text()
    for number, decision in enumerate(DECISIONS, 1):
        assert decision.name.startswith(f"{number:04}-")
        assert decision.read_text().startswith(f"# {number}. ")
        assert f"](adr/{decision.name})" in architecture


def test_a_link_that_is_labelled_with_a_number_leads_to_the_decision_of_that_number():
    labelled = r"\[(?:\w+ )?(\d+)\b[^\]]*\]\((?:[^)\s]*/)?(\d{4})-[^)\s]+\.md"
    links = [
        (page.name, *numbers)
        for page in DOCUMENTS
        for numbers in re.findall(labelled, page.read_text())
    ]
    assert len(links) >= len(DECISIONS)
    assert [link for link in links if int(link[1]) != int(link[2])] == []


def paths(text: str) -> set[str]:
    """Give the files and folders that a page names in full, between backticks."""
    named = re.findall(r"`((?:service|workers|sql|migrations|ops|load|tests)/[\w./-]+)`", text)
    return {name for name in named if name not in TO_BE_MADE and "/out/" not in name}


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_a_page_names_is_there(page):
    if page.name != "CHANGELOG.md":  # which says what was
        assert {path for path in paths(page.read_text()) if not (ROOT / path).exists()} == set()


def test_the_architecture_names_every_folder_and_every_file_on_the_road():
    architecture = (ROOT / "ops" / "ARCHITECTURE.md").read_text()
    rooms = {path.parent.name for path in (ROOT / "service").glob("*/__init__.py")}
    assert {room for room in rooms if not re.search(rf"^  {room}/ ", architecture, re.M)} == set()
    road = [*ROOT.glob("service/dispatch/*.py"), *ROOT.glob("workers/*.py")]
    names = {path.name for path in road if path.name != "__init__.py"}
    assert {name for name in names if f"`{name}`" not in architecture
            and f"/{name}`" not in architecture} == set()  # fmt: skip
