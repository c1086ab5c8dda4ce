"""A script of the Max package in an ES5 engine (Duktape), with Max's `js` object around it: messages in, outlets out."""

from __future__ import annotations

import json
from typing import Any

import dukpy
from daemons import ROOT

# What the js object gives a script. Time stands still until `tick`.
AROUND = """
var jsarguments = %s, messagename = "", OUT = [], TASKS = [], ME = this, LIVE = [];
function outlet(number) {
    var all = [];
    for (var i = 1; i < arguments.length; i++) all = all.concat(arguments[i]);
    OUT.push([number].concat(all));
}
function post() {}
function arrayfromargs() {
    return Array.prototype.slice.call(arguments[arguments.length - 1]);
}
function Task(call, owner) {
    var self = this;
    self.on = false;
    self.repeat = self.schedule = function () { self.on = true; };
    self.cancel = function () { self.on = false; };
    self.run = function () { if (self.on) call.call(owner); };
    TASKS.push(self);
}
function MESSAGE(name, values) {
    messagename = name;
    var call = typeof ME[name] === "function" && name.charAt(0) !== "/" ? ME[name] : ME.anything;
    call.apply(ME, values);
}
"""


class Script:
    """One script; `send` gives it a message, `out` says what came out since."""

    def __init__(self, name: str, *arguments: Any, before: str = "") -> None:
        self.engine = dukpy.JSInterpreter()
        self._do(AROUND % json.dumps([name, *arguments]) + before)
        self._do((ROOT / "max_patch" / "javascript" / name).read_text(encoding="utf-8"))

    def send(self, name: str, *values: Any) -> list[list[Any]]:
        """A message as it would come in at the left; what comes out of it."""
        self._do(f"MESSAGE({json.dumps(name)}, {json.dumps(values)});")
        return self.out()

    def tick(self, count: int = 1) -> list[list[Any]]:
        """Let every task that waits run, so many times."""
        self._do(f"for (var n = 0; n < {count}; n++) TASKS.forEach(function (one) {{ one.run(); }});")
        return self.out()

    def out(self) -> list[list[Any]]:
        """What came out since: [outlet, atoms ...] each."""
        return self.engine.evaljs("var all = OUT; OUT = []; all;")

    def value(self, expression: str) -> Any:
        """What an expression says inside."""
        return self.engine.evaljs(expression)

    def _do(self, code: str) -> None:
        self.engine.evaljs(code + "\n;null;")
