// Clips: the history as cards, newest first.

import { Card } from "./card.js";

const by = (id) => document.getElementById(id);
const PAGE = 30, MOST = 200;      // the daemon tells 200 at most
const REMOVED = "vocaldm.removed", MOST_REMOVED = 1000;
const list = by("cards");

export class Clips {
  #cards = new Map();
  #told = [];
  #count = PAGE;
  #removed = new Set(read(REMOVED));
  #fresh = new Set();
  #liking = "";
  #asking = 0;
  shown = { loudness: true, pitch: true, centroid: true };

  constructor(wire, player, notices) {
    this.wire = wire;
    this.player = player;
    this.notices = notices;
    this.#seen = new IntersectionObserver((entries) => this.#look(entries), { rootMargin: "300px" });
    this.#sized = new ResizeObserver((entries) => { for (const one of entries) this.#cardOf(one.target)?.redraw(); });
    wire.on("state/end", () => this.#ask())
      .on("ready", (...clip) => this.#ready(...clip))
      .on("history/begin", () => { this.#told = []; })
      .on("history/item", (id, path, name, created, seconds, seed, starred) =>
        this.#told.push({ id, path, name, created, seconds, seed, starred }))
      .on("history/end", () => this.#history())
      .on("starred", (id, starred) => this.#cards.get(id)?.show({ starred }))
      .on("liking", (path) => { this.#liking = path; this.#mark(); });
    for (const box of document.querySelectorAll("[data-curve]")) {
      box.addEventListener("change", () => { this.shown[box.dataset.curve] = box.checked; this.redraw(); });
    }
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => requestAnimationFrame(() => this.redraw()));
    by("older").addEventListener("click", () => { this.#count = Math.min(MOST, this.#count * 2); this.#ask(); });
    by("restore").addEventListener("click", () => { this.#removed.clear(); this.#keep(); this.#ask(); });
  }

  #seen;
  #sized;

  get newest() {
    return this.#cards.get(list.firstElementChild?.dataset.clip);
  }

  redraw() {
    for (const card of this.#cards.values()) card.redraw();
  }

  /** Take a card out of view; the file and the history stay as they are. */
  remove(card) {
    const beside = card.element.nextElementSibling ?? card.element.previousElementSibling;
    this.player.stop();
    this.#removed.add(card.clip.id);
    this.#keep();
    this.#drop(card.clip.id);
    this.#tidy();
    (beside?.querySelector(".remove") ?? by("restore")).focus();
  }

  #ask() {
    // Several clips of one gesture ask once.
    clearTimeout(this.#asking);
    this.#asking = setTimeout(() => this.wire.send("history", this.#count), 40);
  }

  #ready(id, variation, path, clip, seconds, seed) {
    if (!clip) return;      // a history that can't be written is told by an error of its own
    this.#fresh.add(clip);
    this.#told = this.#told.filter((one) => one.id !== clip);
    this.#ask();
  }

  #history() {
    const wanted = this.#told.filter((one) => !this.#removed.has(one.id));
    const ids = new Set(wanted.map((one) => one.id));
    for (const id of [...this.#cards.keys()]) if (!ids.has(id)) this.#drop(id);
    wanted.forEach((clip, place) => {
      let card = this.#cards.get(clip.id);
      if (card) card.show(clip);
      else card = this.#make(clip);
      // Moved only where it is not: a button that is moved loses its focus.
      if (list.children[place] !== card.element) list.insertBefore(card.element, list.children[place] ?? null);
    });
    this.#mark();
    this.#tidy();
  }

  #make(clip) {
    const card = new Card(clip, this);
    this.#cards.set(clip.id, card);
    if (this.#fresh.delete(clip.id)) {
      card.element.classList.add("fresh");
      this.notices.announce(`Clip ready: ${clip.name}, ${clip.seconds.toFixed(1)} seconds.`);
    }
    this.#seen.observe(card.element);
    this.#sized.observe(card.canvas);
    return card;
  }

  #drop(id) {
    const card = this.#cards.get(id);
    if (!card) return;
    this.#seen.unobserve(card.element);
    this.#sized.unobserve(card.canvas);
    card.element.remove();
    this.#cards.delete(id);
  }

  #mark() {
    for (const card of this.#cards.values()) card.liked(this.#liking !== "" && card.clip.path === this.#liking);
  }

  #tidy() {
    by("empty").hidden = this.#cards.size > 0;
    by("older").hidden = this.#told.length < this.#count || this.#count >= MOST;
    const removed = this.#told.filter((one) => this.#removed.has(one.id)).length;
    by("restore").hidden = removed === 0;
    by("restore").textContent = removed === 1 ? "Show the removed clip" : `Show ${removed} removed clips`;
  }

  #look(entries) {
    for (const { isIntersecting, target } of entries) if (isIntersecting) this.#cards.get(target.dataset.clip)?.seen();
  }

  #cardOf(canvas) {
    return this.#cards.get(canvas.closest("li")?.dataset.clip);
  }

  #keep() {
    try {
      localStorage.setItem(REMOVED, JSON.stringify([...this.#removed].slice(-MOST_REMOVED)));
    } catch { /* a browser that keeps nothing shows them again after a reload */ }
  }
}

function read(name) {
  try {
    const kept = JSON.parse(localStorage.getItem(name) ?? "[]");
    return Array.isArray(kept) ? kept : [];
  } catch {
    return [];
  }
}
