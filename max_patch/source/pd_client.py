"""Pd client: `vocaldm.client.pd`, the daemon's other end: OSC in and out, lease, reconnection, missed events."""

from __future__ import annotations

from max_patch.source.addresses import LEASE, MADE_FOR, PORT, PROGRAMS, incoming, name
from max_patch.source.pd_file import Canvas

LONGEST_EXACT = 2**24 - 1  # Pd's numbers are 32-bit floats: above this a number and the next one are the same
SILENT = 3  # pings without any answer until the daemon counts as gone


def client() -> str:
    """The abstraction's file."""
    top = Canvas(880, 420)
    top.note(
        "vocaldm.client: talks to the daemon (vocaldm live). First argument: its port, 9750 if left out.",
        0,
        0,
    )
    top.note(
        "Inlet 1: commands below /vocaldm: record 1; param/guidance 3; generate my-id /path/to.wav", 0, 1
    )
    top.note("Inlet 2: settings: port 9750; host 127.0.0.1; token secret", 0, 2)
    top.note(
        "Outlet 1: events below /vocaldm without their seq: ready id variation path clip seconds seed", 0, 3
    )
    top.note("Outlet 2: connected 0 or 1; fits 0 or 1 (version); sentence what-is-wrong; missed", 0, 4)
    commands, settings = top.obj("inlet", 0, 6), top.obj("inlet", 3, 6)
    commands.to(top.obj("s $0-out", 0, 7))
    settings.to(top.obj("s $0-settings", 3, 7))
    top.sub(_line(), 0, 9)
    top.sub(_events(), 1, 9)
    top.sub(_sequence(), 2, 9)
    top.sub(_watch(), 3, 9)
    top.sub(_version(), 4, 9)
    top.obj("r $0-event", 0, 11).to(top.obj("outlet", 0, 12))
    top.obj("r $0-status", 3, 11).to(top.obj("outlet", 3, 12))
    return top.file()


def _line() -> Canvas:
    """The socket: what goes out is formatted, what comes in is parsed; where to."""
    c = Canvas(name="line")
    out = c.obj("r $0-out", 0, 0).to(c.obj("list append", 0, 1)).to(c.obj("t l l", 0, 2))
    oscformat = c.obj("oscformat", 0, 6)
    c.note("the address first, then what belongs to it", 2, 3)
    first = c.obj("list split 1", 1, 3)
    out.to(first, outlet=1)
    first.to(c.msg("set vocaldm $1", 1, 4)).to(oscformat)
    rest = c.obj("list split 1", 0, 3)
    out.to(rest)
    rest.to(oscformat, outlet=1)
    socket = c.obj("netsend -u -b", 0, 9)
    oscformat.to(c.obj("list prepend send", 0, 7)).to(c.obj("list trim", 0, 8)).to(socket)
    socket.to(c.obj("s $0-open", 0, 10))
    parsed = c.obj("oscparse", 1, 10)
    socket.to(parsed, outlet=1)
    parsed.to(c.obj("list trim", 1, 11)).to(c.obj("route vocaldm", 1, 12)).to(c.obj("s $0-in", 1, 13))
    # Where to: kept until `connect`; a change closes the socket, and the next tick opens it again.
    loaded = c.obj("loadbang", 3, 0).to(c.obj("t b b", 3, 1))
    argument = c.obj("f $1", 4, 2)
    loaded.to(argument, outlet=1)
    test = argument.to(c.obj("sel 0", 4, 3))
    port = c.obj(f"f {PORT}", 3, 6)
    test.to(c.msg(str(PORT), 4, 4)).to(port, inlet=1)
    test.to(port, inlet=1, outlet=1)
    host = c.obj("symbol 127.0.0.1", 4, 6)
    settings = c.obj("r $0-settings", 5, 2).to(c.obj("route port host token", 5, 3))
    change = c.obj("t b f", 5, 4)
    settings.to(change)
    change.to(port, inlet=1, outlet=1)
    # route makes a selector of a lone symbol; symbol and list append make an argument of it again.
    name_change = settings.to(c.obj("symbol", 6, 3.6), outlet=1).to(c.obj("t b a", 6, 4.6))
    name_change.to(host, inlet=1, outlet=1)
    settings.to(c.obj("s $0-token", 7, 4), outlet=2)
    close = c.msg("disconnect", 5, 7)
    change.to(close)
    name_change.to(close)
    close.to(socket)
    ask = c.obj("t b b", 3, 5)
    loaded.to(ask)
    c.obj("r $0-connect", 3, 4).to(ask)
    ask.to(port)
    ask.to(host, outlet=1)
    joined = c.obj("list append", 3, 7)
    port.to(joined)
    host.to(joined, inlet=1)
    joined.to(c.msg("connect $2 $1", 3, 8)).to(socket)
    return c


