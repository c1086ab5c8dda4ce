"""The OSC port: who is told what, what is refused, over UDP and both kinds of TCP."""

from __future__ import annotations

import threading
import time

import pytest
from osc_peers import PLAIN, Tcp, Udp, bundle, message, ntp, serving

from vocaldm_live.osc.parameters import Parameters
from vocaldm_live.osc.server import OscServer, OscSettings
from vocaldm_live.osc.table import OscError


def test_a_new_subscriber_gets_the_whole_state_numbered_from_zero():
    with serving(state=lambda: [("/vocaldm/listening", (1,))]) as server, Udp(server) as client:
        got = client.subscribe(0, 60.0)
        assert [params[0] for _, params in got] == list(range(len(got)))
        values = {name.removeprefix("param/"): params[1] for name, params in got if name.startswith("param/")}
        assert values == PLAIN
        assert ("listening", [len(got) - 2, 1]) in got


def test_every_subscriber_sees_a_change_and_each_counts_for_itself():
    with serving() as server, Udp(server) as one, Udp(server) as two:
        start = len(one.subscribe())
        one.send("param/steps", 8)
        assert one.next() == ("param/steps", [start, 8])
        two.subscribe()
        one.send("param/steps", 9.0)  # Max sends floats
        assert one.next() == ("param/steps", [start + 1, 9])
        assert two.next() == ("param/steps", [start, 9])
        assert server.parameters["steps"] == 9


@pytest.mark.parametrize("kind", ["length", "slip"])
def test_tcp_speaks_both_framings_on_the_udp_port(kind):
    with serving() as server, Tcp(server, kind) as client:
        assert client.subscribe()[0][0] == "state/begin"
        client.send(
            "param/text", "caf\u00e9 \u00db end"
        )  # a SLIP END and ESC inside the packet's UTF-8 or not
        assert client.next()[1][1] == "caf\u00e9 \u00db end"
        client.send("param/seed", 0x40C0DBDC)  # SLIP's own bytes inside an integer
        assert client.next()[1][1] == 0x40C0DBDC


def test_a_tcp_stream_in_pieces_is_put_together():
    with serving() as server, Tcp(server, "length") as client:
        whole = b"".join(len(p).to_bytes(4, "big") + p for p in [message("/vocaldm/ping", "a")] * 2)
        for at in range(0, len(whole), 5):
            client.socket.sendall(whole[at : at + 5])
            time.sleep(0.002)
        assert [client.next()[1][1], client.next()[1][1]] == ["a", "a"]


def test_events_go_to_another_port_when_asked_and_so_do_answers():
    with serving() as server, Udp(server) as sender, Udp(server) as receiver:
        sender.send("subscribe", receiver.port, 60.0)
        receiver.until("state/end")
        sender.send("ping", "hello")
        assert receiver.next()[1][1:] == ["hello"]


def test_a_handler_gets_checked_arguments_and_its_refusal_goes_back_with_the_id():
    seen = []

    def generate(arguments, client):
        seen.append(arguments)
        raise OscError("outside", "That path is outside the folders.")

    with serving({"/vocaldm/generate": generate}) as server, Udp(server) as client:
        client.send("generate", "r1", "/x.wav")
        name, params = client.next()
        assert name == "error"
        assert params[1:] == ["outside", "/vocaldm/generate", "r1", "That path is outside the folders."]
        assert seen == [("r1", "/x.wav")]


def test_a_handler_that_breaks_is_told_and_the_server_goes_on(caplog):
    def broken(arguments, client):
        raise ZeroDivisionError

    with serving({"/vocaldm/record": broken}) as server, Udp(server) as client:
        client.send("record", 1)
        assert client.next()[1][1] == "internal"
        assert "ZeroDivisionError" in caplog.text
        client.still_there()


@pytest.mark.parametrize(
    ("address", "arguments", "code", "said"),
    [
        ("param/steps", (0,), "range", "1 to 200"),
        ("param/steps", (2.5,), "type", "whole number"),
        ("param/guidance", ("much",), "type", "0 to 20"),
        ("param/sampler", ("euler",), "range", "ddim"),
        ("param/nothing", (1,), "unknown", "docs/osc.md"),
        ("param/steps", (), "arguments", "give steps"),
        ("record", (1,), "unavailable", "not served"),
        ("param/guidance", (float("nan"),), "type", "0 to 20"),
        ("generate", ("i" * 101, "/x"), "range", "100 bytes"),
        ("generate", ("i", "/x\n"), "range", "plain text"),
    ],
)
def test_errors_have_one_form(address, arguments, code, said):
    with serving() as server, Udp(server) as client:
        client.send(address, *arguments)
        name, params = client.next()
        assert (name, params[0], params[1], params[2]) == ("error", 0, code, f"/vocaldm/{address}")
        assert said in params[4]


def test_booleans_doubles_and_long_integers_are_taken_where_nothing_is_lost():
    with serving() as server, Udp(server) as client:
        client.subscribe()
        for value, kind, expected in ((True, "T", 1), (12, "h", 12), (7.0, "d", 7)):
            client.send("param/variations", value, types=kind)
            assert client.next()[1][1] == expected
        client.send("param/variations", 2**40, types="h")
        assert client.next()[1][1] == "range"


@pytest.mark.slow
def test_a_lease_that_lapses_is_dropped_and_one_renewed_is_not():
    with serving() as server, Udp(server) as short, Udp(server) as long:
        short.subscribe(0, 0.001)  # moved up to the least, one second
        long.subscribe(0, 1.0)
        count = len(long.subscribe(0, 3600.0))  # renewed; the count goes on
        deadline = time.monotonic() + 10
        while len(server.leases) > 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        server.broadcast("/vocaldm/done", "r")
        assert long.next() == ("done", [2 * count, "r"])
        short.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            short.next()


