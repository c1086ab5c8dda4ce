// Notices: the state line, messages that wait to be read, and what a screen reader is told.

const MOST = 3;
const by = (id) => document.getElementById(id);

export class Notices {
  #engine = ["", ""];
  #connected = false;
  #reason = "";

  constructor(wire) {
    this.version = document.querySelector("meta[name=vocaldm-version]").content;
    wire.on("connection", (on, reason) => this.#connection(on, reason))
      .on("engine", (state, sentence) => { this.#engine = [state, sentence]; this.#show(); })
      .on("version/is", (program, version) => this.#check(version))
      .on("error", (code, address, id, sentence) => this.say(sentence))
      .on("failed", (id, sentence) => this.say(sentence))
      .on("dropped", (id, sentence) => this.say(sentence))
      .on("refused", (path, sentence) => this.say(sentence))
      .on("preset/refused", (name, sentence) => this.say(sentence));
  }

  /** Show a sentence until it is dismissed or newer ones need its place. */
  say(sentence, kind = "bad") {
    const list = by("messages");
    const same = [...list.children].find((one) => one.dataset.text === sentence);
    if (same) same.remove();
    const line = document.createElement("p");
    line.dataset.text = sentence;
    line.dataset.kind = kind;
    line.append(sentence, closer(() => line.remove()));
    list.append(line);
    while (list.children.length > MOST) list.firstElementChild.remove();
  }

  /** Tell a screen reader, and nobody else. */
  announce(sentence) {
    by("announce").textContent = sentence;
  }

  #connection(on, reason) {
    this.#connected = on;
    this.#reason = reason;
    if (!on) this.#engine = ["", ""];
    this.#show();
  }

  #check(version) {
    if (version === this.version) return;
    this.say(`This page is of version ${this.version} and the daemon of ${version}: reload the page.`);
  }

  #show() {
    const [state, sentence] = this.#engine;
    const words = { loading: "Loading the preset ...", warm: "Ready.", busy: "Making a clip ...", failed: "The preset failed." };
    const text = this.#connected
      ? (state === "failed" || state === "loading" ? sentence : "") || words[state] || "Connected."
      : `Not connected: is vocaldm live running? ${this.#reason || "Trying again ..."}`;
    // Written only when it changes: every write is read aloud.
    if (by("state").textContent !== text) by("state").textContent = text;
    by("lamp").dataset.is = this.#connected ? state || "loading" : "off";
  }
}

function closer(close) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "icon";
  button.setAttribute("aria-label", "Dismiss");
  button.innerHTML = '<svg><use href="#i-close"/></svg>';
  button.addEventListener("click", close);
  return button;
}
