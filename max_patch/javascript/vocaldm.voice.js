// Voice: reads files into whichever of two buffers does not sound, and swaps when the file is there. Plain ES5.
// Arguments: the names of the two buffers. Inlet 0: read path, loaded a|b (a buffer's done bang), playing, ended, voice n.
// Outlets: 0 to buffer a, 1 to buffer b, 2 the name to play from now on, 3 to the outside: loaded n name, failed n path.

inlets = 1;
outlets = 4;

var PATIENCE = 5000; // ms until a file that was never read counts as failed

var names = [String(jsarguments[1]), String(jsarguments[2])];
var number = 1;
var current = -1; // buffer that a play takes
var sounding = -1;
var loading = -1;
var path = "";
var waiting = "";

var late = new Task(giveUp, this);

function voice(index) {
    number = index;
}

function read(file) {
    waiting = String(file);
    next();
}

function next() {
    if (waiting === "" || loading >= 0) return;
    var idle = current === 0 ? 1 : 0;
    if (idle === sounding) return; // what is heard is not replaced under the listener's ears
    path = waiting;
    waiting = "";
    loading = idle;
    outlet(idle, "replace", path);
    late.schedule(PATIENCE);
}

function loaded(which) {
    var index = which === "a" ? 0 : 1;
    if (index !== loading) return;
    late.cancel();
    current = index;
    loading = -1;
    outlet(2, names[index]);
    outlet(3, "loaded", number, names[index]);
    next();
}

function giveUp() {
    loading = -1;
    outlet(3, "failed", number, path);
    next();
}

function playing() {
    sounding = current;
    next();
}

function ended() {
    sounding = -1;
    next();
}
