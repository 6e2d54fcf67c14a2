"""How many cores may be used."""

import os

import pytest

from service.process import cores
from service.process.cores import usable_cores


@pytest.fixture(autouse=True)
def eight(monkeypatch):
    """Let the machine have eight cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


def usable(root, ours, **quotas):
    """Count in a tree with these files, whose `/` is written `__`."""
    for name, text in quotas.items():
        file = root / name.replace("__", "/").replace("cpu_", "cpu.")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (root / "ours").write_text(ours)
    return usable_cores(root, root / "ours")


@pytest.mark.parametrize(
    ("quota", "count"),
    [
        ("max 100000", 8),
        ("100000 100000", 1),
        ("250000 100000", 2),
        ("150000 100000", 1),
        ("10000 100000", 1),
        ("1600000 100000", 8),
        ("garbage", 8),
        ("100000 0", 8),
    ],
)
def test_a_quota_of_our_own_group_counts(tmp_path, quota, count):
    assert usable(tmp_path, "0::/\n", cpu_max=quota) == count


def test_the_smallest_quota_of_all_groups_around_us_counts(tmp_path):
    quotas = {"a__cpu_max": "300000 100000", "a__b__cpu_max": "max 100000", "cpu_max": "max 1"}
    assert usable(tmp_path, "0::/a/b\n", **quotas) == 3


def test_a_group_that_a_container_does_not_see_is_the_trees_root(tmp_path):
    assert usable(tmp_path, "0::/docker/abc\n", cpu_max="200000 100000") == 2


@pytest.mark.parametrize(("quota", "count"), [("-1", 8), ("400000", 4)])
def test_version_1_has_its_own_files(tmp_path, quota, count):
    files = {"cpu__x__cpu_cfs_quota_us": quota, "cpu__x__cpu_cfs_period_us": "100000"}
    ours = "4:cpu,cpuacct:/x\n1:memory:/y\n"
    assert usable(tmp_path, ours, **files) == count


@pytest.mark.parametrize("ours", ["", "garbage\n", "0::\n", "a:b\n"])
def test_what_cannot_be_read_limits_nothing(tmp_path, ours):
    assert usable(tmp_path, ours) == 8
    assert usable_cores(tmp_path / "none", tmp_path / "none") == 8


def test_the_affinity_counts(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5}, raising=False)
    assert cores.allowed_cores() == usable_cores() == 1
