"""REAPER's actions in a real Lua, against a REAPER that records; the clips are those of a real daemon."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
import soundfile
from cli_helpers import run
from daemons import started, voice
from hypothesis import given, settings
from hypothesis import strategies as some
from osc_peers import Peer
from parts import needs
from tiny import assert_sentence, make_tiny_preset

from vocaldm_live.commands import hosts as command

LUA = "lua5.4"
FAKE = Path(__file__).parent / "reaper" / "fake_reaper.lua"
NEWEST, TAKES = "VocalDM - insert newest clip.lua", "VocalDM - insert all variations as takes.lua"


@pytest.fixture(scope="module")
def outbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a daemon wrote: one clip, three variations at a fixed seed, the same three again, then one refined."""
    place = tmp_path_factory.mktemp("reaper")
    make_tiny_preset(place / "presets", "one")
    path = voice(place / "files" / "door knock.wav", 0.4)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        with started(place) as daemon, Peer(daemon.server.port) as peer:
            peer.subscribe(0, 600.0)
            peer.send("param/seed", 39)
            peer.send("generate", "alone", str(path))
            peer.wait("done")
            peer.send("param/seed", 40)
            peer.send("param/variations", 3)
            peer.send("param/follow", 0.5)
            for id in ("first", "second"):
                peer.send("generate", id, str(path))
                peer.wait("done")
    return place / "outbox"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outbox: Path) -> Path:
    needs(LUA)
    monkeypatch.setattr("vocaldm_live.settings.default_file", lambda: tmp_path / "none.yaml")
    target = tmp_path / "Scripts with spaces"
    assert command.reaper(to=target, outbox=outbox) == 0
    return target


