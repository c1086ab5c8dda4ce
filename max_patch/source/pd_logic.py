"""Pd logic: what stands behind the page of `vocaldm.pd`: from controls to commands, from events to what is shown."""

from __future__ import annotations

from collections.abc import Callable

from max_patch.source.addresses import PORT, ROWS, entry, name, parameters
from max_patch.source.pd_clips import clips, player, rows
from max_patch.source.pd_file import COMMAND, EVENT, Box, Canvas, to_daemon


def logic(presets: int) -> Canvas:
    """All of it as one subpatch; `presets` is how many the page has room for."""
    c = Canvas(640, 260, "logic")
    c.note(
        "Commands go in at vocaldm-command (record 1), events come out at vocaldm-event (recording 1).", 0, 0
    )
    daemon = c.obj(f"vocaldm.client {PORT}", 0, 3)
    c.obj(f"r {COMMAND}", 0, 2).to(daemon)
    c.obj("r vocaldm-settings", 1, 2).to(daemon, inlet=1)
    daemon.to(c.obj(f"s {EVENT}", 0, 4))
    daemon.to(c.obj("s vocaldm-status", 1, 4), outlet=1)
    for number, part in enumerate(
        (_gestures(), _requests(), _sliders(), _presets(presets), _shown(), clips(), rows(), player())
    ):
        c.sub(part, number % 4, 6 + number // 4)
    return c


def _gestures() -> Canvas:
    """record, listen, capture, cancel, history."""
    c = Canvas(name="gestures")
    for column, switch in enumerate(("record", "listen")):
        c.obj(f"r vocaldm.{switch}", column, 0).to(c.msg(f"{switch} $1", column, 1)).to(
            to_daemon(c, column, 2)
        )
    for column, plain in enumerate(("cancel", "history"), 2):
        words = plain if plain == "cancel" else f"{plain} {ROWS}"
        c.obj(f"r vocaldm.{plain}", column, 0).to(c.msg(words, column, 1)).to(to_daemon(c, column, 2))
    seconds = c.obj("f 4", 0, 6)
    c.obj("r vocaldm.capture", 0, 5).to(c.obj("bang", 0, 5.5)).to(seconds)
    c.obj("r vocaldm.capture-seconds", 1, 5).to(seconds, inlet=1)
    seconds.to(c.msg("capture $1", 0, 7)).to(to_daemon(c, 0, 8))
    return c


def _id(c: Canvas, column: float, row: float) -> Box:
    """A request's id for every bang, one that no other patch has taken."""
    return c.obj("r vocaldm.id", column, row)


def _requests() -> Canvas:
    """generate, again, refine, like: what needs an id, a clip or a file."""
    c = Canvas(900, 700, "requests")
    # Ids: when it is asked for and how often it was, so that two programs hardly ever choose the same.
    ask = c.obj("r vocaldm.need-id", 4, 0).to(c.obj("t b b", 4, 1))
    clock = c.obj("realtime", 5, 2)
    ask.to(clock, inlet=1, outlet=1)
    number = c.obj("f", 4, 3)
    ask.to(number)
    number.to(c.obj("+ 1", 6, 3)).to(number, inlet=1)
    both = c.obj("pack f f", 4, 5)
    number.to(both)
    clock.to(c.obj("int", 5, 3)).to(c.obj("mod 100000", 5, 4)).to(both, inlet=1)
    both.to(c.msg("symbol pd-$2-$1", 4, 6)).to(c.obj("s vocaldm.id", 4, 7))

    def with_id(first: Box, command: str, column: float, row: float) -> Box:
        """Box that takes what follows the id, and sends the whole."""
        order = c.obj("t a b", column, row)
        first.to(order)
        order.to(c.obj("s vocaldm.need-id", column + 0.6, row + 1), outlet=1)
        whole = c.obj("list prepend", column, row + 2)
        order.to(whole)
        _id(c, column + 0.8, row + 1.9).to(whole, inlet=1)
        named = whole.to(c.obj(f"list prepend {command}", column, row + 3))
        named.to(c.obj("list trim", column, row + 4)).to(to_daemon(c, column, row + 5))
        return order

    # generate: a file from the dialogue, or by name
    file = c.obj("t a", 0, 3)
    c.obj("r vocaldm.generate", 0, 0).to(c.obj("bang", 0, 1)).to(c.obj("openpanel", 0, 2)).to(file)
    c.obj("r vocaldm-generate-file", 1, 2).to(file)
    with_id(file, "generate", 0, 4)
    # again: the chosen clip's gesture, or the last one
    chosen = c.obj("symbol", 2, 3)
    c.obj("r vocaldm.again", 2, 0).to(c.obj("bang", 2, 1)).to(chosen)
    c.obj("r vocaldm.chosen", 3, 2).to(chosen, inlet=1)
    with_id(chosen, "again", 2, 4)
    # refine: the chosen clip, so many steps
    order = c.obj("t b b", 0, 13)
    c.obj("r vocaldm.refine", 0, 11).to(c.obj("bang", 0, 12)).to(order)
    steps = c.obj("f 20", 1, 14)
    c.obj("r vocaldm.refine-steps", 2, 13).to(steps, inlet=1)
    order.to(steps, outlet=1)
    clip = c.obj("symbol", 0, 15)
    order.to(clip)
    c.obj("r vocaldm.chosen", 2, 14).to(clip, inlet=1)
    both = c.obj("list append", 0, 16)
    clip.to(both)
    steps.to(both, inlet=1)
    with_id(both, "refine", 0, 17)
    # like: a file, the chosen clip, or nothing
    like = c.obj("list prepend like", 3, 16)
    like.to(c.obj("list trim", 3, 17)).to(to_daemon(c, 3, 18))
    c.obj("r vocaldm.like-open", 3, 11).to(c.obj("bang", 3, 12)).to(c.obj("openpanel", 3, 13)).to(like)
    c.obj("r vocaldm-like-file", 4, 13).to(like)
    liked = c.obj("symbol", 5, 14)
    c.obj("r vocaldm.like-clip", 5, 12).to(c.obj("bang", 5, 13)).to(liked)
    c.obj("r vocaldm.chosen", 6, 13).to(liked, inlet=1)
    liked.to(like)
    c.obj("r vocaldm.like-none", 5, 15).to(c.msg("like", 5, 16)).to(to_daemon(c, 5, 17))
    return c


def _sliders() -> Canvas:
    """Every daily parameter: what a control says goes to the daemon, what the daemon says is shown and sends nothing."""
    c = Canvas(900, 700, "sliders")
    shown = [one for one in parameters() if one.daily and name(one) not in ("param/sampler", "param/preset")]
    source = c.obj(f"r {EVENT}", 0, 0).to(c.obj(f"route {' '.join(name(one) for one in shown)}", 0, 1))
    for number, one in enumerate(shown):
        short = one.arguments[0].name
        column, row = number % 5, 3 + 8 * (number // 5)
        put = c.obj("list prepend set", column, row)
        source.to(put, outlet=number)
        trim = put.to(c.obj("list trim", column, row + 1))
        trim.to(c.obj(f"s vocaldm-{short}", column, row + 2))
        if one.arguments[0].kind != "s" and short != "seed":
            trim.to(c.obj(f"s vocaldm-{short}-number", column, row + 3))
        from_control = c.obj(f"r vocaldm.{short}", column, row + 4)
        if one.arguments[0].kind == "i":
            from_control = from_control.to(c.obj("int", column, row + 5))
        from_control.to(c.obj(f"list prepend {name(one)}", column, row + 6)).to(
            c.obj("list trim", column, row + 6.8)
        ).to(to_daemon(c, column + 0.5, row + 6.8))
    # Seed lock: a seed that a 32-bit float holds exactly, or a new one for every gesture.
    lock = c.obj("r vocaldm.lock", 0, 20).to(c.obj("sel 1 0", 0, 21))
    draw = c.obj("t b b", 0, 22)
    lock.to(draw)
    drawn = c.obj("random 1000000", 0, 24)
    clock = c.obj("realtime", 1, 22.8)
    draw.to(clock, inlet=1, outlet=1)
    clock.to(c.msg("seed $1", 1, 23.6)).to(drawn)
    draw.to(drawn)
    drawn.to(c.obj("s vocaldm.seed", 0, 25))
    lock.to(c.msg("-1", 1, 21.8), outlet=1).to(c.obj("s vocaldm.seed", 2, 25))
    c.obj(f"r {EVENT}", 2, 20).to(c.obj("route param/seed", 2, 21)).to(c.obj(">= 0", 2, 22)).to(
        c.msg("set $1", 2, 23)
    ).to(c.obj("s vocaldm-lock", 2, 24))
    return c


def _presets(room: int) -> Canvas:
    """The presets that the daemon knows, and the samplers of the table."""
    c = Canvas(900, 600, "presets")
    source = c.obj(f"r {EVENT}", 0, 0).to(
        c.obj("route state/begin preset/known preset/is param/sampler", 0, 1)
    )
    source.to(c.msg("clear", 0, 3)).to(c.obj("text define vocaldm.presets", 0, 5))
    zero = c.msg("0", 1, 3)
    source.to(zero)
    index = c.obj("f", 1, 5)
    zero.to(index, inlet=1)
    known = source.to(c.obj("symbol", 2, 2.2), outlet=1).to(c.obj("t b a b", 2, 3.2))
    known.to(index, outlet=2)
    row = c.obj("t f f", 1, 6)
    index.to(row)
    index.to(c.obj("+ 1", 2, 5)).to(index, inlet=1)
    keep = c.obj("text set vocaldm.presets", 2, 8)
    row.to(keep, inlet=1, outlet=1)
    label = c.obj("symbol", 3, 6)
    known.to(label, inlet=1, outlet=1)
    known.to(label)
    named = c.obj("t a a", 3, 7)
    label.to(named)
    named.to(c.obj("list", 2, 7), outlet=1).to(keep)
    where = c.obj("makefilename vocaldm-preset-%d", 1, 8)
    row.to(where)
    show = c.obj("s", 3, 10)
    where.to(show, inlet=1)
    named.to(c.msg("label $1", 3, 8)).to(show)
    # Which one plays
    playing = c.obj("list split 1", 0, 10)
    source.to(playing, outlet=2)
    search = c.obj("text search vocaldm.presets", 0, 11)
    playing.to(search)
    search.to(c.obj("max 0", 0, 12)).to(c.msg("set $1", 0, 13)).to(c.obj("s vocaldm-preset-number", 0, 14))
    # Another one: by number on the page, or by name from any patch
    pick = c.obj("r vocaldm.preset-number", 4, 3).to(c.obj("text get vocaldm.presets", 4, 4))
    send = c.obj("list prepend param/preset", 4, 6)
    pick.to(send)
    c.obj("r vocaldm-preset", 5, 5).to(send)
    send.to(c.obj("list trim", 4, 7)).to(to_daemon(c, 4, 8))
    # Samplers
    choices = [str(choice) for choice in entry("param/sampler").arguments[0].choices]
    which = c.obj(f"route {' '.join(choices)}", 0, 17)
    source.to(which, outlet=3)
    pressed = c.obj("r vocaldm.sampler-number", 4, 16).to(
        c.obj(f"sel {' '.join(str(number) for number in range(len(choices)))}", 4, 17)
    )
    for number, choice in enumerate(choices):
        which.to(c.msg(f"set {number}", number * 0.6, 18), outlet=number).to(
            c.obj("s vocaldm-sampler-number", 0, 20)
        )
        pressed.to(c.msg(f"param/sampler {choice}", 4, 18 + number), outlet=number).to(to_daemon(c, 4, 22))
    return c


def _label(c: Canvas, receive: str, column: float, row: float) -> Callable[[Box, int], Box]:
    """Shows the text that comes from a box as the label of a panel."""
    # route makes a selector of a lone symbol: list append makes an argument of it again.
    put = c.obj("list append", column, row)
    put.to(c.msg("label $1", column, row + 1)).to(c.obj(f"s {receive}", column, row + 2))

    def show(box: Box, outlet: int = 0) -> Box:
        return box.to(put, outlet=outlet)

    return show


def _shown() -> Canvas:
    """What the page tells: connection, engine, microphone, level, progress, and every sentence."""
    c = Canvas(1100, 700, "shown")
    line = _label(c, "vocaldm-line", 0, 20)
    news = _label(c, "vocaldm-news", 2, 20)
    status = c.obj("r vocaldm-status", 0, 0).to(c.obj("route connected sentence fits", 0, 1))
    line(status, 1)
    up = status.to(c.obj("sel 1", 0, 2))
    up.to(c.obj("delay 300", 0, 3)).to(c.msg(f"history {ROWS}", 0, 4)).to(to_daemon(c, 0, 5))

    names = ("engine", "mic/ok", "mic/lost", "mic/level", "mic/overflow", "recording", "listening", "liking",
             "heard", "accepted", "progress", "done", "failed", "cancelled", "dropped", "refused",
             "preset/refused", "error", "starred")  # fmt: skip
    source = c.obj(f"r {EVENT}", 1, 0).to(c.obj(f"route {' '.join(names)}", 1, 1))
    out = {one: number for number, one in enumerate(names)}

    def unpacked(event: str, kinds: str, column: float, row: float) -> Box:
        box = c.obj(f"unpack {kinds}", column, row)
        source.to(box, outlet=out[event])
        return box

    # A daemon of another version: the client's sentence stays, whatever the model is doing.
    fitting = c.obj("spigot 1", 0, 9)
    unpacked("engine", "s s", 0, 7).to(fitting, outlet=1)
    status.to(fitting, inlet=1, outlet=2)
    line(fitting, 0)
    microphone = _label(c, "vocaldm-microphone", 4, 20)
    for event in ("mic/ok", "mic/lost"):
        source_box = c.obj("symbol", 4 + (event == "mic/lost"), 7)
        source.to(source_box, outlet=out[event])
        microphone(source_box, 0)
    overflow = c.made("%d blocks of sound were lost: this computer is busy.", 6, 7)
    source.to(overflow, outlet=out["mic/overflow"])
    news(overflow, 0)
    level = unpacked("mic/level", "f f f", 6, 9)
    level.to(c.msg("set $1", 6, 10)).to(c.obj("s vocaldm-level", 6, 11))
    level.to(c.msg("set $1", 7, 10), outlet=2).to(c.obj("s vocaldm-open", 7, 11))
    for column, (event, control) in enumerate((("recording", "record"), ("listening", "listen"))):
        box = c.msg("set $1", 6 + column, 13)
        source.to(box, outlet=out[event])
        box.to(c.obj(f"s vocaldm-{control}", 6 + column, 14))
    liking = _label(c, "vocaldm-liking", 6, 20)
    liked = c.obj("symbol", 6, 19)
    source.to(liked, outlet=out["liking"])
    liking(liked, 0)
    heard = unpacked("heard", "s s s f", 2, 5)
    named = c.made("Heard: %s", 2, 6)
    heard.to(named, outlet=2)
    news(named, 0)
    progress = unpacked("progress", "s f s f f", 3, 9)
    of = c.obj("/ 1", 3, 11)
    progress.to(of, inlet=1, outlet=4)
    progress.to(of, outlet=3)
    put = c.msg("set $1", 3, 12)
    of.to(put).to(c.obj("s vocaldm-progress", 3, 13))
    stage = _label(c, "vocaldm-stage", 4, 14)
    stage(progress, 2)
    for column, (event, word) in enumerate((("accepted", "waits"), ("done", "done"), ("cancelled", "cancelled"),
                                            ("failed", "failed"), ("dropped", "dropped"))):  # fmt: skip
        said = c.obj("bang", column, 16)
        source.to(said, outlet=out[event])
        stage(said.to(c.obj(f"symbol {word}", column, 17)), 0)
        if event != "accepted":
            said.to(c.msg("0", column, 18)).to(put)
    for column, event in enumerate(("failed", "dropped", "refused", "preset/refused")):
        news(unpacked(event, "s s", column, 23), 1)
    news(unpacked("error", "s s s s", 5, 23), 3)
    done = c.obj("bang", 7, 16)
    for event in ("done", "starred"):
        source.to(done, outlet=out[event])
    done.to(c.msg(f"history {ROWS}", 7, 17)).to(to_daemon(c, 7, 18))
    return c
