"""The gate: where voices begin and end, in quiet rooms and in loud ones."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rooms

from vocaldm_live.listen import noise_floor
from vocaldm_live.listen.gate import Gate, GateError, GateSettings, Segment

RATE = rooms.RATE


def hiss(seconds: float, level: float = 0.001, seed: int = 0) -> np.ndarray:
    return level * rooms.noise("pink", seconds, seed)


def voice(seconds: float, level: float = 0.2) -> np.ndarray:
    """A tone that wobbles in pitch and level as voices do, faded at the ends."""
    times = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * (220 * times + 6 * np.sin(2 * np.pi * 5 * times))
    tone = sum(np.sin(k * phase) / k for k in range(1, 12)) * (1 + 0.5 * np.sin(2 * np.pi * 3.3 * times))
    edge = np.minimum(1, np.minimum(times, times[::-1]) / 0.01)
    return (level * tone * edge / 2).astype(np.float32)


def put(room: np.ndarray, at: float, sound: np.ndarray) -> np.ndarray:
    start = int(at * RATE)
    room[start : start + len(sound)] += sound
    return room


def feed(gate: Gate, samples: np.ndarray, start: int = 0, block: int = 1024) -> list[Segment]:
    found = []
    for at in range(0, len(samples), block):
        found += gate.feed(start + at, samples[at : at + block])
    return found


def seconds(segments: Iterable[Segment]) -> list[tuple[float, float]]:
    return [(segment.start / RATE, segment.stop / RATE) for segment in segments]


def test_a_voice_in_a_quiet_room_is_one_segment_with_its_pre_roll() -> None:
    settings = GateSettings()
    samples = put(hiss(4), 1.5, voice(0.6))
    (found,) = feed(Gate(RATE, settings, listening=True), samples)
    assert found.cause == "voice"
    assert found.start / RATE == pytest.approx(1.5 - settings.voice_pre_roll, abs=0.04)
    assert found.stop / RATE == pytest.approx(2.1 + settings.voice_post_roll, abs=0.04)
    assert 2.1 + settings.hangover <= found.decided / RATE + 0.04 <= 2.1 + settings.longest_hangover + 0.08


@pytest.mark.parametrize("block", [1, 64, 441, 5000])
def test_the_length_of_blocks_changes_nothing(block: int) -> None:
    samples = put(hiss(2.5), 0.8, voice(0.4))
    want = feed(Gate(RATE, listening=True), samples, block=1024)
    got = feed(Gate(RATE, listening=True), samples, block=block)
    assert [(s.start, s.stop) for s in got] == [(s.start, s.stop) for s in want]
    assert len(want) == 1


@pytest.mark.parametrize("rate", [16000, 22050, 44100, 96000])
def test_other_sample_rates(rate: int) -> None:
    samples = put(hiss(3), 1.0, voice(0.5))
    slower = np.interp(np.arange(int(3 * rate)) / rate, np.arange(len(samples)) / RATE, samples)
    gate = Gate(rate, listening=True)
    found = feed(gate, slower.astype(np.float32))
    assert [(s.start / rate, s.stop / rate) for s in found] == [
        (pytest.approx(0.85, abs=0.05), pytest.approx(1.6, abs=0.05))
    ]


def test_a_short_pause_does_not_split_and_a_long_one_does() -> None:
    samples = put(put(put(hiss(7), 1, voice(0.5)), 1.8, voice(0.5)), 4, voice(0.5))
    found = seconds(feed(Gate(RATE, listening=True), samples))
    assert found == [
        (pytest.approx(0.85, abs=0.04), pytest.approx(2.4, abs=0.04)),
        (pytest.approx(3.85, abs=0.04), pytest.approx(4.6, abs=0.04)),
    ]


def test_longer_gestures_may_pause_longer() -> None:
    pause = 0.6
    short = put(put(hiss(5), 1, voice(0.3)), 1.3 + pause, voice(0.3))
    long = put(put(hiss(8), 1, voice(2.5)), 3.5 + pause, voice(0.3))
    assert len(feed(Gate(RATE, listening=True), short)) == 2
    assert len(feed(Gate(RATE, listening=True), long)) == 1


def test_what_is_too_short_is_no_imitation() -> None:
    click = hiss(2)
    click[RATE : RATE + 200] += 0.3
    assert feed(Gate(RATE, listening=True), click) == []


def test_an_endless_sound_ends_at_the_longest_length() -> None:
    settings = GateSettings(longest=2.0)
    samples = put(hiss(8), 1, voice(6))
    found = feed(Gate(RATE, settings, listening=True), samples)
    assert found and all(segment.stop - segment.start <= 2.0 * RATE + 0.2 * RATE for segment in found)
    starts = [segment.start for segment in found]
    assert all(after >= before.stop for before, after in zip(found, starts[1:], strict=False))


def test_nothing_is_heard_while_it_does_not_listen_or_is_muted() -> None:
    samples = put(put(hiss(8), 1, voice(1)), 5, voice(0.5))
    assert feed(Gate(RATE, listening=False), samples) == []
    gate = Gate(RATE, listening=True)
    gate.mute(0, int(2.2 * RATE))
    assert [a for a, _ in seconds(feed(gate, samples))] == [pytest.approx(4.85, abs=0.04)]


def test_an_audition_that_ends_early_is_not_waited_for() -> None:
    samples = put(hiss(6), 4, voice(0.5))
    gate = Gate(RATE, listening=True)
    gate.mute(0, 60 * RATE)
    assert feed(gate, samples[: 2 * RATE]) == []
    gate.unmute(2 * RATE)
    (found,) = feed(gate, samples[2 * RATE :], 2 * RATE)
    assert found.start / RATE == pytest.approx(3.85, abs=0.04)


def test_an_audition_that_begins_while_the_gate_is_open_drops_what_it_hears() -> None:
    samples = put(hiss(4), 1, voice(2))
    gate = Gate(RATE, listening=True)
    before = feed(gate, samples[: int(1.5 * RATE)])
    assert gate.open
    gate.mute(int(1.5 * RATE), int(3.5 * RATE))
    assert before + feed(gate, samples[int(1.5 * RATE) :], int(1.5 * RATE)) == []


def test_push_to_talk_keeps_its_pre_roll_and_post_roll() -> None:
    gate = Gate(RATE, listening=True)
    samples = put(hiss(4), 1.2, voice(0.5))
    found = feed(gate, samples[: int(1.25 * RATE)])
    gate.press(int(1.25 * RATE))
    assert gate.talking
    found += feed(gate, samples[int(1.25 * RATE) : 2 * RATE], int(1.25 * RATE))
    gate.release(2 * RATE)
    found += feed(gate, samples[2 * RATE :], 2 * RATE)
    assert [(s.start, s.stop, s.cause) for s in found] == [
        (int(0.95 * RATE), int(2.15 * RATE), "talk"),
    ]
    assert not gate.talking


def test_push_to_talk_works_while_muted_and_ends_at_the_longest_length() -> None:
    gate = Gate(RATE, GateSettings(longest=1.0))
    gate.mute(0, 100 * RATE)
    feed(gate, hiss(1))
    gate.press(RATE)
    (found,) = feed(gate, hiss(3), RATE)
    assert (found.start, found.stop) == (int(0.7 * RATE), int(1.7 * RATE))


def test_a_lost_stream_keeps_what_was_being_said() -> None:
    gate = Gate(RATE, listening=True)
    assert feed(gate, put(hiss(2), 1, voice(1))) == []
    (found,) = gate.interrupt()
    assert (found.start / RATE, found.stop / RATE) == (pytest.approx(0.85, abs=0.03), 2.0)
    gate.press(2 * RATE)
    feed(gate, hiss(0.5), 2 * RATE)
    (held,) = gate.interrupt()
    assert (held.cause, held.stop) == ("talk", int(2.5 * RATE))


def test_lost_samples_end_what_was_open_and_the_gate_goes_on() -> None:
    gate = Gate(RATE, listening=True)
    found = feed(gate, put(hiss(2), 1, voice(1)))
    later = 10 * RATE
    found += feed(gate, put(hiss(3), 1, voice(0.5)), later)
    assert [s.start // RATE for s in found] == [0, 10]
    assert found[0].stop == 2 * RATE


@pytest.mark.parametrize("kind", rooms.NOISES)
def test_a_room_that_gets_louder_is_nothing(kind: str) -> None:
    samples = 0.002 * rooms.noise(kind, 14, seed=3)
    samples[5 * RATE :] *= 4
    gate = Gate(RATE, listening=True)
    assert feed(gate, samples, block=4096) == [] and gate.dropped_steady == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", rooms.NOISES)
@pytest.mark.parametrize("level", [0.0005, 0.05])
def test_noise_alone_is_nothing(kind: str, level: float) -> None:
    gate = Gate(RATE, listening=True)
    assert feed(gate, level * rooms.noise(kind, 60, seed=4), block=4096) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", rooms.NOISES)
def test_noise_that_changes_its_level_is_nothing(kind: str) -> None:
    samples, times = 0.002 * rooms.noise(kind, 60, seed=5), np.arange(60 * RATE) / RATE
    steps = np.repeat([0, 6, 0, 12, 6, 20, 0, 10, -6, 0], 6 * RATE)
    bursts = np.repeat([0, 0, 10, 0, 0, 20, 0, 0, 30, 0], 6 * RATE // 3)
    drift = 10 * np.sin(2 * np.pi * times / 20)
    for course in (steps, np.tile(bursts, 3), drift):
        gate = Gate(RATE, listening=True)
        assert feed(gate, (samples * 10 ** (course / 20)).astype(np.float32), block=4096) == []
        assert gate.dropped_steady > 0, "the levels were meant to be changed enough to be noticed"


def test_a_held_tone_is_a_gesture_and_an_endless_one_is_a_machine() -> None:
    times = np.arange(12 * RATE) / RATE
    tone = (0.05 * np.sin(2 * np.pi * 1800 * times)).astype(np.float32)
    whistled = put(hiss(6), 1, tone[: int(2.5 * RATE)])
    (found,) = feed(Gate(RATE, listening=True), whistled)
    assert found.start / RATE == pytest.approx(0.85, abs=0.04)
    gate = Gate(RATE, listening=True)
    assert feed(gate, put(hiss(15), 1, tone)) == [] and gate.dropped_steady == 1


def test_a_voice_is_heard_after_the_room_has_become_louder() -> None:
    samples = hiss(12, 0.001)
    samples[4 * RATE :] *= 10
    found = seconds(feed(Gate(RATE, listening=True), put(samples, 9, voice(0.8))))
    assert [round(start) for start, _ in found] == [9]


def test_thresholds_out_of_range_are_refused() -> None:
    for wrong in (
        {"open_db": 90.0},
        {"hangover": -1.0},
        {"close_db": 12.0},
        {"longest_hangover": 0.1},
        {"pre_roll": "long"},
    ):
        with pytest.raises(GateError, match="gate: "):
            GateSettings(**wrong)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("kind", rooms.NOISES)
def test_real_imitations_in_real_noise(test_data: Path, kind: str) -> None:
    """Run `PYTHONPATH=. python tests/rooms.py FOLDER` for the whole table."""
    spoken = rooms.voices(test_data / "imitations")
    assert len(spoken) >= 8
    split = 0
    for snr in (40, 20, 10):
        samples, places = rooms.stream(spoken, kind, snr)
        result = rooms.count(rooms.heard(samples), places, samples)
        assert result.false == 0
        assert result.misses <= (0 if snr >= 20 else 1), f"{snr} dB: {result}"
        split += result.splits
    assert split <= 3


def test_a_floor_is_known_only_once_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the third block and its floor another thread took the lowest there is, and all noise for a sound."""
    floor = noise_floor.NoiseFloor(3, 2.0)
    quantile, seen = np.quantile, []

    def looked(*given: Any, **named: Any) -> np.ndarray:
        seen.append((floor.warm, float(floor.powers[0])))
        return quantile(*given, **named)

    monkeypatch.setattr(noise_floor.np, "quantile", looked)
    for _ in range(noise_floor.WARM_BLOCKS * noise_floor.BLOCK_FRAMES):
        floor.hear(np.full(3, 1e-4))
    assert seen == [(False, noise_floor.LOWEST_FLOOR)]
    assert floor.warm and floor.powers == pytest.approx(1e-4)
    floor.forget()
    assert not floor.warm
    floor.replace([np.full(3, 1e-5)] * noise_floor.WARM_BLOCKS)
    assert floor.warm and floor.powers == pytest.approx(1e-5)
    floor.replace([np.full(3, 1e-5)])
    assert not floor.warm
