// Drops: sounds that are dropped or chosen, as imitation or as example.

import { DRAGGED } from "./card.js";
import { newId } from "./wire.js";

const by = (id) => document.getElementById(id);
const LARGEST = 64 * 2 ** 20;

export class Drops {
  constructor(wire, notices) {
    this.wire = wire;
    this.notices = notices;
    this.#zone("imitation", (path) => wire.send("generate", newId(), path), null);
    this.#zone("example", (path) => wire.send("like", path), (clip) => wire.send("like", clip));
    by("unlike").addEventListener("click", () => { wire.send("like", ""); by("file-example").focus(); });
    wire.on("liking", (path) => this.#liking(path))
      .on("connection", (on) => { for (const kind of ["imitation", "example"]) by(`file-${kind}`).disabled = !on; });
    // A file that misses the zones must not replace the page.
    for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());
  }

  #zone(kind, use, useClip) {
    const zone = by(`zone-${kind}`), input = by(`file-${kind}`);
    const takes = (event) => event.dataTransfer.types.includes("Files") ||
      (useClip && event.dataTransfer.types.includes(DRAGGED));
    zone.addEventListener("dragover", (event) => {
      if (!takes(event)) return;
      event.dataTransfer.dropEffect = "copy";
      zone.classList.add("over");
    });
    for (const name of ["dragleave", "drop"]) zone.addEventListener(name, () => zone.classList.remove("over"));
    zone.addEventListener("drop", (event) => {
      const clip = event.dataTransfer.getData(DRAGGED);
      if (clip && useClip) useClip(clip);
      else this.#each(event.dataTransfer.files, kind, use);
    });
    input.addEventListener("change", () => { this.#each(input.files, kind, use); input.value = ""; });
  }

  async #each(files, kind, use) {
    // An example is one; several imitations are several gestures.
    for (const file of kind === "example" ? [...files].slice(0, 1) : [...files]) {
      const path = await this.#upload(file);
      if (path) use(path);
    }
  }

  async #upload(file) {
    if (file.size > LARGEST) {
      this.notices.say(`${file.name} is larger than 64 MB: drop a shorter sound.`);
      return "";
    }
    try {
      const answer = await fetch(`/dropped?name=${encodeURIComponent(file.name)}`, {
        method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" },
      });
      const plain = await answer.json();
      if (answer.ok) return plain.path;
      this.notices.say(plain.sentence);
    } catch {
      this.notices.say(`${file.name} did not reach the daemon: try again when the panel is connected.`);
    }
    return "";
  }

  #liking(path) {
    // A clip goes by the title in its file's name, category and maker around it left out.
    const name = path.split(/[/\\]/).pop().replace(/^[^_]+_(.+)_[^_]+_[^_]+_\d+\.wav$/, "$1");
    by("liking").textContent = name || "Drop a sound or clip whose timbre to take";
    by("liking").title = path;
    by("unlike").hidden = !path;
    by("zone-example").classList.toggle("set", Boolean(path));
  }
}
