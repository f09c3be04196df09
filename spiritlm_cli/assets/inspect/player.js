// Playing: one <audio> element, whose source is the whole sound or a part of it.

class Player {
  /** onChange: called when it starts, pauses or ends. */
  constructor(audio, onChange) {
    this.audio = audio;
    this.speed = 1;
    this.samples = null;
    this.rate = 0;
    this._whole = null; // URL of the whole sound
    this._part = null; // URL of the part that was played last
    this._offset = 0; // where the source begins in the sound
    this._resting = 0; // the position where nothing was played yet
    for (const event of ["play", "pause", "ended"]) audio.addEventListener(event, () => onChange(event));
  }

  get isPlaying() {
    return !this.audio.paused && !this.audio.ended;
  }

  /** Position in seconds of the sound. */
  get position() {
    return this._resting ?? this._offset + this.audio.currentTime;
  }

  get isAtEnd() {
    return this.samples !== null && this.position > this.samples.length / this.rate - 0.02;
  }

  /** Change the sound; null for none. Playing stops. */
  load(samples, rate) {
    this.stop();
    for (const url of [this._whole, this._part]) if (url) URL.revokeObjectURL(url);
    this.samples = samples;
    this.rate = rate;
    this._part = null;
    this._whole = samples ? URL.createObjectURL(wavFile(samples, rate)) : null;
  }

  seek(seconds) {
    if (this.isPlaying && this.audio.src === this._whole) {
      this.audio.currentTime = seconds;
    } else {
      this.audio.pause();
      this._resting = seconds;
    }
  }

  /** Play the sound from a position to its end. */
  play(start, loop) {
    this._start(this._whole, 0, start, loop);
  }

  /** Play from `start` to `end` only. */
  playPart(start, end, loop) {
    if (!this.samples) return;
    const part = fadedPart(this.samples, this.rate, start, end);
    if (this._part) URL.revokeObjectURL(this._part);
    this._part = URL.createObjectURL(wavFile(part, this.rate));
    this._start(this._part, start, 0, loop);
  }

  pause() {
    this._resting = this.position;
    this.audio.pause();
  }

  stop() {
    this.audio.pause();
    this.audio.removeAttribute("src");
    this._resting = 0;
  }

  setSpeed(speed) {
    this.speed = speed;
    this.audio.defaultPlaybackRate = this.audio.playbackRate = speed;
  }

  _start(source, offset, time, loop) {
    if (!source) return;
    if (this.audio.src !== source) this.audio.src = source;
    this.audio.loop = loop;
    this.audio.preservesPitch = true;
    this.audio.currentTime = time;
    this._offset = offset;
    this._resting = null;
    // Rejected if another sound is started before this one, which is no fault.
    this.audio.play().catch((error) => {
      if (error.name !== "AbortError") throw error;
    });
  }
}
