// Knobs: a control for every parameter of the table; what the daemon says they stand at is what they show.

const by = (id) => document.getElementById(id);
const percent = (value) => `${Math.round(100 * value)} %`;
const number = (digits) => (value) => value.toFixed(digits);
const WAIT = 60;      // ms between two values of a slider that is being moved

// In the order of the page. `digits`: how a value is shown; `more`: behind "More".
const LOOKS = {
  steps: { title: "Steps", show: number(0) },
  guidance: { title: "Guidance", show: number(1), step: 0.1 },
  follow: { title: "Follow", show: percent, step: 0.01 },
  strength: { title: "Strength", show: percent, step: 0.01 },
  variations: { title: "Variations", show: number(0) },
  duration: { title: "Duration", show: (value) => (value ? `${value.toFixed(1)} s` : "as voice"), step: 0.1, most: 20 },
  eta: { title: "Eta", show: number(2), step: 0.01, more: true },
  candidates: { title: "Candidates", show: number(0), more: true },
  text_weight: { title: "Words count", show: percent, step: 0.01, more: true },
};

export class Knobs {
  #controls = new Map();
  #table = {};
  #lastSeed = 0;

  constructor(wire) {
    this.wire = wire;
    for (const [name, look] of Object.entries(LOOKS)) this.#slider(name, look);
    this.#seed();
    this.#choice("sampler", "Sampler");
    this.#words("text", "Words");
    this.#words("negative", "Not");
    this.#presets();
    wire.on("connection", (on) => this.#enable(on))
      .on("state/end", () => this.#ranges())
      .on("preset/is", () => this.#ranges())
      .on("ready", (id, variation, path, clip, seconds, seed) => { this.#lastSeed = Number(seed); });
  }

  // One of each kind -------------------------------------------------------------------------------------

  #slider(name, look) {
    const row = document.createElement("div");
    row.className = "knob-row";
    row.innerHTML = `<label for="p-${name}">${look.title}</label>
      <input type="range" id="p-${name}" step="${look.step ?? 1}" min="0" max="1" disabled><output for="p-${name}"></output>`;
    by(look.more ? "more" : "knobs").append(row);
    const input = row.querySelector("input");
    const draw = () => redraw(input, look);
    const send = paced((value) => this.wire.send(`param/${name}`, value));
    let moving = false;
    input.addEventListener("pointerdown", () => { moving = true; });
    for (const end of ["pointerup", "pointercancel", "change"]) input.addEventListener(end, () => { moving = false; });
    input.addEventListener("input", () => { draw(); send(Number(input.value)); });
    this.#add(name, input, (value) => {
      if (moving) return;      // what comes back late must not pull the thumb from under the finger
      if (value > Number(input.max)) input.max = value;
      input.value = value;
      draw();
    }, (legal) => {
      input.min = legal.low;
      const told = Number(input.dataset.told ?? legal.low);
      input.max = Math.max(Math.min(legal.high, look.most ?? legal.high), told);
      if (!moving) input.value = told;
      row.title = legal.help;
      draw();
    });
  }

  #seed() {
    const row = document.createElement("div");
    row.className = "knob-row seed";
    row.innerHTML = `<label for="p-seed">Seed</label>
      <input type="number" id="p-seed" min="0" max="2147483647" step="1" inputmode="numeric" placeholder="new each time" disabled>
      <button type="button" class="icon" id="seed-lock" aria-pressed="false" aria-label="Keep the seed" disabled>
      <svg><use href="#i-lock"/></svg></button>`;
    by("knobs").append(row);
    const [input, lock] = [row.querySelector("input"), row.querySelector("button")];
    const send = (value) => this.wire.send("param/seed", value);
    lock.addEventListener("click", () => {
      if (lock.getAttribute("aria-pressed") === "true") return send(-1);
      const fits = Number.isSafeInteger(this.#lastSeed) && this.#lastSeed < 2 ** 31;
      send(fits && this.#lastSeed ? this.#lastSeed : Math.floor(Math.random() * 2 ** 31));
    });
    input.addEventListener("change", () => {
      const value = Math.round(Number(input.value));
      send(input.value === "" || !(value >= 0 && value < 2 ** 31) ? -1 : value);
    });
    this.#add("seed", input, (value) => {
      input.value = value < 0 ? "" : value;
      lock.setAttribute("aria-pressed", String(value >= 0));
    }, () => { lock.title = "Locked: every gesture gets this seed."; });
    this.#controls.get("seed").inputs.push(lock);
  }

  #choice(name, title) {
    const row = document.createElement("div");
    row.className = "knob-row choice";
    row.innerHTML = `<label for="p-${name}">${title}</label><select id="p-${name}" disabled></select>`;
    by("more").append(row);
    const select = row.querySelector("select");
    select.addEventListener("change", () => this.wire.send(`param/${name}`, select.value));
    this.#add(name, select, (value) => {
      if (![...select.options].some((one) => one.value === value)) select.add(new Option(value));
      select.value = value;
    }, (legal) => {
      const value = select.value;
      select.replaceChildren(...legal.choices.map((one) => new Option(one.replaceAll("_", " "), one)));
      select.value = value;
      select.title = legal.help;
    });
  }

  #words(name, title) {
    const row = document.createElement("div");
    row.className = "knob-row choice";
    row.innerHTML = `<label for="p-${name}">${title}</label><input type="text" id="p-${name}" maxlength="200" autocomplete="off" disabled>`;
    by("more").append(row);
    const input = row.querySelector("input");
    input.addEventListener("change", () => {
      this.wire.send(`param/${name}`, input.value);
      // A preset that takes no words refuses: then what the daemon has is shown again.
      input.value = input.dataset.told ?? "";
    });
    this.#add(name, input, (value) => { input.value = value; }, (legal) => { input.title = legal.help; });
  }

  #presets() {
    const select = by("preset");
    select.addEventListener("change", () => {
      this.wire.send("param/preset", select.value);
      select.value = select.dataset.told;
    });
    const known = (name) => {
      if (![...select.options].some((one) => one.value === name)) select.add(new Option(name));
    };
    this.#add("preset", select, (value) => { known(value); select.value = value; }, () => {});
    this.wire.on("state/begin", () => { for (const one of [...select.options]) if (!one.selected) one.remove(); })
      .on("preset/known", known);
  }

  // What they have in common -----------------------------------------------------------------------------

  #add(name, input, show, limit) {
    this.#controls.set(name, { inputs: [input], limit });
    this.wire.on(`param/${name}`, (value) => { input.dataset.told = value; show(value); });
  }

  #enable(on) {
    for (const { inputs } of this.#controls.values()) for (const input of inputs) input.disabled = !on;
  }

  async #ranges() {
    try {
      const answer = await fetch("/table");
      if (!answer.ok) return;
      this.#table = (await answer.json()).parameters;
    } catch {
      return;      // the connection is gone; the next state asks again
    }
    for (const [name, { limit }] of this.#controls) limit(this.#table[name]);
    const most = this.#table.steps.high;
    by("refine-steps").max = most;
    if (Number(by("refine-steps").value) > most) by("refine-steps").value = most;
  }
}

function redraw(input, look) {
  const value = Number(input.value);
  const text = look.show(value);
  input.closest(".knob-row").querySelector("output").textContent = text;
  input.setAttribute("aria-valuetext", text);
  input.style.setProperty("--share", `${(100 * (value - input.min)) / (input.max - input.min || 1)}%`);
}

/** A function that is called at most every WAIT ms, the last time with the last value. */
function paced(call) {
  let timer = 0, waiting = null;
  const run = () => {
    timer = 0;
    if (waiting === null) return;
    call(waiting);
    waiting = null;
    timer = setTimeout(run, WAIT);
  };
  return (value) => {
    waiting = value;
    if (!timer) run();
  };
}
