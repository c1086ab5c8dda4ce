"""Pd clips: the newest clip in the array, the rows of the history, and the player."""

from __future__ import annotations

from max_patch.source.addresses import ROWS
from max_patch.source.pd_file import EVENT, Canvas, to_daemon


def clips() -> Canvas:
    """The newest clip: chosen, read into the array, played when that is wanted."""
    c = Canvas(name="clips")
    ready = c.obj(f"r {EVENT}", 0, 0).to(c.obj("route ready", 0, 1)).to(c.obj("unpack s f s s f s", 0, 2))
    order = c.obj("t a a", 0, 3)
    ready.to(order, outlet=2)
    ready.to(c.obj("s vocaldm.chosen", 3, 4), outlet=3)
    order.to(c.msg("label $1", 2, 4), outlet=1).to(c.obj("s vocaldm-clip-name", 2, 5))
    order.to(c.obj("s vocaldm.read", 0, 4))
    wanted = c.obj("spigot", 0, 7)
    ready.to(c.obj("bang", 1, 4)).to(wanted)
    c.obj("r vocaldm.play-new", 1, 6).to(wanted, inlet=1)
    # After the file was read: ready's id comes last out of unpack.
    wanted.to(c.obj("s vocaldm.play", 0, 8))
    return c


def rows() -> Canvas:
    """The history: a row for each clip; a row that is pressed is chosen and read; its star."""
    c = Canvas(1000, 600, "rows")
    source = c.obj(f"r {EVENT}", 0, 0).to(c.obj("route history/begin history/item", 0, 1))
    index = c.obj("f", 1, 5)
    begin = c.obj("t b b b", 0, 3)
    source.to(begin)
    begin.to(c.msg("0", 0, 4)).to(index, inlet=1)
    begin.to(c.msg("clear", 1, 4), outlet=1).to(c.obj("text define vocaldm.rows", 0, 6))
    blank = c.obj("until", 6, 3)
    empty = c.msg(str(ROWS), 6, 2)
    begin.to(empty, outlet=2)
    empty.to(blank)
    number = c.obj("f", 6, 4)
    blank.to(number)
    number.to(c.obj("+ 1", 7, 4)).to(c.obj(f"mod {ROWS}", 7, 5)).to(number, inlet=1)
    target = c.obj("t b f", 6, 5)
    number.to(target)
    wiped = c.obj("s", 6, 8)
    target.to(c.obj("makefilename vocaldm-row-%d", 7, 6), outlet=1).to(wiped, inlet=1)
    target.to(c.msg("label empty", 6, 7)).to(wiped)
    # item: clip path name created seconds seed starred
    item = source.to(c.obj("list append", 2, 2), outlet=1).to(c.obj("t a b", 2, 3))
    item.to(index, outlet=1)
    fields = c.obj("unpack s s s s f s f", 2, 9)
    place = c.obj("t f f f", 1, 6)
    index.to(place)
    index.to(c.obj("+ 1", 2, 5)).to(index, inlet=1)
    keep = c.obj("text set vocaldm.rows", 4, 8)
    both = c.obj("t a a", 3, 5)
    item.to(both)
    both.to(keep, outlet=1)
    both.to(fields)
    place.to(keep, inlet=1, outlet=2)
    label, star = c.obj("s", 2, 13), c.obj("s", 4, 13)
    place.to(c.obj("makefilename vocaldm-row-%d", 1, 9), outlet=1).to(label, inlet=1)
    place.to(c.obj("makefilename vocaldm-star-%d", 0, 9)).to(star, inlet=1)
    fields.to(c.msg("label $1", 2, 12), outlet=2).to(label)
    fields.to(c.msg("set $1", 4, 12), outlet=6).to(star)
    # A row is pressed
    row = c.obj("r vocaldm.row", 0, 16).to(c.obj("text get vocaldm.rows 0 3", 0, 17))
    parts = row.to(c.obj("unpack s s s", 0, 18))
    parts.to(c.msg("label $1", 2, 19), outlet=2).to(c.obj("s vocaldm-clip-name", 2, 20))
    parts.to(c.obj("s vocaldm.chosen", 0, 19))
    parts.to(c.obj("s vocaldm.read", 1, 19), outlet=1)
    # Stars
    for number_ in range(ROWS):
        order = c.obj("t b f", 4 + number_ % 4, 16 + 4 * (number_ // 4))
        c.obj(f"r vocaldm.star-{number_}", 4 + number_ % 4, 15 + 4 * (number_ // 4)).to(order)
        order.to(c.obj("s vocaldm.star-on", 4 + number_ % 4, 17.6 + 4 * (number_ // 4)), outlet=1)
        order.to(c.msg(str(number_), 4 + number_ % 4, 16.8 + 4 * (number_ // 4))).to(
            c.obj("s vocaldm.star-row", 4 + number_ % 4, 18.4 + 4 * (number_ // 4))
        )
    clip = c.obj("r vocaldm.star-row", 0, 22).to(c.obj("text get vocaldm.rows 0 1", 0, 23))
    joined = c.obj("list append", 0, 24)
    clip.to(joined)
    c.obj("r vocaldm.star-on", 1, 23).to(joined, inlet=1)
    joined.to(c.obj("list prepend star", 0, 25)).to(c.obj("list trim", 0, 26)).to(to_daemon(c, 0, 27))
    return c


def player() -> Canvas:
    """Reads a file into the array and plays it: sample for sample where its rate is Pd's, else interpolated."""
    c = Canvas(900, 700, "player")
    path = c.obj("r vocaldm.read", 0, 0).to(c.obj("list append", 0, 1))
    reader = c.obj("soundfiler", 0, 3)
    path.to(c.msg("read -resize $1 vocaldm-clip", 0, 2)).to(reader)
    rate = c.obj("unpack f", 2.3, 4)
    reader.to(rate, outlet=1)
    loaded = reader.to(c.obj("t f f", 0, 4))
    loaded.to(c.obj("s vocaldm-loaded", 0, 5))
    # play: the daemon's gate stays shut meanwhile
    ratio, count = c.obj("f", 2.3, 9), c.obj("f", 1, 8)
    rate.to(ratio, inlet=1)
    loaded.to(count, inlet=1, outlet=1)
    play = c.obj("r vocaldm.play", 0, 7).to(c.obj("t b b", 0, 7.8))
    play.to(count, outlet=1)
    seconds = c.obj("expr $f1 / max($f2, 1)", 1, 10)
    rate.to(seconds, inlet=1)
    count.to(seconds)
    seconds.to(c.msg("audition $1", 1, 11)).to(to_daemon(c, 1, 12))
    ms = c.obj("* 1000", 2.3, 12)
    seconds.to(ms)
    frames = c.obj("pack f f", 3, 13)
    ms.to(frames, inlet=1)
    stored = c.obj("f", 3, 12)
    count.to(stored, inlet=1)
    play.to(ratio)
    same = ratio.to(c.obj("t b f", 2.3, 10))
    here = c.obj("samplerate~", 4, 9)
    same.to(here)
    equal = c.obj("expr if($f1 == $f2, 1, 2)", 4, 11)
    same.to(equal, inlet=1, outlet=1)
    here.to(equal)
    way = equal.to(c.obj("sel 1 2", 4, 12))
    exact = c.obj("tabplay~ vocaldm-clip", 5.2, 15.4)
    way.to(exact)
    way.to(stored, outlet=1)
    stored.to(frames)
    line = c.obj("vline~", 3, 16)
    frames.to(c.msg("0 , $1 $2", 3, 14.2)).to(line)
    bent = line.to(c.obj("tabread4~ vocaldm-clip", 3, 17))
    # A reader that stands still gives the sample that it stands on: it is heard only while it runs.
    shut = c.obj("*~", 3, 18.4)
    bent.to(shut)
    frames.to(c.msg("1 , 0 0 $2", 4.4, 14.2)).to(c.obj("vline~", 4.4, 17)).to(shut, inlet=1)
    mix = c.obj("*~", 3, 20)
    exact.to(mix)
    shut.to(mix)
    volume = c.obj("r vocaldm.volume", 5, 18)
    volume.to(c.msg("$1 20", 5, 19)).to(c.obj("line~", 5, 20)).to(mix, inlet=1)
    c.obj("loadbang", 7, 16).to(c.msg("1", 7, 17)).to(c.obj("s vocaldm-volume", 7, 18))
    out = c.obj("dac~", 3, 22)
    mix.to(out)
    mix.to(out, inlet=1)
    mix.to(c.obj("s~ vocaldm-sound", 4, 22))
    return c
