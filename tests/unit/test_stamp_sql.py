"""sql/ and what is said about it: the stamp, the headers, the comments, the tests' names."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "sql").glob("*.sql"), key=lambda path: path.name)
CHANGE = r"\b(update|insert into|delete from)\s+(notify\.)?(notifications|attempts)"
NAMES = [path.stem for path in FILES]


def stamp(tree, *arguments):
    command = [sys.executable, "-m", "ops.stamp_sql", *arguments]
    return subprocess.run(
        command, cwd=tree, check=False, capture_output=True, text=True, timeout=200
    )


@pytest.fixture
def tree(tmp_path):
    for name in ("migrations", "sql", "ops"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


def deployers(tree):
    return [path.name for path in (tree / "migrations").glob("9999-*")]


def test_the_committed_stamp_is_current():
    result = stamp(ROOT, "--check")
    assert result.returncode == 0, result.stderr


def test_a_changed_function_renames_the_migration_and_its_revert_renames_it_back(tree):
    [original] = deployers(tree)
    file = tree / "sql" / "claim.sql"
    text = file.read_text(encoding="utf-8")
    file.write_text(text + "\n-- changed\n", encoding="utf-8")
    assert stamp(tree, "--check").returncode == 1
    assert deployers(tree) == [original]
    assert stamp(tree).returncode == 0
    assert len(deployers(tree)) == 1
    assert deployers(tree) != [original]
    file.write_text(text, encoding="utf-8")
    stamp(tree)
    assert deployers(tree) == [original]


def test_a_new_migration_deploys_the_functions_again(tree):
    (tree / "migrations" / "0999-new.sql").write_text("select 1;")
    assert stamp(tree, "--check").returncode == 1


def test_the_two_names_that_a_merge_leaves_become_one(tree):
    [name] = deployers(tree)
    text = (tree / "migrations" / name).read_text(encoding="utf-8")
    for branch in ("0" * 12, "f" * 12):
        (tree / "migrations" / f"9999-sql-{branch}.py").write_text(text, encoding="utf-8")
    assert stamp(tree, "--check").returncode == 1
    assert stamp(tree).returncode == 0
    assert deployers(tree) == [name]


def test_two_texts_of_the_deploying_migration_are_refused(tree):
    [name] = deployers(tree)
    (tree / "migrations" / "9999-sql-000000000000.py").write_text("step('')\n", encoding="utf-8")
    result = stamp(tree)
    assert result.returncode == 1
    assert "differ: keep the right one" in result.stderr
    assert sorted(deployers(tree)) == ["9999-sql-000000000000.py", name]


def test_line_endings_do_not_matter(tree):
    for path in (tree / "sql").glob("*.sql"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert stamp(tree, "--check").returncode == 0


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_function_opens_with_its_header_and_closes_with_its_comment(path):
    text = path.read_text(encoding="utf-8")
    header = text.partition("\ncreate ")[0].partition("\ndo ")[0]
    first = header.splitlines()[0].removeprefix("-- ")
    assert first.startswith(f"{path.stem}(")
    assert header.splitlines()[1] == "--"
    assert re.search(r"^-- Caller   \S", header, re.MULTILINE)
    comment = re.search(
        r"comment on (?:function|procedure) notify\.(\w+)\([^;]*?\)\s+is\s+'([^']+)';", text
    )
    assert comment, "no comment on function"
    assert (comment[1], comment[2]) == (path.stem, first)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_function_that_changes_rows_says_what_it_moves_and_fences(path):
    text = path.read_text(encoding="utf-8")
    if "update notify.notifications" in re.sub(r"'explain (?:[^']|'')*'", "", text):
        assert all(f"\n-- {word} " in text for word in ("Moves", "Fence", "Locks", "Plan"))
        assert "skip locked" in text


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_function_has_a_test_file_of_its_name(path):
    assert (ROOT / "tests" / "sql" / f"test_{path.stem}.py").exists()


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_function_is_the_same_text_on_every_server(path):
    """A dump may be restored on an older one: what was chosen by the version is wrong there."""
    text = re.sub(r"^--.*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if path.stem == "name_producers":  # what it writes is chosen by a table, which is in the dump
        return
    assert not re.search(r"\bdo\b\s*\$|\bexecute\b.*create (or replace )?function", text)


def test_no_python_changes_a_status():
    for package in ("service", "workers"):
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text(encoding="utf-8").lower()
            assert not re.search(CHANGE, text), path
