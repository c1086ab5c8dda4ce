// Main: joins the page's parts, and the keys that work everywhere.

import { Clips } from "./clips.js";
import { Drops } from "./drops.js";
import { Knobs } from "./knobs.js";
import { Notices } from "./notices.js";
import { Player } from "./player.js";
import { Requests } from "./requests.js";
import { Voice } from "./voice.js";
import { newId, Wire } from "./wire.js";

const wire = new Wire();
const notices = new Notices(wire);
const player = new Player(wire, notices);
const voice = new Voice(wire);
const requests = new Requests(wire, notices);
const clips = new Clips(wire, player, notices);
new Knobs(wire);
new Drops(wire, notices);

const LETTERS = {
  p: () => clips.newest && player.toggle(clips.newest),
  a: () => wire.send("again", newId(), ""),
  c: () => voice.capture(),
  l: () => voice.listen(),
};
const letters = document.getElementById("letters");
letters.checked = localStorage.getItem("vocaldm.letters") !== "no";
letters.addEventListener("change", () => localStorage.setItem("vocaldm.letters", letters.checked ? "yes" : "no"));

// Where there is one column, the clips come before the sliders are wanted.
if (matchMedia("(max-width: 559px)").matches) document.getElementById("shape").open = false;

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (event.key === "Escape") {
    player.stop();
    requests.cancelAll();
  } else if (letters.checked && !document.activeElement?.matches("input:not([type=checkbox], [type=range]), select, textarea")) {
    LETTERS[event.key.toLowerCase()]?.();
  }
});

wire.open();
