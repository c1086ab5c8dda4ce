// Requests: what is under way, with its progress and a way to end it.

const STAGES = { encode: [0, 0.08], sample: [0.08, 0.85], decode: [0.85, 1] };      // their shares of a clip
const WORDS = { encode: "listening", sample: "shaping", decode: "sounding" };
const SOURCES = { microphone: "voice", capture: "captured voice", inbox: "inbox", osc: "" };
const list = document.getElementById("requests");

export class Requests {
  #rows = new Map();

  constructor(wire, notices) {
    this.wire = wire;
    this.notices = notices;
    wire.on("heard", (id, source, name, seconds) => this.#heard(id, source, name, seconds))
      .on("accepted", (id, variations) => { this.#row(id).variations = variations; this.#draw(id); })
      .on("progress", (...progress) => this.#progress(...progress))
      .on("ready", (id, variation) => { this.#row(id).shares[variation] = 1; this.#draw(id); })
      .on("cancelled", (id) => { this.#end(id); this.notices.announce("Cancelled."); })
      .on("connection", () => { for (const id of [...this.#rows.keys()]) this.#end(id); });
    for (const name of ["done", "failed", "dropped"]) wire.on(name, (id) => this.#end(id));
  }

  get any() {
    return this.#rows.size > 0;
  }

  cancelAll() {
    if (this.any) this.wire.send("cancel", "");
  }

  #heard(id, source, name, seconds) {
    const row = this.#row(id);
    const what = source === "osc" || source === "inbox" ? name : SOURCES[source];
    row.title.textContent = `${what || "request"}, ${seconds.toFixed(1)} s`;
    this.#draw(id);
  }

  #progress(id, variation, stage, step, steps) {
    const row = this.#row(id);
    const [low, high] = STAGES[stage] ?? [0, 1];
    row.shares[variation] = low + (high - low) * (steps ? step / steps : 0);
    row.words = stage === "sample" ? `${WORDS.sample}, step ${step} of ${steps}` : WORDS[stage];
    this.#draw(id);
  }

  #draw(id) {
    const row = this.#row(id);
    const count = Math.max(row.variations, row.shares.length, 1);
    const share = row.shares.reduce((sum, one) => sum + (one ?? 0), 0) / count;
    row.bar.value = share;
    row.bar.setAttribute("aria-valuetext", row.words);
    const made = row.shares.filter((one) => one === 1).length;
    row.stage.textContent = count > 1 ? `${row.words} · ${made} of ${count}` : row.words;
  }

  #row(id) {
    if (this.#rows.has(id)) return this.#rows.get(id);
    const item = document.createElement("li");
    item.innerHTML = `<span class="what"></span><span class="stage"></span><progress max="1" value="0"></progress>
      <button type="button" class="cancel">Cancel</button>`;
    const row = {
      item, variations: 1, shares: [], words: "waiting",
      title: item.querySelector(".what"), stage: item.querySelector(".stage"), bar: item.querySelector("progress"),
    };
    row.title.textContent = "request";
    row.bar.setAttribute("aria-label", "Progress of the clip");
    item.querySelector(".cancel").addEventListener("click", () => this.wire.send("cancel", id));
    this.#rows.set(id, row);
    list.append(item);
    this.#draw(id);
    return row;
  }

  #end(id) {
    this.#rows.get(id)?.item.remove();
    this.#rows.delete(id);
  }
}
