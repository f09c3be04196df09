// The page: what is shown and played, and the controls and keys that change it.

const SPEEDS = [0.5, 0.75, 1];

class App {
  constructor(clips) {
    this.clips = clips;
    this.clip = null;
    this.sounds = {}; // decoded, by name
    this.soundName = null;
    this.selection = null; // { start, end }
    this.range = null; // the part that is played now or was last, { start, end }; null for the whole
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
    return this.player.position / this._scale;
  }

  get _scale() {
    return this.soundName ? this.clip.scale(this.soundName) : 1;
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
      this.setSound(SOUND_NAMES.find((name) => sounds[name]) ?? null);
    } catch (error) {
      if (clip === this.clip) showProblem(`The sound can't be decoded by this browser: ${error.message}`);
    }
    this._showSounds();
  }

  /** Change between the original and the resynthesis, at the same position. */
  setSound(name) {
    const samples = this.sounds[name];
    if (!samples || name === this.soundName) return;
    const { time } = this;
    const { isPlaying } = this.player;
    this.soundName = name;
    const { rate } = this.clip.sounds[name];
    this.player.load(samples, rate);
    this.picture.setSound(analyze(name, samples, rate, this._scale));
    this._showSounds();
    if (isPlaying && this.range) this._playRange(this.range);
    else if (isPlaying) this.player.play(time * this._scale, this._isLooping);
    else this.player.seek(time * this._scale);
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
      this._playRange(this.selection);
      return;
    }
    this.range = null;
    this.player.play(this.player.isAtEnd ? 0 : this.player.position, this._isLooping);
  }

  seek(seconds) {
    const time = clamp(seconds, 0, this.clip.seconds);
    if (this.range) this.player.pause();
    this.range = null;
    this.player.seek(time * this._scale);
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
      this._chooseToken(this.clip.tokens.findIndex((token) => token.lane === place.lane && token.run === place.run));
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

  /** Go to the next (1) or last (-1) start of a phonetic unit. */
  stepUnit(by) {
    const { starts } = this.clip.laneOf("Hu") ?? { starts: [] };
    const next = by > 0 ? starts.find((s) => s > this.time + 0.002) : starts.findLast((s) => s < this.time - 0.002);
    this.seek(next ?? (by > 0 ? this.clip.seconds : 0));
  }

  /** Play the next (1) or last (-1) token of the line. */
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

  _playRange(range, loop = this._isLooping) {
    this.range = { start: range.start, end: range.end };
    this.player.playPart(range.start * this._scale, range.end * this._scale, loop);
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
    if (event === "ended" && this.range) this.player.seek(this.range.start * this._scale);
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
    if (!this.range) this.picture.view.follow(this.time);
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
function analyze(name, samples, rate, scale) {
  const peaks = new Peaks(samples);
  const [low, high] = peaks.between(0, samples.length);
  const loudest = Math.max(-low, high) || 1;
  return { name, samples, rate, scale, peaks, loudest, spectrogram: new Spectrogram(samples, rate) };
}

function showAbout(clip) {
  document.title = `${shorten(visible(clip.id), 80)} – speech tokens`;
  byId("clip-id").textContent = visible(clip.id);
  byId("clip-id").title = shorten(visible(clip.id), 500);
  byId("clip-source").textContent = visible(clip.source);
  byId("statistics").textContent = describe(clip);
  const notes = describeTimes(clip);
  byId("notice").textContent = notes;
  byId("notice").hidden = !notes;
  showProblem(clip.seconds && !Object.keys(clip.sounds).length ? "There is no sound for this line." : "");
  byId("transcript").hidden = !clip.text;
  byId("transcript-text").textContent = readable(clip.text ?? "");
  byId("copy").disabled = !clip.spans.length;
}

function showProblem(text) {
  byId("problem").textContent = text;
  byId("problem").hidden = !text;
}

/** Buttons that show and hide the curves of the F0 lane. */
function showLegend(clip, picture) {
  const curves = CURVES.filter(({ name }) => clip.f0[name]?.some((f0) => f0 !== null));
  const isShifted = picture.scene.f0Shift !== 0;
  const buttons = curves.map(({ name, label, color, dash }) => {
    const swatch = element("span", { className: `swatch ${color}${dash.length ? " dashed" : ""}`, "aria-hidden": "true" });
    const text = name === "rebuilt" && isShifted ? `${label}, with the mean of the resynthesis` : label;
    const button = element("button", { type: "button", "aria-pressed": String(!picture.hiddenCurves.has(name)) }, swatch, text);
    button.addEventListener("click", () => {
      const isShown = picture.hiddenCurves.delete(name);
      if (!isShown) picture.hiddenCurves.add(name);
      button.setAttribute("aria-pressed", String(isShown));
      picture.redraw();
    });
    return button;
  });
  byId("legend").hidden = !curves.length;
  byId("legend").replaceChildren(...(curves.length ? [element("span", { className: "hint" }, "F0"), ...buttons] : []));
}

/** Change to the other theme than the one that is shown. */
function switchTheme(app) {
  const root = document.documentElement;
  const isDark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  app.picture.setTheme();
}

/** The keys of the page. `shown` names them in the list of keys; `keys` are values of KeyboardEvent.key. */
function keyTable(app) {
  const picture = app.picture;
  return [
    { shown: ["Space"], keys: [" "], does: "play or pause", run: () => app.toggle() },
    { shown: ["←", "→"], keys: ["ArrowLeft"], does: "previous or next phonetic unit", run: () => app.stepUnit(-1) },
    { keys: ["ArrowRight"], run: () => app.stepUnit(1) },
    { shown: ["Shift ←", "Shift →"], keys: ["Shift ArrowLeft"], does: "one second back or on", run: () => app.seek(app.time - 1) },
    { keys: ["Shift ArrowRight"], run: () => app.seek(app.time + 1) },
    { shown: ["Home", "End"], keys: ["Home"], does: "start or end of the clip", run: () => app.seek(0) },
    { keys: ["End"], run: () => app.seek(app.clip.seconds) },
    { shown: ["[", "]"], keys: ["["], does: "play the previous or next token", run: () => app.stepToken(-1) },
    { keys: ["]"], run: () => app.stepToken(1) },
    { shown: ["Enter"], keys: ["Enter"], does: "play the place found, or the token chosen", run: () => playChosen(app) },
    { shown: ["o", "r"], keys: ["o"], does: "original or resynthesis", run: () => app.setSound("original") },
    { keys: ["r"], run: () => app.setSound("resynthesis") },
    { shown: ["l"], keys: ["l"], does: "loop", run: () => app.toggleLoop() },
    { shown: ["+", "−", "0"], keys: ["+", "="], does: "zoom in, out, whole clip", run: () => picture.zoom(1.5) },
    { keys: ["-", "−"], run: () => picture.zoom(1 / 1.5) },
    { keys: ["0"], run: () => picture.fit() },
    { shown: ["/"], keys: ["/"], does: "search", run: () => byId("query").select() },
    { shown: ["n", "N"], keys: ["n"], does: "next or previous place found", run: () => app.search.step(1) },
    { keys: ["N", "Shift N"], run: () => app.search.step(-1) },
    { shown: ["↑", "↓"], keys: ["ArrowUp"], does: "previous or next clip, or place in the list of places", run: (event) => stepList(app, event, -1) },
    { keys: ["ArrowDown"], run: (event) => stepList(app, event, 1) },
    { shown: ["Esc"], keys: ["Escape"], does: "clear the selection, then the search", run: () => app.escape() },
    { shown: ["t"], keys: ["t"], does: "light or dark", run: () => switchTheme(app) },
    { shown: ["?"], keys: ["?", "Shift ?"], does: "this list", run: () => byId("keys").showModal() },
  ];
}

function playChosen(app) {
  const isInTokens = document.activeElement === byId("token-line");
  if (!isInTokens && app.search.playCurrent()) return true;
  if (app.chosen === null) return false;
  app.playToken(app.chosen);
  return true;
}

function stepList(app, event, by) {
  if (event.target === byId("places")) app.search.step(by);
  else if (app.clips.length > 1) app.list.step(app.clip.index, by);
  else return false;
  return true;
}

/** Run what a key stands for, unless it is for the control that has the focus. */
function onKey(event, keys) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("keys").open) return;
  const isTyping = event.target.matches("input, textarea");
  const isButton = event.target.matches("button") && [" ", "Enter"].includes(event.key);
  if (isButton || (isTyping && event.key !== "Escape")) return;
  const name = event.shiftKey && event.key.length > 1 ? `Shift ${event.key}` : event.key;
  const run = keys.get(name);
  // `false` says that the key has no use now, so that the browser may use it.
  if (run && run(event) !== false) event.preventDefault();
}

