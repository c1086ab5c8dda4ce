// Live: puts a clip into Ableton Live through the Live API (create_audio_clip, Live 12.0.5 or later). Plain ES5.
// Inlet 0: clip PATH NAME, place 0 (selected slot) or 1 (arrangement). Outlet 0: set SENTENCE.

inlets = 1;
outlets = 1;

var place_ = 0;

function place(number) {
    place_ = number;
}

function say(sentence) {
    outlet(0, "set", sentence);
}

function first(api, name) {
    var value = api.get(name);
    return Number(value instanceof Array ? value[0] : value);
}

function there(api) {
    return api !== null && api !== undefined && Number(api.id) !== 0;
}

function recent() {
    var app = new LiveAPI("live_app");
    if (!there(app)) return -1;
    var number = Number(app.call("get_major_version")) * 10000 + Number(app.call("get_minor_version")) * 100
        + Number(app.call("get_bugfix_version"));
    return number >= 120005 ? 1 : 0;
}

function clip(path, name) {
    var able = recent();
    if (able < 0) {
        say("Live does not answer: use this device inside Ableton Live.");
    } else if (able === 0) {
        say("This Live cannot import by itself (12.0.5 or later can): drag in " + path);
    } else {
        var sentence = place_ === 1 ? toArrangement(path, name) : toSlot(path, name);
        say(sentence);
    }
}

function toSlot(path, name) {
    var slot = new LiveAPI("live_set view highlighted_clip_slot");
    if (!there(slot)) return "Select an empty slot of an audio track in the session first.";
    if (first(slot, "has_clip") === 1) return "The selected slot holds a clip already: select an empty one.";
    var track = new LiveAPI(String(slot.unquotedpath).replace(/ clip_slots \d+$/, ""));
    if (first(track, "has_audio_input") !== 1) return "The selected slot is on a MIDI track: select an audio track.";
    slot.call("create_audio_clip", path);
    if (first(slot, "has_clip") !== 1) return "Live did not take the file: is the track frozen or recording?";
    return "In the selected slot: " + name;
}

function toArrangement(path, name) {
    var track = new LiveAPI("live_set view selected_track");
    if (!there(track) || first(track, "has_audio_input") !== 1) return "Select an audio track first.";
    if (first(track, "is_frozen") === 1) return "The selected track is frozen: unfreeze it, or select another.";
    var song = new LiveAPI("live_set");
    var beats = first(song, "current_song_time");
    var before = track.getcount("arrangement_clips");
    track.call("create_audio_clip", path, beats);
    if (track.getcount("arrangement_clips") === before && before === 0) return "Live did not take the file.";
    return "In the arrangement at beat " + (beats + 1).toFixed(2) + ": " + name;
}
