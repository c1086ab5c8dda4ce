"""Small data sets for tests: sounds that differ, laid out as others lay them out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile


def burst(number: int, seconds: float = 0.2, rate: int = 16000, level: float = 0.5) -> np.ndarray:
    """A sound of its own for every number, float32 [n]: filtered noise with an envelope and a tone."""
    draw = np.random.default_rng(number)
    size = round(seconds * rate)
    times = np.arange(size) / rate
    tone = np.sin(2 * np.pi * draw.uniform(200, 3000) * times)
    noise = np.convolve(draw.normal(size=size), np.ones(1 + number % 7), "same")
    shape = np.interp(np.linspace(0, 1, size), np.linspace(0, 1, 8), draw.uniform(0.05, 1, 8))
    sound = (tone + 0.5 * noise) * shape
    return (level * sound / np.abs(sound).max()).astype(np.float32)


def put(path: Path, samples: np.ndarray | int, rate: int = 16000) -> Path:
    """Write samples, or the burst of a number, as a WAV file of 32-bit floats."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = burst(samples, rate=rate) if isinstance(samples, int) else samples
    soundfile.write(path, sound, rate, subtype="FLOAT", format="WAV")
    return path


def vimsketch(folder: Path) -> Path:
    """Three references, four imitations."""
    for number, key in enumerate(("001Saw (fast)", "002-wind_whistling-everyday", "003-bell")):
        put(folder / "references" / f"{number + 1:03d}_{key}.wav", number)
        put(folder / "vocal_imitations" / f"{number + 11:05d}_{key}.wav", 10 + number)
    put(folder / "vocal_imitations" / "00099_003-bell.wav", 20)
    return folder


def qvim_dev(folder: Path) -> Path:
    """Two classes, three items, four queries, in a folder below as it is unpacked."""
    place = folder / "qvim-dev"
    for number, name in enumerate(("Rain/soft", "Rain/hard", "Birds/tit")):
        put(place / "Items" / f"{name}.wav", number)
        put(place / "Queries" / f"{name}_q1.wav", 10 + number)
    put(place / "Queries" / "Birds" / "tit_q2.wav", 20)
    (place / "DEV Dataset.csv").write_text(
        "Label,,,Queries,,\nLabel,Class,Items,Query 1,Query 2,Query 3\n"
        "1,Rain,soft.wav,soft_q1.wav,,\n2,Rain,hard.wav,hard_q1.wav,,\n3,Birds,tit.wav,tit_q1,tit_q2.wav,\n"
    )
    return folder


def audioldm(folder: Path) -> Path:
    """A root file with one set of two splits and a table of classes, with paths as their authors write them."""
    sounds = folder / "data" / "dataset" / "sounds"
    metadata = folder / "data" / "dataset" / "metadata"
    for number in range(5):
        put(sounds / "zip" / f"{number}.wav", number)
    (metadata / "lists").mkdir(parents=True)
    train = [
        {"wav": "zip/0.wav", "caption": "a door", "caption_long": "a wooden door", "labels": "/m/1,/m/2"},
        {"wav": "zip/1.wav", "caption": ["rain", "more rain"], "label": "/m/2", "seg_label": ""},
        {"wav": "/zip/2.wav", "caption": "", "labels": ""},
        {"wav": "zip/gone.wav", "caption": "nothing", "labels": "/m/1"},
    ]
    test = [
        {"wav": "zip/3.wav", "caption": "a bell", "labels": "/m/9"},
        {"wav": "zip/4.wav"},
        {"caption": "?"},
    ]
    (metadata / "lists" / "train.json").write_text(json.dumps({"data": train}))
    (metadata / "lists" / "test.json").write_text(json.dumps({"data": test}))
    (metadata / "classes.csv").write_text('index,mid,display_name\n0,/m/1,Door\n1,/m/2,"Rain, light"\n')
    paths = {
        "train": "data/dataset/metadata/lists/train.json",
        "test": "data/dataset/metadata/lists/test.json",
        "val": "",
        "class_label_indices": "data/dataset/metadata/classes.csv",
    }
    root = {"clips": "data/dataset/sounds", "comments": {}, "metadata": {"path": {"clips": paths}}}
    (metadata / "dataset_root.json").write_text(json.dumps(root))
    return folder
