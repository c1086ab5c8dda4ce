// Client: keeps the lease, finds the daemon again, notices lost events. Plain ES5: the js object of Max 8.6 and 9.
// Inlet 0: events as udpreceive gives them (/vocaldm/name seq ...), and settings: host, port, token.
// Outlet 0: events without seq. Outlet 1: connected 0|1, fits 0|1, sentence text, missed. Outlet 2: to udpsend. 3: to udpreceive.

inlets = 1;
outlets = 4;

var MADE_FOR = "@MADE_FOR@"; // first two numbers of the daemon's version
var PROGRAMS = @PROGRAMS@;
var LEASE = @LEASE@; // seconds
var SILENT = 3; // pings without an answer until the daemon counts as gone
var ROOT = "/vocaldm/";

var daemonHost = typeof jsarguments[1] === "string" && jsarguments[1].charAt(0) !== "#" ? jsarguments[1] : "127.0.0.1";
var daemonPort = jsarguments[2] > 0 ? jsarguments[2] : @PORT@;
var secret = "";
var ownPort = 0;
var expected = 0;
var alive = -1; // not known yet
var silence = 0;
var ticks = 0;

var clock = new Task(tick, this);
clock.interval = 1000;

function loadbang() {
    udp();
    clock.repeat(-1);
}

function bang() {
    subscribe();
}

// Several patches may run: each listens on a port of its own, drawn anew while nobody answers there.
function draw() {
    ownPort = 20000 + Math.floor(Math.random() * 20000);
    outlet(3, "port", ownPort);
}

function udp() {
    outlet(2, "host", daemonHost);
    outlet(2, "port", daemonPort);
    draw();
    expected = 0;
    ticks = 0;
}

function tick() {
    silence += 1;
    if (silence > SILENT) {
        living(0);
        if (silence % 5 === 0) draw();
    }
    if (alive !== 1 || ticks % Math.floor(LEASE / 3) === 0) subscribe();
    ticks += 1;
    outlet(2, ROOT + "ping", "vocaldm.client");
}

function subscribe() {
    if (secret === "") outlet(2, ROOT + "subscribe", ownPort, LEASE, 0);
    else outlet(2, ROOT + "subscribe", ownPort, LEASE, 0, secret);
}

function living(now) {
    if (now === alive) return;
    alive = now;
    outlet(1, "connected", now);
    if (now === 0) outlet(1, "sentence", "Not connected: start the daemon with vocaldm live.");
}

function host(name) {
    daemonHost = name;
    udp();
}

function port(number) {
    daemonPort = number;
    udp();
}

function token(word) {
    secret = String(word);
    subscribe();
}

function anything() {
    var event = messagename;
    var all = arrayfromargs(arguments);
    if (event.indexOf(ROOT) !== 0 || typeof all[0] !== "number") return;
    var seq = all.shift();
    silence = 0;
    living(1);
    follow(event, seq);
    if (event === ROOT + "version/is") version(all[0], all[1]);
    outlet(0, [event].concat(all));
}

// A new lease begins with state/begin and 0. Any other 0 is an answer to somebody who has no lease.
function follow(event, seq) {
    if (event === ROOT + "state/begin" && seq === 0) {
        expected = 1;
        return;
    }
    if (seq === 0 && expected !== 0) {
        expected = 0;
        subscribe();
        return;
    }
    if (seq !== expected) {
        outlet(1, "missed");
        outlet(2, ROOT + "state");
    }
    expected = seq === 2147483647 ? 0 : seq + 1;
}

function version(program, number) {
    var ours = PROGRAMS.indexOf(String(program)) >= 0;
    var fitting = ours && String(number).indexOf(MADE_FOR + ".") === 0;
    outlet(1, "fits", fitting ? 1 : 0);
    if (!ours) {
        outlet(1, "sentence", "Another program answers on port " + daemonPort + ": give the daemon's port.");
    } else if (!fitting) {
        outlet(1, "sentence", "This patch is for version " + MADE_FOR + " of VocalDM Live and the daemon is version "
            + number + ": update one.");
    }
}
