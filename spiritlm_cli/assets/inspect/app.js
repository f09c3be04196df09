// The state of the page: the clip that is shown, its sounds, and what is chosen and played.

class App {
  constructor(clips) {
    this.clips = clips;
    this.clip = null;
    this.sounds = {}; // decoded, by name
    this.soundName = null;
    this.preferred = null; // the sound that was chosen last, in any clip
    this.selection = null; // { start, end }
    this.range = null; // the part that is played now or was last, { start, end, loop }; null for the whole
    this.chosen = null; // index of the token that was chosen
    this.player = new Player(byId("audio"), (event) => this._onPlayer(event));
    this.picture = new Picture({
      seek: (seconds) => this.seek(seconds),
      select: (range) => this.select(range),
      playRun: (lane, run) => this.playRun(lane, run),
      playWord: (index) => this.playWord(index),
      hover: (unit) => this.picture.setHighlight(unit ?? this._chosenUnit()),
      onZoom: () => this._place(),
    });
    this.tokenLine = new TokenLine({
      playToken: (index) => this.playToken(index),
      hover: (index, event) => this._hoverToken(index, event),
      leave: () => this._leaveToken(),
    });
    this.list = new ClipList(clips, (index) => this.show(index));
    this.search = new Search(clips, {
      show: (place) => this.showPlace(place),
      play: (place) => this.playPlace(place),
      onChange: () => this._showSide(),
    });
    this._showSide();
  }

  /** Times are in seconds of the timeline. */
  get time() {
    return this.player.position;
  }

  /** Show a clip. Its sounds follow when they are decoded; returns the promise of that. */
  show(index) {
    const clip = this.clips[index];
    if (clip === this.clip) return this._decoding;
    this.clip = clip;
    this.sounds = {};
    this.soundName = null;
    this.chosen = null;
    this.range = null;
    this.player.load(null, 0);
    this.list.mark(index);
    showAbout(clip);
    byId("player").hidden = clip.seconds === 0;
    this.picture.show(clip);
    showLegend(clip, this.picture);
    this.tokenLine.show(clip);
    this.select(null);
    this._detail(clip.seconds ? "Click a unit to hear just it, or drag to select. Ctrl + wheel zooms." : "");
    this._showSounds();
    this._onPlayer();
    this._decoding = this._decode(clip);
    return this._decoding;
  }

  async _decode(clip) {
    try {
      const sounds = await decodeSounds(clip);
      if (clip !== this.clip) return; // another was chosen meanwhile
      this.sounds = sounds;
      this.setSound([this.preferred, ...SOUND_NAMES].find((name) => sounds[name]));
    } catch (error) {
      if (clip === this.clip) showProblem(`The sound can't be decoded by this browser: ${error.message}`);
    }
    this._showSounds();
  }

  chooseSound(name) {
    this.preferred = name;
    this.setSound(name);
  }

  /** Change to the original or the resynthesis, at the same position. */
  setSound(name) {
    const samples = this.sounds[name];
    if (!samples || name === this.soundName) return;
    const { time } = this;
    const { isPlaying } = this.player;
    this.soundName = name;
    const { rate } = this.clip.sounds[name];
    this.player.load(samples, rate);
    this.picture.setSound(analyze(name, samples, rate));
    this._showSounds();
    if (isPlaying && this.range) this._playRange(this.range, this.range.loop);
    else if (isPlaying) this.player.play(time, this._isLooping);
    else this.player.seek(time);
    this._onPlayer();
  }

  toggle() {
    if (this.player.isPlaying) this.player.pause();
    else this.play();
  }

  /** Play the selection, or else from the cursor. */
  play() {
    if (!this.soundName) return;
    if (this.selection) {
      this._playRange(this.selection, this._isLooping);
      return;
    }
    this.range = null;
    this.player.play(this.player.isAtEnd ? 0 : this.player.position, this._isLooping);
  }

  seek(seconds) {
    const time = clamp(seconds, 0, this.clip.seconds);
    if (this.range) this.player.pause();
    this.range = null;
    this.player.seek(time);
    this.picture.view.follow(time);
    this._place();
  }

  /** Select a part to be played; null for none. */
  select(range) {
    this.selection = range;
    this._place();
    this._detail(range ? `Selected: ${formatRange(range.start, range.end)}` : "");
    byId("play-label").textContent = this._playLabel();
  }

  playToken(index) {
    this.select(null);
    this._chooseToken(index);
    this._hear(this.clip.tokens[index]);
  }

  /** Play a run of units, and choose its first token. */
  playRun(lane, run) {
    this.select(null);
    const index = this.clip.tokens.findIndex((token) => token.lane === lane && token.run === run);
    if (index >= 0) this._chooseToken(index);
    const { starts, ends } = this.clip.lanes[lane];
    this._hear({ start: starts[run], end: ends[run] });
  }

  playWord(index) {
    const { word, start, end } = this.clip.words[index];
    this.select(null);
    this._chooseToken(null);
    this.picture.setHighlight({ word: index });
    this._detail([visible(word), formatRange(start, end)].join(" · "));
    this._hear({ start, end });
  }

  showPlace(place) {
    this.show(place.clip.index);
    this.select(null);
    if (place.run !== undefined) {
      this._chooseToken(
        this.clip.tokens.findIndex((token) => token.lane === place.lane && token.run === place.run),
      );
    } else {
      this._chooseToken(null);
      this.picture.setHighlight(place.word === undefined ? null : { word: place.word });
    }
    this.seek(place.start);
  }

