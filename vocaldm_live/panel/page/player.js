// Player: auditions one clip at a time, and tells the daemon so that the gate does not hear it.

const AFTER = 0.3;      // seconds that a room goes on sounding

export class Player {
  #card = null;
  #audio = new Audio();

  constructor(wire, notices) {
    this.wire = wire;
    this.notices = notices;
    this.#audio.preload = "auto";
    this.#audio.addEventListener("playing", () => this.#tell());
    this.#audio.addEventListener("ended", () => this.stop());
    this.#audio.addEventListener("error", () => {
      if (!this.#card) return;
      this.notices.say(`${this.#card.clip.name} can't be played: its file may be gone from the outbox.`);
      this.stop();
    });
  }

  toggle(card) {
    if (this.#card === card) this.stop();
    else this.play(card, 0);
  }

  /** Play a card's clip from this second on. */
  async play(card, seconds) {
    if (this.#card !== card) {
      this.#card?.playing(null);
      this.#card = card;
      this.#audio.src = card.audio;
    }
    // Shut before the first sample sounds, then again with what is left once it does.
    this.wire.send("audition", Math.min(600, card.clip.seconds - seconds + AFTER));
    try {
      this.#audio.currentTime = seconds;
      await this.#audio.play();
      this.#follow(card);
    } catch (error) {
      if (error.name !== "AbortError" && this.#card === card) {
        if (error.name === "NotAllowedError") this.notices.say("The browser plays nothing before the page was clicked: click once.");
        this.stop();
      }
    }
  }

  stop() {
    if (!this.#card) return;
    const card = this.#card;
    this.#card = null;
    this.#audio.pause();
    card.playing(null);
    this.wire.send("audition", 0);
  }

  #tell() {
    const left = this.#card ? this.#card.clip.seconds - this.#audio.currentTime : 0;
    if (left > 0) this.wire.send("audition", Math.min(600, left + AFTER));
  }

  #follow(card) {
    if (this.#card !== card) return;
    card.playing(this.#audio.currentTime);
    requestAnimationFrame(() => this.#follow(card));
  }
}
