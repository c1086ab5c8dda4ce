// Voice: level meter, push to talk, the automatic gate, capture, and the keys that reach them from everywhere.

import { newId } from "./wire.js";

const FLOOR = -60;
const by = (id) => document.getElementById(id);
const FIELDS = "input:not([type=range]), select, textarea, [contenteditable]";
const PRESSED_BY_SPACE = "button, a, summary, label";

export class Voice {
  #held = false;
  #toldAt = 0;

  constructor(wire) {
    this.wire = wire;
    wire.on("connection", (on) => this.#enable(on))
      .on("mic/level", (peak, rms, open) => this.#level(peak, rms, open))
      .on("mic/ok", (device) => this.#microphone(device, ""))
      .on("mic/lost", (sentence) => this.#microphone("", sentence))
      .on("recording", (on) => this.#recording(on === 1))
      .on("listening", (on) => by("listen").setAttribute("aria-checked", String(on === 1)));
    this.#recordButton(by("record"));
    by("listen").addEventListener("click", () => this.listen());
    by("capture").addEventListener("click", () => this.capture());
    addEventListener("keydown", (event) => this.#key(event, true));
    addEventListener("keyup", (event) => this.#key(event, false));
    // Wherever the pointer or the keyboard went: what was held is let go.
    for (const name of ["blur", "pagehide"]) addEventListener(name, () => this.hold(false));
  }

  /** Push to talk down or up. */
  hold(on) {
    if (on === this.#held) return;
    this.#held = on;
    // For the figure "press to recording" on the console: performance.getEntriesByType("measure").
    if (on) performance.mark("record-pressed");
    this.wire.send("record", on ? 1 : 0);
  }

  listen() {
    this.wire.send("listen", by("listen").getAttribute("aria-checked") === "true" ? 0 : 1);
  }

  capture() {
    const field = by("capture-seconds");
    const seconds = Math.min(60, Math.max(0.1, Number(field.value) || 4));
    this.wire.send("capture", seconds, newId());
  }

  #recordButton(button) {
    button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      button.setPointerCapture(event.pointerId);
      this.hold(true);
    });
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
      button.addEventListener(name, () => this.hold(false));
    }
    button.addEventListener("contextmenu", (event) => event.preventDefault());
    button.addEventListener("keydown", (event) => {
      if (event.code !== "Space" && event.code !== "Enter") return;
      event.preventDefault();
      event.stopPropagation();
      if (!event.repeat) this.hold(true);
    });
    button.addEventListener("keyup", (event) => {
      if (event.code !== "Space" && event.code !== "Enter") return;
      event.preventDefault();
      event.stopPropagation();
      this.hold(false);
    });
    // A screen reader can click and not hold: its click goes down, the next one up.
    button.addEventListener("click", (event) => {
      if (event.detail === 0 && !event.pointerType) this.hold(!this.#held);
    });
  }

  #key(event, down) {
    if (event.code !== "Space" || event.ctrlKey || event.altKey || event.metaKey) return;
    const at = document.activeElement;
    // A button that was reached by keyboard is pressed by space, one that was clicked is not meant any more.
    const meant = at?.matches(FIELDS) || (at?.matches(PRESSED_BY_SPACE) && at.matches(":focus-visible"));
    if (down && meant) return;
    if (!down && !this.#held) return;
    event.preventDefault();
    if (!event.repeat) this.hold(down);
  }

  #enable(on) {
    for (const id of ["record", "listen", "capture"]) by(id).disabled = !on;
    if (!on) {
      this.#held = false;
      this.#recording(false);
      this.#level(FLOOR, FLOOR, 0);
    }
  }

  #recording(on) {
    by("record").setAttribute("aria-pressed", String(on));
    by("record-text").textContent = on ? "Recording" : "Hold to record";
    document.body.classList.toggle("recording", on);
    if (on && this.#held) performance.measure("press to recording", "record-pressed");
  }

  #microphone(device, sentence) {
    by("microphone").textContent = device ? `Microphone: ${device}` : sentence;
    by("microphone").classList.toggle("bad", !device);
    if (!device) this.#level(FLOOR, FLOOR, 0);
  }

  #level(peak, rms, open) {
    const share = (decibel) => Math.min(1, Math.max(0, 1 - decibel / FLOOR));
    by("meter-rms").style.transform = `scaleX(${share(rms)})`;
    by("meter-peak").style.left = `${100 * share(peak)}%`;
    by("record").style.setProperty("--level", share(rms).toFixed(3));
    by("meter").classList.toggle("open", open === 1);
    by("meter").classList.toggle("hot", peak > -1);
    const now = performance.now();
    if (now - this.#toldAt < 1000) return;
    this.#toldAt = now;
    by("meter").setAttribute("aria-valuenow", Math.round(Math.max(FLOOR, rms)));
  }
}
