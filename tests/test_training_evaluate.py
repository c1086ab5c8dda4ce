"""`vocaldm-train evaluate` as a person calls it: runs in one table and page, done ones skipped, troubles in a sentence."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from tiny import assert_sentence

import training.judging
from training.cli import main
from training.gathering import digests, find_sounds, gather
from training.listeners import listener
from training.report.page import Page
from training.runs import find_runs, paired, read_imitations
from vocaldm_live.sound.audio import read_sound

RATE = 16000
WORDS = "a <b>bell</b>"


def bell(number: int, seconds: float = 0.6) -> np.ndarray:
    """Partials that die away, another chord for each number."""
    time = np.arange(int(seconds * RATE)) / RATE
    low = 180.0 * 1.09**number
    partials = [np.sin(2 * np.pi * low * ratio * time) / ratio for ratio in (1.0, 2.4, 3.9, 5.1)]
    return 0.25 * sum(partials) * np.exp(-time * (3 + number % 4))


def vocoded(sound: np.ndarray, late: int = 160) -> np.ndarray:
    """A sound as a vocoder might give it back: late, a little dull, a little noisy."""
    dull = np.convolve(sound, [0.2, 0.6, 0.2], mode="same")
    noise = 2e-4 * np.random.default_rng(5).standard_normal(sound.size)
    return np.concatenate([np.zeros(late), dull + noise])


def hum(number: int) -> np.ndarray:
    """A voice that rises and falls in loudness."""
    time = np.arange(int(0.6 * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * (110 + 5 * number) * k * time) / k for k in range(1, 12))
    return 0.1 * tone * np.exp(-time * (3 + number % 4))


def write(folder: Path, sounds: dict[str, np.ndarray]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, samples in sounds.items():
        soundfile.write(folder / f"{name}.wav", samples, RATE)
    return folder


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reference bells; runs: as a vocoder gives them back, shuffled, noise, silent; voices for each bell."""
    folder = tmp_path_factory.mktemp("bench")
    count = 12
    write(folder / "reference", {f"bell{n:02}": bell(n) for n in range(count)})
    write(folder / "runs" / "resynthesis", {f"bell{n:02}": vocoded(bell(n)) for n in range(count)})
    write(folder / "runs" / "shuffled", {f"bell{n:02}": vocoded(bell((n + 5) % count)) for n in range(count)})
    draw = np.random.default_rng(7)
    write(folder / "runs" / "noise", {f"bell{n:02}": 0.1 * draw.standard_normal(9600) for n in range(count)})
    write(folder / "runs" / "silent", {f"bell{n:02}": np.zeros(9600) for n in range(count)})
    write(folder / "voices" / "imitations", {f"bell{n:02}": hum(n) for n in range(count)})
    write(folder / "voices" / "references", {f"bell{n:02}": bell(n) for n in range(count)})
    return folder


@pytest.fixture(scope="module")
def evaluated(bench: Path) -> dict[str, Any]:
    code = main(arguments(bench, "--imitations", str(bench / "voices"), "--study", "--shown", "1"))
    assert code == 1  # of a silent run neither every curve nor a study of 12 clips can be had
    report: dict[str, Any] = json.loads((bench / "out" / "evaluation.json").read_text())
    return report


def arguments(bench: Path, *more: str) -> list[str]:
    out = [] if "--out" in more else ["--out", str(bench / "out")]
    return ["evaluate", str(bench / "runs"), "--reference", str(bench / "reference"), *out, *more]


def by_name(report: dict[str, Any], part: str = "runs") -> dict[str, Any]:
    return {one["name"]: one for one in report[part]}


