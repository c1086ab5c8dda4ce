"""Max client and clip: the abstractions that others build on: vocaldm.client, vocaldm.clip and its voice."""

from __future__ import annotations

from max_patch.source.addresses import PORT
from max_patch.source.max_file import Patcher

VOICES = 16  # as many as a gesture has variations at most


def client() -> Patcher:
    """OSC in and out, with lease, reconnection and lost events."""
    p = Patcher(720, 420)
    p.comment("vocaldm.client host port: talks to the daemon (vocaldm live).", (20, 10, 500, 20))
    commands = p.obj("inlet", 30, 50, comment="commands: /vocaldm/record 1 ...")
    settings = p.obj("inlet", 330, 50, comment="settings: host 127.0.0.1, port 9750, token secret")
    p.comment("settings and what came in meet in the script", (370, 55, 300, 20))
    out = p.obj(f"udpsend 127.0.0.1 {PORT}", 20, 300)
    commands.to(out)
    script = p.obj("js vocaldm.client.js #1 #2", 330, 170, (1, ("", "", "", "")))
    settings.to(script)
    receive = p.obj(f"udpreceive {PORT + 2} @defer 1", 560, 260)
    # In order of their outlets: events, status, to the daemon, the port to listen on.
    events = p.obj("outlet", 200, 350, comment="events without seq: /vocaldm/ready id ...")
    status = p.obj("outlet", 330, 350, comment="connected 0|1, fits 0|1, sentence text, missed")
    events_ = p.obj("s #0-events", 200, 220)
    script.to(events_)
    p.obj("r #0-events", 200, 300).to(events)
    script.to(status, outlet=1)
    to_daemon = p.obj("s #0-out", 420, 220)
    script.to(to_daemon, outlet=2)
    p.obj("r #0-out", 100, 250).to(out)
    script.to(receive, outlet=3)
    receive.to(p.obj("s #0-in", 560, 300))
    p.obj("r #0-in", 420, 120).to(script)
    return p


def clip() -> Patcher:
    """Loads clips as the daemon tells of them and plays them, each variation in a voice of its own."""
    p = Patcher(760, 520)
    p.comment(
        "vocaldm.clip: /vocaldm/ready loads a clip into the voice of its variation; read 2 path, play 2, stop.",
        (20, 10, 700, 20),
    )
    source = p.obj("inlet", 30, 40, comment="events of vocaldm.client; read n path, play n (0: all), stop")
    way = source.to(p.obj("route /vocaldm/ready read play stop", 30, 85))
    fields = p.obj("unpack s i s s f s", 30, 125)
    way.to(fields)
    pair = p.obj("pack i s", 40, 205)
    fields.to(p.obj("+ 1", 20, 165), outlet=1).to(pair)
    fields.to(pair, inlet=1, outlet=2)
    asked = p.obj("s #0-read", 40, 245)
    pair.to(asked)
    way.to(p.obj("s #0-read", 210, 125), outlet=1)
    way.to(p.obj("s #0-play", 310, 125), outlet=2)
    way.to(p.msg("target 0, stop", 400, 125), outlet=3).to(p.obj("s #0-poly", 400, 165))
    # Which voice, then what it is to do: right before left.
    order = p.obj("r #0-read", 210, 205).to(p.obj("t l l", 210, 245))
    order.to(p.obj("zl slice 1", 210, 285)).to(p.obj("prepend read", 240, 325), outlet=1).to(
        p.obj("s #0-poly", 240, 365)
    )
    target = order.to(p.obj("zl slice 1", 330, 285), outlet=1)
    target.to(p.obj("prepend target", 345, 325)).to(p.obj("s #0-poly", 345, 365))
    play = p.obj("r #0-play", 480, 205).to(p.obj("t b i", 480, 245))
    play.to(p.msg("play", 480, 325)).to(p.obj("s #0-poly", 480, 365))
    play.to(p.obj("prepend target", 560, 285), outlet=1).to(p.obj("s #0-poly", 560, 325))
    voices = p.obj("r #0-poly", 30, 400).to(
        p.obj(f"poly~ vocaldm.voice {VOICES}", 30, 430, (1, ("signal", "")))
    )
    voices.to(p.obj("outlet", 30, 475, comment="the sound"))
    voices.to(p.obj("outlet", 170, 475, comment="loaded n buffer, failed n path"), outlet=1)
    return p


def voice() -> Patcher:
    """One voice: two buffers, of which one is read while the other one sounds."""
    p = Patcher(720, 460)
    p.comment("A voice of vocaldm.clip: read path, play, stop.", (20, 10, 400, 20))
    way = p.obj("in 1", 30, 40).to(p.obj("route read play stop", 30, 80))
    way.to(p.obj("prepend read", 30, 120)).to(p.obj("s #0-script", 30, 160))
    order = p.obj("t b b b", 150, 120)
    way.to(order, outlet=1)
    order.to(p.msg("playing", 150, 160)).to(p.obj("s #0-script", 150, 200))
    order.to(p.msg("start", 235, 160), outlet=1).to(p.obj("s #0-player", 235, 200))
    order.to(p.obj("s #0-choose", 340, 160), outlet=2)
    way.to(p.msg("stop", 450, 120), outlet=2).to(p.obj("s #0-player", 450, 160))
    # The script says which buffer is read, and which one a play takes from now on.
    p.obj("loadbang", 560, 40).to(p.obj("thispoly~", 560, 80)).to(p.obj("prepend voice", 560, 120)).to(
        p.obj("s #0-script", 560, 160)
    )
    script = p.obj("r #0-script", 30, 240).to(
        p.obj("js vocaldm.voice.js #0-a #0-b", 30, 280, (1, ("", "", "", "")))
    )
    script.to(p.obj("s #0-to-a", 30, 320))
    script.to(p.obj("s #0-to-b", 115, 320), outlet=1)
    script.to(p.obj("s #0-name", 200, 320), outlet=2)
    script.to(p.obj("out 1", 285, 320), outlet=3)
    for column, letter in enumerate("ab"):
        x = 30 + 150 * column
        p.obj(f"r #0-to-{letter}", x, 355).to(p.obj(f"buffer~ #0-{letter}", x, 385)).to(
            p.msg(f"loaded {letter}", x + 45, 415), outlet=1
        ).to(p.obj("s #0-script", x + 20, 440))
    store = p.obj("zl reg", 400, 280)
    p.obj("r #0-choose", 400, 240).to(store)
    p.obj("r #0-name", 490, 240).to(store, inlet=1)
    store.to(p.obj("prepend set", 400, 320)).to(p.obj("s #0-player", 400, 355))
    player = p.obj("r #0-player", 560, 280).to(p.obj("play~ #0-a", 560, 320))
    player.to(p.obj("out~ 1", 560, 385))
    player.to(p.msg("ended", 630, 355), outlet=1).to(p.obj("s #0-script", 630, 385))
    return p
