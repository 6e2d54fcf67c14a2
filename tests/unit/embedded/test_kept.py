"""What is read of a state directory by commands beside `notify up`."""

import json

from service.embedded.kept import kept_settings


def test_the_servers_of_a_directory_are_found(tmp_path):
    kept = {"password": "p", "postgres_port": "1", "valkey_port": "2", "webhook_secret": "whsec_x"}
    (tmp_path / "kept.json").write_text(json.dumps(kept))
    assert kept_settings(tmp_path) == {
        "database_url": "postgresql://notify_app:p@127.0.0.1:1/notify",
        "redis_url": "redis://:p@127.0.0.1:2/0",
        "webhook_secret": ("whsec_x",),
    }


def test_nothing_is_found_where_no_postgresql_was_started(tmp_path):
    assert kept_settings(tmp_path / "none") == {}
    (tmp_path / "kept.json").write_text('{"password": "p", "valkey_port": "2"}')
    assert kept_settings(tmp_path) == {}
    (tmp_path / "kept.json").write_text("{")
    assert kept_settings(tmp_path) == {}


def test_what_is_nested_too_deeply_is_not_ours(tmp_path):
    (tmp_path / "kept.json").write_text("[" * 200_000)
    assert kept_settings(tmp_path) == {}