@pytest.mark.slow
def test_shuffled_noise_and_silence_score_worse_than_resynthesis(evaluated: dict[str, Any]) -> None:
    """Sets do not see the shuffling, pairs do; nothing is better than what came out of the true sounds."""
    runs = by_name(evaluated)
    assert set(runs) == {f"runs/{name}" for name in ("resynthesis", "shuffled", "noise", "silent")}
    best = runs["runs/resynthesis"]
    own, distance = best["pairs"]["lsd_db"]["value"], best["listeners"]["fingerprint"]
    for name in ("noise", "silent"):
        other = runs[f"runs/{name}"]["listeners"]["fingerprint"]
        assert other["kad"]["low"] > distance["kad"]["high"]
        assert other["fad"]["value"] > 2 * distance["fad"]["value"]
    for name in ("shuffled", "noise", "silent"):
        assert runs[f"runs/{name}"]["pairs"]["lsd_db"]["low"] > own + 3
    assert best["pairs"]["lsd_lag_ms"]["value"] == pytest.approx(10.0, abs=1.0)
    assert (best["silent"], runs["runs/silent"]["silent"]) == (0, 12)
    found = {name: one["retrieval"] for name, one in runs.items() if one["retrieval"]}
    assert found["runs/resynthesis"]["mrr"] == 1.0 and found["runs/shuffled"]["mrr"] < 0.5
    assert best["following"]["loudness_r"]["median"] > 0.9


@pytest.mark.slow
def test_anchors_say_what_a_figure_is_worth(evaluated: dict[str, Any]) -> None:
    anchors = by_name(evaluated, "anchors")
    assert list(anchors) == ["reference, one half", "imitations", "silence"]
    kad = {name: one["listeners"]["fingerprint"]["kad"] for name, one in anchors.items()}
    assert kad["reference, one half"]["high"] < kad["imitations"]["low"]
    assert kad["imitations"]["value"] < kad["silence"]["value"]


@pytest.mark.slow
def test_the_page_holds_everything_and_fetches_nothing(evaluated: dict[str, Any], bench: Path) -> None:
    page = (bench / "out" / "index.html").read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="(?!data:)', page) and "http" not in page
    assert page.count("data:audio/flac;base64,") == 4 * 3  # imitation, clip and reference of one clip a run
    assert page.count("data:image/png;base64,") >= 4
    for name in by_name(evaluated):
        assert f"<h2>{name}</h2>" in page
    rows = list(csv.DictReader((bench / "out" / "evaluation.csv").read_text().splitlines()))
    assert rows[0]["run"] in ("runs/resynthesis", "runs/shuffled") and rows[-1]["anchor"] == "yes"
    assert float(rows[0]["fingerprint: KAD, low"]) <= float(rows[0]["fingerprint: KAD"])


