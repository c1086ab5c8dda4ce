"""Store: an array that was kept is there again, whoever was killed meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from data_sets import put
from disks import small_disk

from training.data.formats import read_collection
from training.data.store import DATABASE, ENDING, Store
from training.errors import DataError

WRITER = """
import sys, numpy as np
from pathlib import Path
from training.data.store import Store
store = Store(Path(sys.argv[1]), "latent", "m")
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    store.put(str(number), np.full((number % 7 + 1, 40), number, np.float32))
    print(number, flush=True)
"""


def writer(folder: Path, begin: int, end: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), str(begin), str(end)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def right(store: Store, number: int) -> bool:
    found = store.get(str(number))
    return found is not None and found.shape == (number % 7 + 1, 40) and bool((found == number).all())


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.zeros((0, 5), np.float16),
        np.array(7, np.int64),
        np.arange(10, dtype=">i2")[::2],
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array([True, False]),
    ],
)
def test_what_is_put_is_got(tmp_path: Path, array: np.ndarray) -> None:
    Store(tmp_path, "latent", "m").put("key", array)
    found = Store(tmp_path, "latent", "m").get("key")
    assert found is not None and found.shape == array.shape
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype.newbyteorder("<") and not found.flags.writeable


def test_kinds_makers_and_keys_are_apart(tmp_path: Path) -> None:
    one, other, third = (Store(tmp_path, *names) for names in (("a", "m"), ("a", "n"), ("b", "m")))
    one.put("key", np.ones(3))
    assert "key" in one and "key" not in other and "key" not in third and other.get("key") is None
    third.put("key", np.zeros(2))
    one.put("key", np.full(4, 2.0))
    assert one.get("key").tolist() == [2, 2, 2, 2] and third.get("key").tolist() == [0, 0]  # type: ignore[union-attr]
    assert (len(one), len(other), len(third)) == (1, 0, 1)
    with pytest.raises(ValueError):
        one.put("key", np.array([object()]))


def test_a_key_of_content_survives_renaming(tmp_path: Path) -> None:
    sounds = tmp_path / "sounds"
    put(sounds / "before.wav", 1)
    before = read_collection(str(sounds))
    Store(tmp_path / "cache", "embedding", "m").put(before.content_key(before.items[0]), np.arange(3))
    shutil.move(sounds, tmp_path / "moved")
    os.rename(tmp_path / "moved" / "before.wav", tmp_path / "moved" / "after.wav")
    after = read_collection(str(tmp_path / "moved"))
    store = Store(tmp_path / "cache", "embedding", "m")
    assert store.get(after.content_key(after.items[0])) is not None
    put(tmp_path / "moved" / "after.wav", 2)
    assert after.content_key(after.items[0]) not in store


def test_a_killed_writer_leaves_whole_arrays(tmp_path: Path) -> None:
    process = writer(tmp_path, 0, 10**6)
    assert process.stdout is not None
    done = [int(process.stdout.readline()) for _ in range(60)]
    process.send_signal(signal.SIGKILL)
    process.wait()
    store = Store(tmp_path, "latent", "m")
    assert all(right(store, number) for number in done)
    store.put("0", np.zeros((1, 40)))
    assert right(store, 0) and right(store, done[-1])


def test_two_writers_at_once(tmp_path: Path) -> None:
    processes = [writer(tmp_path, begin, begin + 80) for begin in (0, 60)]
    here = Store(tmp_path, "latent", "m")
    threads = [
        threading.Thread(
            target=here.put, args=(str(number), np.full((number % 7 + 1, 40), number, np.float32))
        )
        for number in range(1000, 1030)
    ]
    for thread in threads:
        thread.start()
    assert [process.communicate() and process.returncode for process in processes] == [0, 0]
    for thread in threads:
        thread.join()
    assert len(here) == 170
    assert all(right(here, number) for number in (*range(140), *range(1000, 1030)))
    assert len(list(tmp_path.glob(f"*{ENDING}"))) == 3


@pytest.mark.parametrize(
    "damage", [b"no database at all, but long enough to be looked at" * 40, b"SQLite format 3\0", "cut"]
)
def test_a_damaged_database_is_made_again_from_the_records(tmp_path: Path, damage: bytes | str) -> None:
    store = Store(tmp_path, "latent", "m")
    for number in range(200):
        store.put(str(number), np.full((number % 7 + 1, 40), number, np.float32))
    store.put("3", np.full((4, 40), 3.0))
    store.close()
    path = tmp_path / DATABASE
    assert not path.with_name(f"{DATABASE}-wal").exists()
    path.write_bytes(path.read_bytes()[:6000] if damage == "cut" else damage)  # type: ignore[arg-type]
    again = Store(tmp_path, "latent", "m")
    assert len(again) == 200 and all(right(again, number) for number in range(200))
    assert len(again.troubles) == 1 and "made again from 201 records" in again.troubles[0]
    assert Store(tmp_path, "latent", "m").troubles == []


def test_bytes_that_never_reached_the_disk_are_no_array(tmp_path: Path) -> None:
    store = Store(tmp_path, "latent", "m")
    for number in range(3):
        store.put(str(number), np.full((number % 7 + 1, 40), number, np.float32))
    store.close()
    (records,) = tmp_path.glob(f"*{ENDING}")
    data = records.read_bytes()
    records.write_bytes(data[:200] + b"\xff" + data[201:-16])
    fresh = Store(tmp_path, "latent", "m")
    assert [str(number) in fresh for number in range(3)] == [False, True, False]
    assert [fresh.get(str(number)) is not None for number in range(3)] == [False, True, False]
    fresh.put("2", np.full((3, 40), 2.0))
    assert right(fresh, 2)
    fresh.close()
    records.unlink()
    assert Store(tmp_path, "latent", "m").get("1") is None


def test_a_forked_reader_and_writer(tmp_path: Path) -> None:
    store = Store(tmp_path, "latent", "m")
    store.put("1", np.full((2, 40), 1.0))
    child = os.fork()
    if not child:
        code = 1
        try:
            store.put("2", np.full((3, 40), 2.0))
            code = 0 if right(store, 1) and right(store, 2) else 1
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    store.put("3", np.full((4, 40), 3.0))
    assert all(right(store, number) for number in (1, 2, 3))


def test_a_full_disk_is_one_sentence_and_nothing_is_lost(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "1m") as disk:
        store = Store(disk, "latent", "m")
        kept = 0
        with pytest.raises(DataError, match="cannot be used") as raised:
            for number in range(10**5):
                store.put(str(number), np.full((number % 7 + 1, 40), number, np.float32))
                kept += 1
        assert "\n" not in str(raised.value) and kept > 100
        fresh = Store(disk, "latent", "m")
        assert all(right(fresh, number) for number in range(kept))
        subprocess.run(["mount", "-o", "remount,size=2m", str(disk)], check=True)
        store.put("new", np.ones(3))
        assert store.get("new") is not None and right(store, kept - 1)
        store.close()
        fresh.close()


def test_a_place_for_no_store_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be used"):
        Store(tmp_path / "file", "latent", "m")