  async playPlace(place) {
    this.showPlace(place);
    await this._decoding;
    if (this.clip === place.clip) this._hear(place);
  }

  /** Go to the next (1) or previous (-1) start of a phonetic unit. */
  stepUnit(by) {
    const { starts } = this.clip.laneOf("Hu") ?? { starts: [] };
    const next =
      by > 0 ? starts.find((s) => s > this.time + 0.002) : starts.findLast((s) => s < this.time - 0.002);
    this.seek(next ?? (by > 0 ? this.clip.seconds : 0));
  }

  /** Play the next (1) or previous (-1) token of the line. */
  stepToken(by) {
    const { tokens } = this.clip;
    if (!tokens.length) return;
    // The phonetic units are the first lane.
    const here = this.clip.tokenAt(0, this.time);
    const from = this.chosen ?? (here >= 0 ? here - by : -1);
    this.playToken(clamp(from + by, 0, tokens.length - 1));
  }

  toggleLoop() {
    const isOn = !this._isLooping;
    byId("loop").setAttribute("aria-pressed", String(isOn));
    this.player.audio.loop = isOn;
    if (this.range) this.range.loop = isOn;
  }

  setSpeed(speed) {
    this.player.setSpeed(speed);
    for (const button of byId("speeds").children) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.speed) === speed));
    }
  }

  /** Escape: leave a text field, or clear what was selected, searched for or chosen. */
  escape() {
    const field = document.activeElement?.matches("input") ? document.activeElement : null;
    field?.blur();
    if (field === byId("query")) this.search.clear();
    else if (field) return;
    else if (this.selection) this.select(null);
    else if (this.search.isActive) this.search.clear();
    else this._chooseToken(null);
  }

  get _isLooping() {
    return byId("loop").getAttribute("aria-pressed") === "true";
  }

  /** Go to a part and play just it. */
  _hear(part) {
    this.seek(part.start);
    if (part.end > part.start && this.soundName) this._playRange(part, false);
  }

  _playRange(range, loop) {
    this.range = { start: range.start, end: range.end, loop };
    this.player.playPart(range.start, range.end, loop);
  }

  _chooseToken(index) {
    this.chosen = index !== null && index >= 0 ? index : null;
    this.tokenLine.choose(this.chosen);
    this.picture.setHighlight(this._chosenUnit());
    const token = this.clip.tokens[this.chosen];
    this._detail(token ? explainRun(this.clip, token.lane, token.run).join(" · ") : "");
    this._place();
  }

  _chosenUnit() {
    const token = this.clip?.tokens[this.chosen];
    if (!token) return null;
    const { kind, ids } = this.clip.lanes[token.lane];
    return { kind, id: ids[token.run] };
  }

  _hoverToken(index, event) {
    const { lane, run, start, end } = this.clip.tokens[index];
    const { kind, ids } = this.clip.lanes[lane];
    this.picture.setHighlight({ kind, id: ids[run] });
    this.picture.setBox("marked", { start, end });
    showTooltip(explainRun(this.clip, lane, run), event.clientX, event.clientY);
  }

  _leaveToken() {
    hideTooltip();
    this.picture.setHighlight(this._chosenUnit());
    this._place();
  }

  _detail(text) {
    byId("detail").textContent = text;
  }

  /** The player started, paused or ended. */
  _onPlayer(event) {
    if (event === "ended" && this.range) this.player.seek(this.range.start);
    const { isPlaying } = this.player;
    byId("play").classList.toggle("playing", isPlaying);
    byId("play-label").textContent = this._playLabel();
    this._place();
    if (isPlaying && !this._isTicking) this._tick();
  }

  _playLabel() {
    return this.player.isPlaying ? "Pause" : this.selection ? "Play selection" : "Play";
  }

  /** While it plays: move the cursor in each frame. */
  _tick() {
    this._isTicking = this.player.isPlaying;
    this._place();
    if (!this._isTicking) return;
    // A short part is visible where it was clicked.
    if (!this.range || this.range.end - this.range.start > 1) this.picture.view.follow(this.time);
    requestAnimationFrame(() => this._tick());
  }

  /** Put the cursor, the boxes and the position where they belong. */
  _place() {
    if (!this.clip) return;
    const time = clamp(this.time, 0, this.clip.seconds);
    this.picture.setCursor(time);
    this.picture.setBox("selection", this.selection);
    this.picture.setBox("marked", this.clip.tokens[this.chosen] ?? null);
    this.tokenLine.setTime(time, this.player.isPlaying);
    const output = byId("time");
    output.value = `${formatTime(time)} / ${formatTime(this.clip.seconds)}`;
    output.dataset.seconds = time.toFixed(3);
  }

  /** Enable the sounds that there are. */
  _showSounds() {
    byId("play").disabled = byId("loop").disabled = !this.soundName;
    for (const name of SOUND_NAMES) {
      const button = byId(`sound-${name}`);
      button.disabled = !this.sounds[name];
      button.setAttribute("aria-pressed", String(name === this.soundName));
    }
  }

  /** The side shows the places of a search, or else the clips. */
  _showSide() {
    const { isActive } = this.search;
    byId("clips").hidden = isActive || this.clips.length < 2;
    byId("side").hidden = !isActive && this.clips.length < 2;
  }
}

/** What the picture draws of a sound. */
function analyze(name, samples, rate) {
  const peaks = new Peaks(samples);
  const [low, high] = peaks.between(0, samples.length);
  const loudest = Math.max(-low, high) || 1;
  return { name, samples, rate, peaks, loudest, spectrogram: new Spectrogram(samples, rate) };
}
