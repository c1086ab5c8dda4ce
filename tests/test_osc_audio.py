"""Audio over OSC: what comes out at the other end, with losses, late lengths and slow readers."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from osc_peers import Tcp, Udp, serving

from vocaldm_live.osc.audio import CHUNK, AudioReceiver, AudioSender, AudioSettings
from vocaldm_live.osc.table import OscError


def noise(count):
    return np.random.default_rng(3).uniform(-1, 1, count).astype(np.float32)


def receive(client, receiver, until="audio/end", lose=()):
    while True:
        name, params = client.next()
        part = name.removeprefix("audio/")
        if not (part == "chunk" and params[3] in lose):
            getattr(receiver, part)(*params[1:])
        if name == until:
            return


@pytest.mark.parametrize(
    "make", [Udp, lambda server: Tcp(server, "slip"), lambda server: Tcp(server, "length")]
)
def test_a_clip_sent_in_parts_arrives_as_it_was(make):
    samples = noise(96000 + 7)
    with serving() as server, make(server) as client, Udp(server) as deaf:
        client.subscribe(0, 60.0, 1)
        start = len(deaf.subscribe(0, 60.0, 0))
        stream = AudioSender(server).open("r1", 2, 48000, len(samples))
        receiver = AudioReceiver()
        stream.write(samples[:1000])
        name, params = client.next()
        assert (name, params[1:]) == (
            "audio/begin",
            ["r1", 2, 48000, len(samples), -(-len(samples) // CHUNK)],
        )
        receiver.begin(*params[1:])
        name, params = client.next()  # the first chunk is here before the rest was written
        receiver.chunk(*params[1:])
        stream.write(samples[1000:])
        stream.close()
        receive(client, receiver)
        assert receiver.complete and receiver.sample_rate == 48000
        assert np.abs(receiver.samples() - samples).max() < 1 / 32767
        server.broadcast("/vocaldm/done", "r1")
        assert deaf.next() == ("done", [start, "r1"])  # no audio for who did not ask


def test_lost_chunks_are_sent_again_to_the_one_who_asks():
    samples = noise(30 * CHUNK)
    with serving() as server, Udp(server) as client:
        sender = AudioSender(server)
        server.handle("/vocaldm/audio/resend", sender.resend)
        client.subscribe(0, 60.0, 1)
        stream = sender.open("r", 0, 48000, len(samples))
        stream.write(samples)
        stream.close()
        receiver = AudioReceiver()
        receive(client, receiver, lose={0, 7, 8, 29})
        assert not receiver.complete and receiver.missing() == [(0, 0), (7, 8), (29, 29)]
        for first, last in receiver.missing():
            client.send("audio/resend", "r", 0, first, last)
        for _ in range(4):
            receiver.chunk(*client.next()[1][1:])
        assert receiver.complete
        for wrong, code in (((5, 4), "range"), ((0, 30), "range")):
            client.send("audio/resend", "r", 0, *wrong)
            assert client.next()[1][1] == code
        client.send("audio/resend", "other", 0, 0, 1)
        assert client.next()[1][1] == "gone"


@pytest.mark.slow
def test_a_long_clip_does_not_drown_a_receiver_with_a_small_buffer():
    samples = noise(48000 * 20)
    with serving() as server, Udp(server, receive_buffer=65536) as client:
        client.subscribe(0, 60.0, 1)
        stream = AudioSender(server).open("r", 0, 48000, len(samples))

        def decode():
            stream.write(samples)
            stream.close()

        engine = threading.Thread(target=decode)
        engine.start()
        receiver = AudioReceiver()
        receive(client, receiver)
        engine.join()
        assert receiver.missing() == [] and receiver.complete


def test_a_clip_shorter_than_announced_ends_in_silence_and_a_longer_one_at_its_length():
    with serving() as server, Udp(server) as client:
        client.subscribe(0, 60.0, 1)
        sender = AudioSender(server)
        for count in (900, 5000):
            stream = sender.open("r", 0, 48000, 2000)
            stream.write(np.full(count, 2.0))
            stream.close()
            receiver = AudioReceiver()
            receive(client, receiver)
            got = receiver.samples()
            assert receiver.complete and len(got) == 2000
            assert (got[: min(count, 2000)] == 1.0).all() and (got[min(count, 2000) :] == 0.0).all()


def test_only_recent_clips_are_kept():
    with serving() as server:
        sender = AudioSender(server, AudioSettings(store_mb=0.3))
        for number in range(5):
            stream = sender.open(f"r{number}", 0, 48000, 60000)
            stream.write(noise(60000))
            stream.close()
        with pytest.raises(OscError, match="not kept"):
            sender.resend(("r0", 0, 0, 0), None)
        sender.resend(("r4", 0, 0, 0), None)