def _events() -> Canvas:
    """Every event of the table, its address as one word; `seq` goes to its own check first."""
    c = Canvas(1000, 1500, "events")
    source = c.obj("r $0-in", 0, 0)
    groups: dict[str, list[str]] = {}
    for entry in incoming():
        first, _, second = name(entry).partition("/")
        groups.setdefault(first, []).append(second)
    trunk = c.obj(f"route {' '.join(groups)}", 0, 1)
    source.to(trunk)
    together = c.obj("s $0-whole", 3, 2)
    row = 3.0
    for number, (first, seconds) in enumerate(groups.items()):
        # A word alone may be an event (`recording`), or the first of two (`state/begin`), or both.
        deep = [second for second in seconds if second]
        if deep:
            branch = c.obj(f"route {' '.join(deep)}", 0, row)
            trunk.to(branch, outlet=number)
            for outlet, second in enumerate(deep):
                named = c.obj(f"list prepend {first}/{second}", 1 + 1.2 * (outlet % 4), row + 1 + outlet // 4)
                branch.to(named, outlet=outlet)
                named.to(together)
            row += 2 + (len(deep) - 1) // 4
            if "" in seconds:
                branch.to(c.obj(f"list prepend {first}", 0, row), outlet=len(deep)).to(together)
                row += 1
        else:
            trunk.to(c.obj(f"list prepend {first}", 0, row), outlet=number).to(together)
            row += 1
    whole = c.obj("r $0-whole", 0, row + 1).to(c.obj("t l l l", 0, row + 2))
    # Right: its number is checked. Middle: that the daemon lives. Left: the event without its number.
    whole.to(c.obj("s $0-numbered", 3, row + 3), outlet=2)
    whole.to(c.obj("bang", 2, row + 3), outlet=1).to(c.obj("s $0-sign", 2, row + 4))
    split = c.obj("list split 2", 0, row + 3)
    whole.to(split)
    joined = c.obj("list append", 0, row + 5)
    split.to(joined, inlet=1, outlet=1)
    split.to(c.obj("list split 1", 0, row + 4)).to(joined)
    joined.to(c.obj("list trim", 0, row + 6)).to(c.obj("s $0-event", 0, row + 7))
    return c


def _sequence() -> Canvas:
    """Whether the numbers follow each other: a gap asks for the state, an answer to a stranger for a lease."""
    c = Canvas(name="sequence")
    c.note("state/begin with 0 is a new lease: counting begins again", 2, 0)
    numbered = c.obj("r $0-numbered", 0, 0).to(c.obj("t l l", 0, 1))
    begin = c.obj("list trim", 3, 2)
    numbered.to(begin, outlet=1)
    next_number = c.obj("s $0-expected", 3, 6)
    begin.to(c.obj("route state/begin", 3, 3)).to(c.obj("sel 0", 3, 4)).to(c.msg("0", 3, 5)).to(next_number)
    number = c.obj("unpack s f", 0, 2)
    numbered.to(number)
    check = c.obj("t f f", 0, 3)
    number.to(check, outlet=1)
    # Both know the number that was expected; the verdict is asked for before that one changes.
    wrong = c.obj(f"expr if($f1 >= {LONGEST_EXACT} || $f1 == $f2, 0, if($f1 == 0, 2, 1))", 1, 7)
    c.note("0: as expected, 1: something is missing, 2: no lease", 1, 8)
    after = c.obj(f"expr if($f1 == 0 && $f2 != 0, 0, min($f1 + 1, {LONGEST_EXACT}))", 0, 10)
    expected = c.obj("r $0-expected", 2, 3).to(c.obj("t f f", 2, 4))
    expected.to(wrong, inlet=1)
    expected.to(after, inlet=1, outlet=1)
    check.to(wrong, outlet=1)
    check.to(after)
    after.to(c.obj("s $0-expected", 0, 11))
    what = wrong.to(c.obj("sel 1 2", 1, 9))
    missed = c.obj("t b b", 2, 10)
    what.to(missed)
    missed.to(c.msg("missed", 3, 11), outlet=1).to(c.obj("s $0-status", 3, 12))
    missed.to(c.msg("state", 2, 11)).to(c.obj("s $0-out", 2, 12))
    what.to(c.obj("s $0-subscribe", 4, 11), outlet=1)
    return c


def _watch() -> Canvas:
    """Once a second: a ping; a socket that closed is opened; who hears nothing subscribes until somebody answers."""
    c = Canvas(name="watch")
    start = c.obj("loadbang", 0, 0).to(c.obj("delay 50", 0, 1)).to(c.msg("1", 0, 2))
    metro = start.to(c.obj("metro 1000", 0, 3)).to(c.obj("t b b b b", 0, 4))
    # 4th: the socket
    closed = c.obj("f 1", 4, 6)
    metro.to(closed, outlet=3)
    c.obj("r $0-open", 4, 5).to(c.obj("== 0", 5, 5)).to(closed, inlet=1)
    closed.to(c.obj("sel 1", 4, 7)).to(c.obj("s $0-connect", 4, 8))
    # 3rd: how long nothing came
    silence = c.obj("f", 3, 6)
    metro.to(silence, outlet=2)
    count = c.obj("+ 1", 3, 7)
    silence.to(count).to(silence, inlet=1)
    gone = c.obj(f">= {SILENT}", 3, 8)
    count.to(gone)
    gone.to(c.obj("sel 1", 3, 9)).to(c.msg("0", 3, 10)).to(c.obj("s $0-alive", 3, 11))
    sign = c.obj("r $0-sign", 2, 5).to(c.obj("t b b", 2, 6))
    sign.to(c.msg("0", 2, 7), outlet=1).to(silence, inlet=1)
    sign.to(c.msg("1", 2, 10)).to(c.obj("s $0-alive", 2, 11))
    # 2nd: the lease: at once while nobody answers, else now and then
    tick = c.obj("f", 1, 6)
    metro.to(tick, outlet=1)
    later = c.obj("+ 1", 1, 7)
    tick.to(later).to(c.obj(f"mod {LEASE // 3}", 2, 8)).to(tick, inlet=1)
    tick.to(c.obj("sel 0", 1, 8)).to(c.obj("s $0-subscribe", 1, 11))
    alive = c.obj("r $0-alive", 0, 8).to(c.obj("change -1", 0, 9)).to(c.obj("t f f f", 0, 10))
    alive.to(c.obj("== 0", 1, 9), outlet=2).to(c.obj("s $0-dead", 1, 10))
    alive.to(c.msg("connected $1", 0, 12), outlet=1).to(c.obj("s $0-status", 0, 13))
    alive.to(c.obj("sel 0", 0, 14)).to(
        c.say("sentence Not connected: start the daemon with vocaldm live.", 0, 15)
    ).to(c.obj("s $0-status", 0, 16))
    dead = c.obj("f 1", 4, 10)
    metro.to(dead, outlet=1)
    c.obj("r $0-dead", 5, 9).to(dead, inlet=1)
    dead.to(c.obj("sel 1", 4, 11)).to(c.obj("s $0-subscribe", 4, 12))
    # 1st: the ping
    metro.to(c.msg("ping vocaldm.client", 5, 11)).to(c.obj("s $0-out", 5, 12))
    # The lease itself; a token is kept and goes along
    lease = c.obj("list append", 3, 14)
    c.obj("r $0-subscribe", 3, 13).to(lease)
    c.obj("r $0-token", 4, 13).to(lease, inlet=1)
    lease.to(c.obj(f"list prepend subscribe 0 {LEASE} 0", 3, 15)).to(c.obj("list trim", 3, 16)).to(
        c.obj("s $0-out", 3, 17)
    )
    return c


def _version() -> Canvas:
    """What answers must be this program in a version that these patches were made for."""
    c = Canvas(name="version")
    known = " ".join(program.replace(" ", "\\ ") for program in PROGRAMS)
    event = c.obj("r $0-event", 0, 0).to(c.obj("route version/is", 0, 1)).to(c.obj("unpack s s", 0, 2))
    who = c.raw(f"#X obj 20 104 select {known}")
    event.to(who)
    other = c.obj("t b b", 0, 5)
    who.to(other, outlet=len(PROGRAMS))
    other.to(
        c.say("sentence Another program answers on this port: give vocaldm.client the daemon's port.", 0, 7)
    ).to(c.obj("s $0-status", 0, 8))
    fits_not = c.msg("fits 0", 1, 6)
    other.to(fits_not, outlet=1)
    fits_not.to(c.obj("s $0-status", 1, 8))
    letters = c.obj("list fromsymbol", 2, 3)
    event.to(letters, outlet=1)
    begins = c.obj(f"list split {len(MADE_FOR) + 1}", 2, 4)
    letters.to(begins)
    same = begins.to(c.obj("list tosymbol", 2, 5)).to(c.obj(f"select {MADE_FOR}.", 2, 6))
    wrong = c.say(
        f"sentence This patch is for version {MADE_FOR} of VocalDM Live and the daemon has another: update one.",
        2,
        8,
    )
    same.to(c.msg("fits 1", 4, 7)).to(c.obj("s $0-status", 4, 8))
    mismatch = c.obj("t b b", 3, 7)
    same.to(mismatch, outlet=1)
    begins.to(mismatch, outlet=2)
    mismatch.to(fits_not, outlet=1)
    mismatch.to(wrong)
    wrong.to(c.obj("s $0-status", 2, 9))
    return c
