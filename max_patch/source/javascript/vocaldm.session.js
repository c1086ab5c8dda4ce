// Session: what an instrument knows: the chosen clip, the history, request ids, and the sentences to show. Plain ES5.
// Inlet 0: events and status of vocaldm.client, and what a person asks for: again, refine, like, generate, star, pick, ...
// Outlets: 0 to the daemon, 1 state line, 2 news line, 3 progress 0..1, 4 stage, 5 history list, 6 preset menu,
// 7 the chosen clip (read n path, shown text, clip path, play), 8 seed lock.

inlets = 1;
outlets = 9;

var ROOT = "/vocaldm/";
var ROWS = @ROWS@;

var chosen = { clip: "", path: "", seed: "", name: "" };
var rows = [];
var coming = [];
var presets = [];
var playing = "";
var counted = 0;
var base = Math.floor(Math.random() * 900000) + 100000;
var fitting = 1;
var playNew = 0;

function id() {
    counted += 1;
    return "max-" + base + "-" + counted;
}

function toDaemon() {
    var all = arrayfromargs(arguments);
    all[0] = ROOT + all[0];
    outlet(0, all);
}

function news(sentence) {
    outlet(2, "set", String(sentence));
}

// What a person asks for ------------------------------------------------------------------------------------

function generate(path) {
    toDaemon("generate", id(), String(path));
}

function again() {
    toDaemon("again", id(), chosen.clip);
}

function refine(steps) {
    if (chosen.clip === "") news("Choose a clip of the history first, then refine it.");
    else toDaemon("refine", id(), chosen.clip, Math.round(steps));
}

function like(what) {
    if (what === "none") toDaemon("like", "");
    else if (what !== "clip") toDaemon("like", String(what));
    else if (chosen.clip === "") news("Choose a clip of the history first, or drop a sound file.");
    else toDaemon("like", chosen.clip);
}

function star() {
    if (chosen.clip === "") {
        news("Choose a clip of the history first, then star it.");
        return;
    }
    toDaemon("star", chosen.clip, chosen.starred ? 0 : 1);
}

function history() {
    toDaemon("history", ROWS);
}

function lock(on) {
    var seed = Number(chosen.seed);
    if (!on) seed = -1;
    else if (chosen.seed === "" || !(seed >= 0 && seed <= 2147483647)) seed = Math.floor(Math.random() * 2147483647);
    toDaemon("param/seed", seed);
}

function pick(row) {
    if (row < 0 || row >= rows.length) return;
    choose(rows[row]);
    outlet(7, "read", 1, chosen.path);
}

function play() {
    if (chosen.path === "") {
        news("There is no clip yet: record a gesture.");
        return;
    }
    if (chosen.seconds > 0) toDaemon("audition", chosen.seconds);
    outlet(7, "play", chosen.variation + 1);
}

function playnew(on) {
    playNew = on;
}

function tolive() {
    if (chosen.path === "") news("There is no clip yet: record a gesture.");
    else outlet(7, "clip", chosen.path, chosen.name);
}

function preset(row) {
    if (presets[row] !== undefined) toDaemon("param/preset", presets[row]);
}

function choose(one) {
    chosen = one;
    var starred = one.starred ? "* " : "";
    outlet(7, "shown", starred + one.name + "   " + one.seconds.toFixed(2) + " s   seed " + one.seed);
}

// What vocaldm.client tells ---------------------------------------------------------------------------------

function connected(now) {
    if (now) history();
}

function sentence(text) {
    outlet(1, "set", String(text));
}

function missed() {}

// A daemon of another version: the client's sentence stays, whatever the model is doing.
function fits(now) {
    fitting = now;
}

// The voice player says when it has read a file: only then can it be played.
function loaded(voice) {
    if (playNew && chosen.fresh && voice === chosen.variation + 1) {
        chosen.fresh = false;
        play();
    }
}

var EVENTS = {};

EVENTS["engine"] = function (state, text) {
    if (fitting) outlet(1, "set", String(text));
};

EVENTS["state/begin"] = function () {
    presets = [];
};

EVENTS["preset/known"] = function (name) {
    if (presets.indexOf(name) < 0) presets.push(name);
};

EVENTS["preset/is"] = function (name) {
    playing = name;
    menu();
};

EVENTS["state/end"] = function () {
    menu();
};

function menu() {
    outlet(6, "clear");
    for (var i = 0; i < presets.length; i++) outlet(6, "append", presets[i]);
    if (presets.indexOf(playing) >= 0) outlet(6, "setsymbol", playing);
}

EVENTS["param/seed"] = function (seed) {
    outlet(8, "set", seed >= 0 ? 1 : 0);
};

EVENTS["heard"] = function (request, source, name, seconds) {
    news("Heard: " + name + ", " + Number(seconds).toFixed(1) + " s.");
};

EVENTS["accepted"] = function () {
    stage("waits", 0);
};

EVENTS["progress"] = function (request, variation, where, step, steps) {
    stage(where, steps > 0 ? step / steps : 0);
};

EVENTS["ready"] = function (request, variation, path, clip, seconds, seed) {
    choose({
        clip: clip, path: path, name: fileName(path), seconds: Number(seconds), seed: seed,
        variation: variation, starred: 0, fresh: true
    });
};

EVENTS["done"] = function () {
    stage("done", 0);
    history();
};

EVENTS["cancelled"] = function () {
    stage("cancelled", 0);
};

EVENTS["failed"] = function (request, text) {
    stage("failed", 0);
    news(text);
};

EVENTS["dropped"] = function (request, text) {
    stage("dropped", 0);
    news(text);
};

EVENTS["refused"] = function (path, text) {
    news(text);
};

EVENTS["preset/refused"] = function (name, text) {
    news(text);
};

EVENTS["mic/lost"] = function (text) {
    news(text);
};

EVENTS["mic/ok"] = function (device) {
    news("The microphone is " + device + ".");
};

EVENTS["mic/overflow"] = function (count) {
    news(count + " blocks of sound were lost: this computer is busy.");
};

EVENTS["liking"] = function (sound) {
    if (sound !== "") news("Gestures take the timbre of " + fileName(sound) + ".");
};

EVENTS["error"] = function (code, address, request, text) {
    news(text);
};

EVENTS["history/begin"] = function () {
    coming = [];
};

EVENTS["history/item"] = function (clip, path, name, created, seconds, seed, starred) {
    coming.push({
        clip: clip, path: path, name: name, seconds: Number(seconds), seed: seed, variation: 0, starred: starred
    });
};

EVENTS["history/end"] = function () {
    rows = coming.slice(0, ROWS);
    outlet(5, "clear");
    for (var i = 0; i < rows.length; i++) {
        outlet(5, "append", (rows[i].starred ? "* " : "") + rows[i].name + "   " + rows[i].seconds.toFixed(2) + " s");
        if (rows[i].clip === chosen.clip) chosen.starred = rows[i].starred;
    }
};

EVENTS["starred"] = function () {
    history();
};

function stage(word, part) {
    outlet(4, "set", word);
    outlet(3, part);
}

function fileName(path) {
    var parts = String(path).split("/");
    return parts[parts.length - 1];
}

function anything() {
    if (messagename.indexOf(ROOT) !== 0) return;
    var handler = EVENTS[messagename.substring(ROOT.length)];
    if (handler !== undefined) handler.apply(null, arrayfromargs(arguments));
}