@pytest.mark.slow
def test_what_is_done_is_skipped_until_something_it_rests_on_changes(
    bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = shutil.ignore_patterns("bell0[6-9].wav", "bell1*.wav", "shuffled")
    for name in ("reference", "runs"):
        shutil.copytree(bench / name, tmp_path / name, ignore=few)
    measured: list[str] = []
    true_run = training.judging.Judge.run

    def run(self: Any, name: str, *rest: Any) -> dict[str, Any]:
        measured.append(name)
        return true_run(self, name, *rest)

    monkeypatch.setattr(training.judging.Judge, "run", run)

    def call(*more: str) -> list[str]:
        measured.clear()
        assert main(arguments(tmp_path, "--shown", "0", *more)) == 0, capsys.readouterr().err
        return sorted(measured)

    everything = [f"runs/{name}" for name in ("noise", "resynthesis", "silent")]
    assert call() == everything
    first = (tmp_path / "out" / "evaluation.csv").read_text()
    assert call() == []
    assert (tmp_path / "out" / "evaluation.csv").read_text() == first
    soundfile.write(tmp_path / "runs" / "noise" / "bell00.wav", bell(3), RATE)
    assert call() == ["runs/noise"]
    assert (tmp_path / "out" / "evaluation.csv").read_text() != first
    (next((tmp_path / "out" / "runs").glob("runs_silent*"))).write_text("{")
    assert call() == ["runs/silent"]
    assert call("--seed", "1") == everything
    write(tmp_path / "reference", {"another": bell(20)})
    assert call("--seed", "1") == everything
    assert call("--seed", "1", "--fresh") == everything


def test_a_sound_is_heard_once_and_a_damaged_cache_is_no_trouble(bench: Path, tmp_path: Path) -> None:
    one = listener("fingerprint")
    heard: list[int] = []

    class Counting(type(one)):  # type: ignore[misc]
        def windows(self, samples: np.ndarray) -> np.ndarray:
            heard.append(len(samples))
            return super().windows(samples)

    sounds = digests(find_sounds(bench / "reference"), pytest.fail)
    first = gather(sounds, Counting(), tmp_path)
    assert len(heard) == 12
    shutil.copy(bench / "reference" / "bell00.wav", tmp_path / "renamed.wav")
    again = gather([*sounds, *digests([tmp_path / "renamed.wav"], pytest.fail)], Counting(), tmp_path)
    assert len(heard) == 12
    np.testing.assert_array_equal(again.vectors, np.concatenate([first.vectors, first.vectors[:1]]))
    kept = sorted(tmp_path.rglob("*.npz"))
    assert len(kept) == 12
    kept[0].write_bytes(kept[0].read_bytes()[:100])
    kept[1].write_bytes(b"")
    np.savez(kept[2], vector=np.array([{"a": 1}], dtype=object))  # would be a pickle: not read
    after = gather(sounds, Counting(), tmp_path)
    assert len(heard) == 15
    np.testing.assert_array_equal(after.vectors, first.vectors)


def test_clips_find_what_belongs_to_them(bench: Path, tmp_path: Path) -> None:
    """By the recipe beside them, else by name; a name that only begins alike is not the same."""
    imitations = read_imitations(bench / "voices", pytest.fail)
    voice = imitations.by_name["bell03"]
    write(
        tmp_path,
        {"Odd Name_0001": bell(1), "bell04_clip": bell(1), "bell1": bell(1), "bell05 again": bell(1)},
    )
    recipe = {"imitation_sha256": read_sound(voice.imitation).digest(), "text": WORDS}
    (tmp_path / "Odd Name_0001.json").write_text(json.dumps(recipe))
    (tmp_path / "bell1.json").write_text("[1, 2]")
    found = {
        one.path.stem: paired(one, imitations, []) for one in digests(find_sounds(tmp_path), pytest.fail)
    }
    assert found["Odd Name_0001"].imitation == voice.imitation
    assert found["Odd Name_0001"].reference == voice.reference
    assert found["Odd Name_0001"].words == WORDS
    assert found["bell04_clip"].imitation == imitations.by_name["bell04"].imitation
    assert found["bell05 again"].imitation == imitations.by_name["bell05"].imitation
    assert found["bell1"].imitation is None
    plain = paired(found["bell04_clip"].heard, None, find_sounds(bench / "reference"))
    assert plain.reference == bench / "reference" / "bell04.wav"


def test_runs_are_folders_with_sounds_in_them(tmp_path: Path) -> None:
    for name in ("a", "a/b", "c d/é", ".hidden", "out/cache"):
        write(tmp_path / "all" / name, {"x": bell(0)})
    (tmp_path / "all" / "empty").mkdir()
    found = find_runs([tmp_path / "all"], tmp_path / "all" / "out")
    assert list(found) == ["all/a", "all/a/b", "all/c d/é"]


def test_a_page_takes_any_text_and_curves_of_csv(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("step,loss,rate\n1,2.0,\n2,1.5,0.1\n3,nan,0.2\n")
    page = Page(tmp_path / "page.html", "Run <1> & more \udce9")
    page.text('<script>alert("1")</script>')
    page.table(("a", "b<"), [("1", "2&")])
    page.sound("<loud>", np.array([0.0, 2.0, -2.0]), RATE)
    page.curve(tmp_path / "train.csv", ("loss", "rate"))
    said = page.write().read_text(encoding="utf-8")
    assert "<script>" not in said and "&lt;loud&gt;" in said and "b&lt;" in said
    assert said.count("data:image/png") == 1 and not list(tmp_path.glob(".*"))
    for wrong in (
        lambda: page.curve(tmp_path / "train.csv", ("none",)),
        lambda: page.curve(tmp_path, ("a",)),
    ):
        with pytest.raises(Exception, match=r"\.$"):
            wrong()


Change = Callable[[Path], list[str]]


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (lambda at: ["--listener", "ears"], 2, "There is no listener ears"),
        (lambda at: ["--listener", "panns"], 2, "--weights panns=FILE"),
        (lambda at: ["--weights", "panns"], 2, "--weights NAME=FILE"),
        (lambda at: ["--weights", "panns=x.pth"], 2, "add --listener panns"),
        (lambda at: ["--reference", str(at / "none")], 1, "is not a folder"),
        (lambda at: ["--reference", str(at / "few")], 1, "at least 6"),
        (lambda at: ["--imitations", str(at / "none")], 1, "is not a folder"),
        (lambda at: ["--out", str(at / "file" / "out")], 1, "another folder"),
        (lambda at: ["--shown", "-1"], 2, "--shown"),
    ],
)
def test_a_trouble_is_one_sentence(
    bench: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Change, code: int, said: str
) -> None:
    write(tmp_path / "few", {f"s{n}": bell(n) for n in range(5)})
    (tmp_path / "file").write_text("")
    more = change(tmp_path)
    assert main(arguments(bench, *([] if "--out" in more else ["--out", str(tmp_path / "o")]), *more)) == code
    err = capsys.readouterr().err.strip()
    assert said in err
    if code == 1:
        assert_sentence(re.sub(r"\S*/\S*", "PLACE", err))