function listenToKeys(app) {
  const table = keyTable(app);
  const keys = new Map(table.flatMap(({ keys, run }) => keys.map((key) => [key, run])));
  document.addEventListener("keydown", (event) => onKey(event, keys));
  for (const { shown, does } of table.filter((row) => row.shown)) {
    const names = shown.flatMap((key, index) => [...(index ? [" "] : []), element("kbd", {}, key)]);
    byId("key-list").append(element("dt", {}, ...names), element("dd", {}, does));
  }
}

function listenToButtons(app) {
  const actions = {
    play: () => app.toggle(),
    loop: () => app.toggleLoop(),
    "sound-original": () => app.setSound("original"),
    "sound-resynthesis": () => app.setSound("resynthesis"),
    "zoom-in": () => app.picture.zoom(1.5),
    "zoom-out": () => app.picture.zoom(1 / 1.5),
    "zoom-fit": () => app.picture.fit(),
    theme: () => switchTheme(app),
    help: () => byId("keys").showModal(),
    "close-keys": () => byId("keys").close(),
    copy: () => copyLine(app),
  };
  for (const [id, action] of Object.entries(actions)) byId(id).addEventListener("click", action);
  for (const speed of SPEEDS) {
    const button = element("button", { type: "button", "aria-pressed": String(speed === 1), title: "Speed, at the same pitch" }, `${speed}×`);
    button.dataset.speed = speed;
    button.addEventListener("click", () => app.setSpeed(speed));
    byId("speeds").append(button);
  }
  // A click on what is no text field takes the focus from all, so that the keys go on to play and search.
  document.addEventListener("mousedown", (event) => {
    if (!event.target.closest("button, #scroller")) return;
    event.preventDefault();
    document.activeElement?.blur();
  });
}

async function copyLine(app) {
  const isCopied = await copyText(app.clip.line);
  byId("copy").textContent = isCopied ? "Copied" : "Can't copy";
  setTimeout(() => (byId("copy").textContent = "Copy"), 1500);
}

function start() {
  const clips = readClips();
  if (!clips.length) {
    byId("layout").replaceChildren(element("p", { className: "notice" }, "There are no clips in this page."));
    return;
  }
  const app = new App(clips);
  listenToButtons(app);
  listenToKeys(app);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => app.picture.setTheme());
  app.show(0);
}

start();