def play(script: Path, tracks: int = 1, told: str = "", answer: str = "") -> dict[str, Any]:
    """What became of the project."""
    done = subprocess.run(
        [LUA, str(FAKE), str(script), str(tracks), told, answer], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    project: dict[str, Any] = json.loads(done.stdout)
    assert project["depth"] == 0 and project["refresh"] == 0
    return project


def at(installed: Path, outbox: Path) -> Path:
    """The scripts, told of this outbox."""
    (installed / command.OUTBOX_NOTE).write_text(f"{outbox}\n", encoding="utf-8")
    return installed


def newest_of(outbox: Path) -> Path:
    return Path(json.loads((outbox / "latest.json").read_text())["clip"])


@pytest.mark.slow
def test_the_newest_clip_lies_at_the_cursor_named_and_coloured(installed: Path, outbox: Path) -> None:
    project = play(installed / NEWEST)
    (item,) = project["items"]
    (take,) = item["takes"]
    assert Path(take["path"]) == newest_of(outbox) and take["P_NAME"] == "door knock (seed 42)"
    values = item["values"]
    assert values["D_POSITION"] == 12.5 and item["selected"] is True
    assert values["D_LENGTH"] == pytest.approx(soundfile.info(take["path"]).duration, abs=1e-6)
    assert values["I_CUSTOMCOLOR"] & 0x1000000
    assert project["undo"] == ["VocalDM: insert newest clip"] and project["updated"] == 1
    assert project["boxes"] == [] and project["asked"] == 0


def test_all_variations_are_takes_of_one_item(installed: Path, outbox: Path) -> None:
    project = play(installed / TAKES)
    (item,) = project["items"]
    clips = sorted(outbox.glob("*.wav"))
    assert len(clips) == 7
    # Those of the newest request: not the ones before with the very same seeds, nor the one with seed 39.
    assert [Path(take["path"]) for take in item["takes"]] == clips[4:]
    assert [take["P_NAME"] for take in item["takes"]] == [
        f"door knock (seed {seed})" for seed in (40, 41, 42)
    ]
    assert item["active"] == 0 and item["values"]["B_LOOPSRC"] == 0
    longest = max(soundfile.info(clip).duration for clip in clips[4:])
    assert item["values"]["D_LENGTH"] == pytest.approx(longest, abs=1e-6)
    assert project["undo"] == ["VocalDM: insert all variations as takes"]


def changed(outbox: Path, tmp_path: Path, **fields: Any) -> Path:
    """A copy of the outbox in which the second variation's recipe says something else."""
    copy = tmp_path / "copy"
    shutil.copytree(outbox, copy)
    recipe = sorted(copy.glob("*.wav"))[5].with_suffix(".json")
    recipe.write_text(json.dumps(json.loads(recipe.read_text()) | fields))
    latest = {"clip": str(copy / newest_of(outbox).name)}
    (copy / "latest.json").write_text(json.dumps(latest))
    return copy


@pytest.mark.parametrize(
    "fields",
    [
        {"imitation_sha256": "0" * 64},
        {"steps": 77},
        {"like_sha256": "1" * 64},
        {"created": "2020-01-01T00:00:00+00:00"},
    ],
    ids=lambda fields: str(next(iter(fields))),
)
def test_what_differs_is_no_variation(
    installed: Path, outbox: Path, tmp_path: Path, fields: dict[str, Any]
) -> None:
    copy = changed(outbox, tmp_path, **fields)
    for older in sorted(copy.glob("*.wav"))[:4]:
        older.unlink()
        older.with_suffix(".json").unlink()
    (item,) = play(at(installed, copy) / TAKES)["items"]
    assert [Path(take["path"]).name for take in item["takes"]] == [newest_of(outbox).name]


def test_an_outbox_that_was_moved_still_works(installed: Path, outbox: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved \u00fc"
    shutil.copytree(outbox, moved)
    (moved / "latest.json").write_text(json.dumps({"clip": "C:\\elsewhere\\" + newest_of(outbox).name}))
    (item,) = play(at(installed, moved) / NEWEST)["items"]
    assert Path(item["takes"][0]["path"]) == moved / newest_of(outbox).name


def test_a_clip_whose_recipe_is_damaged_is_inserted_all_the_same(
    installed: Path, outbox: Path, tmp_path: Path
) -> None:
    copy = changed(outbox, tmp_path)
    (copy / newest_of(outbox).name).with_suffix(".json").write_text('{"seed": ')
    for script in (NEWEST, TAKES):
        (item,) = play(at(installed, copy) / script)["items"]
        assert [take["P_NAME"] for take in item["takes"]] == ["door knock"]


def test_troubles_are_told_in_a_sentence_and_change_nothing(
    installed: Path, outbox: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "latest.json").write_text("[1, 2")
    gone = tmp_path / "gone"
    gone.mkdir()
    (gone / "latest.json").write_text(json.dumps({"clip": "/nowhere/a.wav"}))
    for project in (
        play(installed / NEWEST, tracks=0),
        play(at(installed, empty) / NEWEST, answer=str(empty)),
        play(at(installed, broken) / NEWEST),
        play(at(installed, gone) / TAKES),
    ):
        assert project["items"] == [] and project["undo"] == []
        (sentence,) = project["boxes"]
        assert_sentence(sentence)


def test_the_folder_is_asked_for_once(installed: Path, outbox: Path) -> None:
    (installed / command.OUTBOX_NOTE).unlink()
    project = play(installed / NEWEST, answer=str(outbox))
    assert project["asked"] == 1 and project["kept"] == str(outbox) and len(project["items"]) == 1
    project = play(installed / NEWEST, told=str(outbox))
    assert project["asked"] == 0 and len(project["items"]) == 1
    assert play(installed / NEWEST, answer="")["boxes"] == []  # whoever cancels knows it


READ = """
local json = dofile(arg[1])
local function same(value)
  if value == json.null then return "null" end
  if type(value) == "string" then
    return '"' .. value:gsub('[%c"\\\\\\127]', function(s) return string.format("\\\\u%04x", s:byte()) end) .. '"'
  end
  if type(value) ~= "table" then return math.type(value) == "float" and string.format("%.17g", value) or tostring(value) end
  local parts = {}
  if value[1] ~= nil or next(value) == nil then
    for _, one in ipairs(value) do parts[#parts + 1] = same(one) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  for key, one in pairs(value) do parts[#parts + 1] = same(key) .. ":" .. same(one) end
  return "{" .. table.concat(parts, ",") .. "}"
end
for line in io.lines() do
  local good, value = pcall(json.decode, line)
  print(good and same(value) or "BAD " .. tostring(value))
end
"""

plain = some.recursive(
    some.none() | some.booleans() | some.integers(-(2**63), 2**63 - 1) | some.text()
    | some.floats(allow_nan=False, allow_infinity=False),
    # Lua knows no empty object beside the empty list.
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(), inner, min_size=1, max_size=4),
    max_leaves=12,
)  # fmt: skip


def through_lua(lines: list[str]) -> list[str]:
    needs(LUA)
    script = Path(command.__file__).parent.parent / "hosts" / "reaper" / "vocaldm_json.lua"
    with tempfile.TemporaryDirectory() as folder:
        code = Path(folder) / "read.lua"
        code.write_text(READ)
        done = subprocess.run(
            [LUA, str(code), str(script)], input="\n".join(lines) + "\n", capture_output=True, text=True,
            timeout=60, encoding="utf-8",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[: len(lines)]


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(some.lists(plain, min_size=20, max_size=60), some.booleans())
def test_json_is_read_as_python_wrote_it(values: list[Any], ascii: bool) -> None:
    lines = [json.dumps(value, ensure_ascii=ascii) for value in values]
    lines = [line for line in lines if "\n" not in line and "\r" not in line]
    for line, got in zip(lines, through_lua(lines), strict=True):
        assert json.loads(got) == json.loads(line), line


def test_what_is_no_json_is_refused() -> None:
    bad = [
        "{",
        "[1,]",
        '{"a" 1}',
        '"open',
        "nul",
        "01",
        "1 2",
        '{"a":1,}',
        "tru",
        '"\\q"',
        '"\\u12"',
        "-",
        "[" * 200,
    ]
    assert [got[:4] for got in through_lua(bad)] == ["BAD "] * len(bad)


def test_the_command_copies_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = tmp_path / "REAPER" / "Scripts"
    monkeypatch.setattr(command, "usual_folder", lambda: usual)
    said = run(capsys, "hosts", "reaper")
    assert said.code == 2 and said.is_one_sentence() and str(usual.parent) in said.err
    usual.parent.mkdir(parents=True)
    said = run(capsys, "hosts", "reaper", "--outbox", str(tmp_path / "clips"))
    assert said.code == 0 and str(usual / "VocalDM") in said.out
    there = {path.name for path in (usual / "VocalDM").iterdir()}
    assert there == {NEWEST, TAKES, "vocaldm_clips.lua", "vocaldm_json.lua", command.OUTBOX_NOTE}
    assert (usual / "VocalDM" / command.OUTBOX_NOTE).read_text() == f"{tmp_path / 'clips'}\n"