@pytest.mark.slow
def test_bad_files_are_told_and_the_rest_is_measured(
    bench: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Corrupt, empty, one sample, another rate, unicode: each its sentence or simply heard; a run of two is left out."""
    run = write(tmp_path / "runs" / "mixed", {"bell00": bell(0), "glocke é": bell(1), "bell02": bell(2)})
    (run / "corrupt.wav").write_bytes(b"RIFF0000WAVEjunk")
    (run / "empty.wav").write_bytes(b"")
    soundfile.write(run / "one.wav", [0.5], RATE)
    soundfile.write(run / "stereo.flac", np.stack([bell(3), bell(4)], axis=1), 44100)
    write(tmp_path / "runs" / "pair", {"a": bell(0), "b": bell(1)})
    for part in ("imitations", "references"):
        shutil.copytree(bench / "voices" / part, tmp_path / "voices" / part)
    (tmp_path / "voices" / "imitations" / "bell00.wav").write_bytes(b"RIFF")
    (tmp_path / "voices" / "references" / "bell02.wav").write_bytes(b"RIFF")
    shutil.copytree(bench / "reference", tmp_path / "reference")
    (tmp_path / "reference" / "glocke é.wav").write_bytes(b"RIFF")
    code = main(
        [
            "evaluate",
            "--imitations",
            str(tmp_path / "voices"),
            str(tmp_path / "runs"),
            "--reference",
            str(tmp_path / "reference"),
            "--out",
            str(tmp_path / "o"),
        ]
    )
    captured = capsys.readouterr()
    assert code == 1
    told = captured.err.splitlines()
    assert len(told) == 6 and all(line.endswith(".") for line in told)
    assert [name for name in ("corrupt.wav", "empty.wav", "runs/pair") if name not in captured.err] == []
    report = json.loads((tmp_path / "o" / "evaluation.json").read_text())
    assert by_name(report)["runs/mixed"]["clips"] == 5 and len(report["problems"]) == 6
