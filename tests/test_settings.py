"""Settings: defaults that work, mistakes told with their line and what is legal, flags over the file."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from vocaldm_live import settings as module
from vocaldm_live.settings import Settings, SettingsError, read_settings


@pytest.fixture(autouse=True)
def no_file_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "default_file", lambda: tmp_path / "not there" / "settings.yaml")


def refused(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_settings(path)
    return str(caught.value)


def test_the_defaults_listen_on_loopback_alone() -> None:
    settings = read_settings()
    assert settings.osc.host == "127.0.0.1" and settings.preset == "house"
    assert settings.folders.outbox != settings.folders.inbox


@pytest.mark.parametrize("where", ["ray://studio", "ray://a b:1", "http://studio:10001", "remote", ""])
def test_an_engine_is_local_or_a_cluster_with_its_port(tmp_path: Path, where: str) -> None:
    assert read_settings(changes={"engine": "ray://studio.local:10001"}).engine.endswith("10001")
    assert "mine.yaml line 1: engine" in refused(tmp_path, f"engine: '{where}'\n")


def test_what_is_printed_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "printed.yaml"
    path.write_text(read_settings(changes={"osc.port": 9001, "gate.hangover": 0.5}).as_yaml())
    again = read_settings(path)
    assert again.osc.port == 9001 and again.gate_settings.hangover == 0.5
    assert yaml.safe_load(again.as_yaml()) == yaml.safe_load(path.read_text())


def test_flags_go_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("osc:\n  port: 9001\n  query: false\n")
    settings = read_settings(path, {"osc.port": 9002})
    assert settings.osc.port == 9002 and settings.osc.query is False


@pytest.mark.parametrize(
    ("text", "line", "key", "legal"),
    [
        ("preset: house\nosc:\n  port: 99999\n", 3, "osc.port", "65535"),
        ("osc:\n  prot: 9001\n", 2, "osc.prot", "port"),
        ("devise: cpu\n", 1, "devise", "device"),
        ("device: tpu\n", 1, "device", "'cuda'"),
        ("queue:\n  length: many\n", 2, "queue.length", "integer"),
        ("# mine\n\nclips:\n  bits: 12\n", 4, "clips.bits", "24"),
        ("gate:\n  hangover: -1\n", 2, "gate", "hangover"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, line: int, key: str, legal: str) -> None:
    told = refused(tmp_path, text)
    assert f"line {line}:" in told or (key == "gate" and "line 1:" in told)
    assert key in told and legal in told and told.endswith(".") and "\n" not in told


def test_several_mistakes_are_told_at_once(tmp_path: Path) -> None:
    told = refused(tmp_path, "device: tpu\nosc:\n  port: x\n")
    assert "device" in told and "osc.port" in told


def test_broken_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    assert "line 2" in refused(tmp_path, "osc: {port: 1\ndevice: [\n")


def test_a_wrong_flag_is_told_as_one() -> None:
    with pytest.raises(SettingsError, match="the command line: osc.port"):
        read_settings(changes={"osc.port": 123456})


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="name another"):
        read_settings(tmp_path / "none.yaml")


def test_other_addresses_need_a_token() -> None:
    with pytest.raises(SettingsError, match="token"):
        read_settings(changes={"osc.host": "0.0.0.0"})
    assert read_settings(changes={"osc.host": "0.0.0.0", "osc.token": "secret"}).osc.token == "secret"


def test_settings_do_not_change_under_way() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().preset = "other"  # type: ignore[misc]
