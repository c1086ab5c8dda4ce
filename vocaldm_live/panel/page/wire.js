// Wire: the page's connection to the daemon. It speaks the OSC table as JSON, reconnects by itself, and asks
// for the whole state when an event is missing.

const ROOT = "/vocaldm/";
const FIRST_RETRY = 250, LONGEST_RETRY = 2500;      // ms; within 5 s of a daemon's return it is heard again
const PING_EVERY = 4000, SILENT_AFTER = 12000;
const SEQ_END = 2 ** 31;

export class Wire {
  #handlers = new Map();
  #socket = null;
  #expected = null;
  #askedForState = false;
  #retry = FIRST_RETRY;
  #heardAt = 0;

  connected = false;
  gaps = 0;

  /** Call `handler(...arguments without seq)` for each event of this name; "connection" tells of the wire itself. */
  on(name, handler) {
    if (!this.#handlers.has(name)) this.#handlers.set(name, []);
    this.#handlers.get(name).push(handler);
    return this;
  }

  /** Send a command or parameter; false while nobody is there. */
  send(name, ...args) {
    if (!this.connected) return false;
    this.#socket.send(JSON.stringify({ address: ROOT + name, args }));
    return true;
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/events`);
    this.#socket = socket;
    this.#expected = null;
    this.#askedForState = false;
    this.#heardAt = performance.now();
    socket.onmessage = (event) => this.#take(JSON.parse(event.data));
    socket.onclose = (event) => this.#closed(event.reason);
    if (!this.watch) this.watch = setInterval(() => this.#look(), PING_EVERY);
  }

  #take({ address, args }) {
    this.#heardAt = performance.now();
    const name = address.slice(ROOT.length);
    const [seq, ...rest] = args;
    if (!this.connected) {
      // The first event, not the open socket, says that a daemon is behind it.
      this.connected = true;
      this.#retry = FIRST_RETRY;
      this.#tell("connection", true, "");
    }
    // What the bridge itself says carries no seq.
    if (Number.isInteger(seq)) this.#count(seq, name);
    this.#tell(name, ...rest);
  }

  #count(seq, name) {
    const missed = this.#expected !== null && seq !== this.#expected;
    this.#expected = (seq + 1) % SEQ_END;
    if (name === "state/begin") this.#askedForState = false;
    else if (missed && !this.#askedForState) {
      this.#askedForState = true;
      this.gaps += 1;
      this.send("state");
    }
  }

  #closed(reason) {
    const was = this.connected;
    this.connected = false;
    this.#socket = null;
    this.#tell("connection", false, reason, was);
    setTimeout(() => this.open(), this.#retry);
    this.#retry = Math.min(LONGEST_RETRY, this.#retry * 1.6);
  }

  #look() {
    if (!this.#socket) return;
    // A computer that slept keeps a socket that leads nowhere.
    if (performance.now() - this.#heardAt > SILENT_AFTER) this.#socket.close();
    else this.send("ping", "panel");
  }

  #tell(name, ...args) {
    for (const handler of this.#handlers.get(name) ?? []) handler(...args);
  }
}

let count = 0;
const session = Math.random().toString(36).slice(2, 8);

/** A new id for a request. */
export const newId = () => `panel-${session}-${++count}`;
