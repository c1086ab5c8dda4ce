// Card: one clip with its picture and what can be done with it.

import { draw, span } from "./drawing.js";
import { newId } from "./wire.js";

const template = document.getElementById("card");
const by = (id) => document.getElementById(id);
export const DRAGGED = "application/x-vocaldm-clip";

export class Card {
  #view = null;
  #image = null;
  #asked = false;

  /** `clip`: id, path, name, created, seconds, seed, starred. `desk`: wire, player, notices, remove, shown. */
  constructor(clip, desk) {
    this.clip = clip;
    this.desk = desk;
    this.element = template.content.firstElementChild.cloneNode(true);
    this.element.dataset.clip = clip.id;
    this.canvas = this.#part("canvas");
    this.playhead = this.#part(".playhead");
    this.audio = `/clips/${clip.id}/audio`;
    this.#wire();
    this.show(clip);
  }

  /** Show what the history says of the clip. */
  show(clip) {
    this.clip = { ...this.clip, ...clip };
    const { name, seconds, seed, starred, created } = this.clip;
    this.#part("h3").textContent = name;
    this.#part(".star").setAttribute("aria-pressed", String(Boolean(starred)));
    this.#label(".star", "Star");
    this.#label(".play", "Play", false);
    for (const [part, what] of [[".again", "Again"], [".refine", "Refine"], [".like", "Like"]]) this.#label(part, what, false);
    this.#label(".save", "Download");
    this.#label(".copy", "Copy the path of");
    this.#label(".remove", "Remove from view");
    const file = this.clip.path.split(/[/\\]/).pop();
    Object.assign(this.#part(".save"), { href: `${this.audio}?download`, download: file });
    const facts = [`${seconds.toFixed(2)} s`, `seed ${seed}`];
    if (this.#view) facts.push(`${this.#view.steps} steps`);
    if (created) facts.push(clock(created));
    this.#part(".facts").textContent = facts.join(" · ");
    this.#describe();
  }

  /** The picture is fetched when the card is first seen. */
  async seen() {
    if (this.#asked) return;
    this.#asked = true;
    try {
      const answer = await fetch(`/clips/${this.clip.id}/view`);
      const plain = await answer.json();
      if (!answer.ok) throw new Error(plain.sentence);
      this.#view = plain;
      this.show({});
      this.redraw();
      const image = new Image();
      image.src = `/clips/${this.clip.id}/spectrogram.png`;
      await image.decode();
      this.#image = image;
      this.redraw();
    } catch (error) {
      this.#asked = false;
      if (!(error instanceof TypeError)) this.#part(".facts").textContent = error.message;
    }
  }

  redraw() {
    if (this.#view) draw(this.canvas, this.#view, this.#image, this.desk.shown);
  }

  /** Where the player is in this clip, in seconds; null: it is not playing. */
  playing(seconds) {
    const on = seconds !== null;
    const was = this.element.classList.contains("playing");
    this.playhead.hidden = !on;
    if (on) this.playhead.style.left = `${(100 * seconds) / (this.#view ? span(this.#view) : this.clip.seconds)}%`;
    if (on === was) return;
    this.element.classList.toggle("playing", on);
    this.#part(".play span").textContent = on ? "Stop" : "Play";
    this.#part(".play use").setAttribute("href", on ? "#i-stop" : "#i-play");
    this.#label(".play", on ? "Stop" : "Play", false);
  }

  liked(on) {
    this.#part(".like").setAttribute("aria-pressed", String(on));
  }

  #wire() {
    const { wire, player, notices } = this.desk;
    const id = this.clip.id;
    const on = (part, call) => this.#part(part).addEventListener("click", call);
    on(".play", () => player.toggle(this));
    on(".again", () => wire.send("again", newId(), id));
    on(".refine", () => wire.send("refine", newId(), id, Math.max(1, Math.round(Number(by("refine-steps").value) || 50))));
    on(".like", () => wire.send("like", this.#part(".like").getAttribute("aria-pressed") === "true" ? "" : id));
    on(".star", () => {
      const starred = this.clip.starred ? 0 : 1;
      if (wire.send("star", id, starred)) this.show({ starred });
    });
    on(".remove", () => this.desk.remove(this));
    on(".copy", async () => {
      try {
        await navigator.clipboard.writeText(this.clip.path);
        notices.announce("The path is copied.");
        this.#part(".copy").classList.add("did");
        setTimeout(() => this.#part(".copy").classList.remove("did"), 900);
      } catch {
        notices.say(`This browser copies nothing here; the clip is ${this.clip.path}`, "good");
      }
    });
    this.#part(".save").addEventListener("dragstart", (event) => this.#drag(event));
    this.canvas.addEventListener("click", (event) => {
      const box = this.canvas.getBoundingClientRect();
      const seconds = (span(this.#view ?? this.clip) * (event.clientX - box.left)) / box.width;
      if (seconds < this.clip.seconds) player.play(this, seconds);
    });
  }

  #drag(event) {
    const file = this.clip.path.split(/[/\\]/).pop();
    const address = new URL(this.audio, location.href).href;
    // A browser makes a file of this where it is dropped; other pages and our own example zone take the others.
    event.dataTransfer.setData("DownloadURL", `audio/wav:${file}:${address}`);
    event.dataTransfer.setData("text/plain", this.clip.path);
    event.dataTransfer.setData(DRAGGED, this.clip.id);
    event.dataTransfer.effectAllowed = "copy";
  }

  #label(part, what, title = true) {
    const element = this.#part(part);
    element.setAttribute("aria-label", `${what} ${this.clip.name}`);
    if (title) element.title = what.replace(" of", "");
  }

  #describe() {
    const words = `Spectrogram and waveform of ${this.clip.name}, ${this.clip.seconds.toFixed(2)} seconds`;
    const voice = this.#view?.voice ? ", with loudness, pitch and centroid of voice and clip" : "";
    this.canvas.setAttribute("aria-label", words + voice);
  }

  #part(selector) {
    return this.element.querySelector(selector);
  }
}

function clock(created) {
  const when = new Date(created);
  if (Number.isNaN(when.getTime())) return created;
  const today = new Date().toDateString() === when.toDateString();
  const time = when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  return today ? time : `${when.toLocaleDateString([], { day: "numeric", month: "short" })}, ${time}`;
}