def test_unsubscribe_and_a_closed_connection_end_leases():
    with serving() as server, Udp(server) as client:
        with Tcp(server, "slip") as tcp:
            client.subscribe()
            tcp.subscribe()
            assert len(server.leases) == 2
            client.send("unsubscribe")
            client.still_there()
            assert len(server.leases) == 1
        deadline = time.monotonic() + 10
        while len(server.leases) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(server.leases) == 0


def test_more_subscribers_than_allowed_are_told():
    with serving(most_leases=1) as server, Udp(server) as one, Udp(server) as two:
        one.subscribe()
        two.send("subscribe", 0, 60.0)
        assert two.next()[1][1] == "busy"


def test_with_a_token_only_those_who_have_it_are_served():
    with serving(token="open sesame") as server, Udp(server) as client, Udp(server) as stranger:
        for attempt in ((), (0, 60.0, 0, "open sesam"), (0, 60.0, 0, "\u00e9")):
            client.send("subscribe", *attempt)
            assert client.next()[1][1] == "token"
        client.send("param/steps", 3)
        assert client.next()[1][1] == "token"
        client.subscribe(0, 60.0, 0, "open sesame")
        stranger.send("param/steps", 4)
        assert stranger.next()[1][1] == "token"
        client.send("param/steps", 5)
        assert client.next()[1][1] == 5
        for _ in range(200):
            stranger.send("param/steps", 4)
        client.still_there()
        stranger.socket.settimeout(0.5)
        answers = 0
        with pytest.raises(TimeoutError):
            while True:
                stranger.next()
                answers += 1
        assert 0 < answers < 100


def test_another_address_without_a_token_and_a_taken_port_are_one_sentence_each():
    with pytest.raises(OscError, match="set osc.token"):
        OscServer(OscSettings("0.0.0.0", 0), {}, Parameters(PLAIN)).start()
    with serving() as server:
        second = OscServer(OscSettings(port=server.port), {}, Parameters(PLAIN))
        with pytest.raises(OscError, match=f"{server.port} .* is in use, perhaps by another vocaldm live"):
            second.start()
        second.stop()


def test_bundles_run_at_their_time_at_once_or_not_at_all():
    times = []
    commands = {"/vocaldm/record": lambda arguments, client: times.append((arguments[0], time.time()))}
    with serving(commands) as server, Udp(server) as client:
        now = time.time()
        client.raw(bundle(ntp(now + 0.4), message("/vocaldm/record", 1)))
        client.raw(bundle(ntp(now - 1e6), message("/vocaldm/record", 0)))
        client.raw(bundle(1, bundle(1, message("/vocaldm/ping", "inner"))))
        client.raw(bundle(ntp(now + 3600), message("/vocaldm/record", 1)))
        assert client.next()[1][1] == "inner"
        assert [on for on, _ in times] == [0]
        assert client.next()[1][1:3] == ["timetag", "/vocaldm/record"]
        deadline = time.monotonic() + 10
        while len(times) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert times[1][0] == 1 and times[1][1] >= now + 0.39
        assert server.counters["bundle_far"] == 1


def test_a_long_sentence_is_shortened_and_a_path_that_does_not_fit_is_refused():
    with serving() as server, Udp(server) as client:
        client.subscribe()
        server.broadcast("/vocaldm/failed", "r", "\u00e9" * 2000)
        sentence = client.next()[1][2]
        assert sentence.endswith("...") and len(sentence.encode()) > 1300
        with pytest.raises(OscError, match="fit a datagram") as caught:
            server.broadcast("/vocaldm/ready", "r", 0, "/" + "x" * 1500, "c", 1.0, "5")
        assert caught.value.code == "too_long"


def test_mistakes_of_the_caller_are_raised_where_they_are_made():
    with serving() as server:
        for wrong in (("/vocaldm/nothing",), ("/vocaldm/record", 1), ("/vocaldm/done",),
                      ("/vocaldm/recording", 2**40), ("/vocaldm/recording", "x")):  # fmt: skip
            with pytest.raises(ValueError):
                server.broadcast(*wrong)


@pytest.mark.slow
def test_a_tcp_client_that_never_reads_is_dropped_and_the_others_are_served(caplog):
    with serving(most_unsent=100_000) as server, Tcp(server, "length") as slow, Udp(server) as good:
        slow.subscribe()
        good.subscribe()
        for _ in range(20000):
            server.broadcast("/vocaldm/failed", "r", "x" * 1000)
            if server.counters["tcp_slow"]:
                break
        for _ in range(400):  # the server's thread may be far behind this one
            if server.counters["tcp_slow"]:
                break
            time.sleep(0.05)
        assert server.counters["tcp_slow"] == 1 and "too slowly" in caplog.text
        good.still_there()


def test_events_may_be_sent_from_many_threads_and_nothing_is_lost_over_tcp():
    with serving() as server, Tcp(server, "slip") as client:
        start = len(client.subscribe())

        def send(name):
            for step in range(200):
                server.broadcast("/vocaldm/progress", name, 0, "sample", step, 200)

        threads = [threading.Thread(target=send, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        got = [client.next()[1] for _ in range(600)]
        for thread in threads:
            thread.join()
        assert [params[0] for params in got] == list(range(start, start + 600))
        for name in "abc":
            assert [params[4] for params in got if params[1] == name] == list(range(200))


def test_stop_leaves_no_thread_and_frees_the_port():
    before = threading.active_count()
    with serving() as server, Tcp(server, "slip") as client:
        client.subscribe()
        port = server.port
    assert threading.active_count() == before
    server.broadcast("/vocaldm/done", "late")  # harmless
    again = OscServer(OscSettings(port=port), {}, Parameters(PLAIN))
    again.start()
    again.stop()
