"""OSCQuery: the tree, its attributes, and an HTTP server that bad requests do not hurt."""

from __future__ import annotations

import http.client
import json
import socket
import sys

import pytest
from osc_peers import Udp, serving

from vocaldm_live.osc.query import QueryServer, QuerySettings
from vocaldm_live.osc.table import TABLE, OscError


@pytest.fixture
def web():
    with serving(state=lambda: [("/vocaldm/listening", (1,))]) as server:
        query = QueryServer(server, QuerySettings(port=0))
        query.start()
        yield server, query


def get(query, target, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", query.port, timeout=10)
    connection.request(method, target, headers=headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, json.loads(body) if body else None


def test_the_tree_holds_every_address_with_its_type_and_access(web):
    _, query = web
    status, root = get(query, "/")
    assert status == 200 and root["FULL_PATH"] == "/"
    found = {}

    def walk(node):
        for name, child in node.get("CONTENTS", {}).items():
            assert child["FULL_PATH"] == f"{node['FULL_PATH'].rstrip('/')}/{name}"
            found[child["FULL_PATH"]] = child
            walk(child)

    walk(root)
    for address, entry in TABLE.items():
        node = found[address]
        assert node["ACCESS"] == {"event": 1, "command": 2, "parameter": 3}[entry.role]
        assert node.get("TYPE", "") == entry.types and node["DESCRIPTION"] == entry.help
        assert len(node.get("RANGE", [])) == len(entry.types)


def test_values_and_ranges_follow_what_is_set(web):
    server, query = web
    with Udp(server) as client:
        client.subscribe()
        client.send("param/steps", 12)
        client.next()
        assert get(query, "/vocaldm/param/steps?VALUE") == (200, {"VALUE": [12]})
        server.parameters.narrow("steps", 4, 50)
        assert get(query, "/vocaldm/param/steps?RANGE") == (200, {"RANGE": [{"MIN": 4, "MAX": 50}]})
        assert get(query, "/vocaldm/param/sampler?TYPE") == (200, {"TYPE": "s"})
        assert get(query, "/vocaldm/listening?VALUE") == (200, {"VALUE": [0, 1]})


def test_host_info_names_the_osc_port(web):
    server, query = web
    status, info = get(query, "/?HOST_INFO")
    assert status == 200 and info["OSC_PORT"] == server.port and info["EXTENSIONS"]["LISTEN"] is False


def test_what_is_not_there_or_not_allowed_is_said(web):
    _, query = web
    assert get(query, "/vocaldm/nothing")[0] == 404
    assert get(query, "/vocaldm/param/steps?COLOUR")[0] == 400
    assert get(query, "/vocaldm/record?VALUE")[0] == 204
    assert get(query, "/", method="POST")[0] == 405
    assert get(query, "/", Host="evil.example:80")[0] == 403
    assert get(query, "/", Host="localhost")[0] == 200


@pytest.mark.parametrize("raw", [b"\x00" * 100 + b"\r\n\r\n", b"GET\r\n\r\n", b"GET http://[ HTTP/1.1\r\n\r\n",
                                 b"GET /%ff%00?? HTTP/1.1\r\n\r\n", b"GET /[ HTTP/1.1\r\nHost:\r\n\r\n",
                                 b"A" * 20000])  # fmt: skip
def test_bad_requests_are_answered_and_the_connection_is_closed(web, raw):
    _, query = web
    with socket.create_connection(("127.0.0.1", query.port), 10) as peer:
        peer.settimeout(10)
        try:
            peer.sendall(raw)
            data = b""
            while part := peer.recv(65536):
                data += part
            assert data.startswith((b"HTTP/1.1 40", b"HTTP/1.1 403"))
        except ConnectionError:
            assert len(raw) > 8192  # closed with our bytes unread
    assert get(query, "/?HOST_INFO")[0] == 200


def test_a_port_in_use_is_one_sentence(web):
    server, query = web
    with pytest.raises(OscError, match="osc.query_port"):
        QueryServer(server, QuerySettings(port=query.port)).start()


def test_announcing_without_zeroconf_says_what_to_install(web, monkeypatch):
    server, _ = web
    monkeypatch.setitem(sys.modules, "zeroconf", None)
    with pytest.raises(OscError, match="install zeroconf"):
        QueryServer(server, QuerySettings(port=0, announce=True)).start()


@pytest.mark.slow
def test_what_is_announced_is_found_and_goes_again(web):
    """zeroconf's own browser finds both services while the query server is open, and hears when they go."""
    import threading

    from zeroconf import IPVersion, ServiceBrowser, Zeroconf

    kinds = ["_osc._udp.local.", "_oscjson._tcp.local."]
    found, gone, news = {}, set(), threading.Condition()

    class Listener:
        def add_service(self, browser, kind, name):
            info = browser.get_service_info(kind, name)
            with news:
                found[kind] = (info.port, info.parsed_addresses())
                news.notify_all()

        def remove_service(self, browser, kind, name):
            with news:
                gone.add(kind)
                news.notify_all()

        def update_service(self, browser, kind, name):
            pass

    server, _ = web
    query = QueryServer(server, QuerySettings(port=0, announce=True))
    query.start()
    browser = Zeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only)
    try:
        ServiceBrowser(browser, kinds, Listener())
        with news:
            assert news.wait_for(lambda: len(found) == 2, 20)
        assert found == {kinds[0]: (server.port, ["127.0.0.1"]), kinds[1]: (query.port, ["127.0.0.1"])}
        server.stop()
        with news:
            assert news.wait_for(lambda: len(gone) == 2, 20)
    finally:
        server.stop()
        browser.close()
