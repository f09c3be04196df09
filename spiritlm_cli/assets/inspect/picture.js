// The picture of a clip: its lanes on one canvas of the size of the visible part, drawn again when that changes.

class Picture {
  /** actions: seek(seconds), playRun(lane, run), playWord(index), select({ start, end }), hover(unit or null), and
   *  onZoom() after each change of the scale. */
  constructor(actions) {
    this.actions = actions;
    this.canvas = byId("canvas");
    this.view = new View(byId("scroller"), byId("extent"));
    this.hiddenCurves = new Set();
    this.scene = null;
    this._rows = [];
    this._isQueued = false;
    this.view.scroller.addEventListener("scroll", () => this.redraw());
    this.view.scroller.addEventListener("wheel", (event) => this._onWheel(event), { passive: false });
    new ResizeObserver(() => this._onResize()).observe(this.view.scroller);
    this._followPointer();
  }

  /** Show a clip without its sounds, which follow by `setSound`. */
  show(clip) {
    const { range, shift } = f0Scale(clip);
    this.scene = {
      clip,
      view: this.view,
      sound: null,
      hiddenCurves: this.hiddenCurves,
      highlight: null,
      f0Range: range,
      f0Shift: shift,
      wordTimes: { starts: clip.words.map((word) => word.start), ends: clip.words.map((word) => word.end) },
      ...themeColors(),
    };
    this.view.reset(clip.seconds);
    this._lay();
  }

  /** sound: { name, samples, rate, peaks, spectrogram, loudest }. */
  setSound(sound) {
    this.scene.sound = sound;
    this._lay();
  }

  setTheme() {
    if (!this.scene) return;
    Object.assign(this.scene, themeColors());
    this.redraw();
  }

  /** Show all places of a unit, { kind, id }, or a word, { word }. */
  setHighlight(highlight) {
    if (JSON.stringify(highlight) === JSON.stringify(this.scene.highlight)) return;
    this.scene.highlight = highlight;
    this.redraw();
  }

  setCursor(seconds) {
    byId("cursor").style.transform = `translateX(${seconds * this.view.scale}px)`;
  }

  /** Place a box over the picture; null hides it. */
  setBox(id, range) {
    const box = byId(id);
    box.hidden = range === null;
    if (range === null) return;
    box.style.left = `${range.start * this.view.scale}px`;
    box.style.width = `${Math.max((range.end - range.start) * this.view.scale, 1)}px`;
  }

  /** Draw before the next frame, once. */
  redraw() {
    if (this._isQueued) return;
    this._isQueued = true;
    requestAnimationFrame(() => {
      this._isQueued = false;
      this._draw();
    });
  }

  zoom(factor, x) {
    this.view.zoom(factor, x);
    this.actions.onZoom();
    this.redraw();
  }

  fit() {
    this.view.fit();
    this.actions.onZoom();
    this.redraw();
  }

  /** Give each lane its place, and label it. */
  _lay() {
    let top = RULER_HEIGHT;
    this._rows = LANES.filter((lane) => lane.isShown(this.scene)).map((lane) => {
      const row = { lane, top };
      top += lane.height + LANE_GAP;
      return row;
    });
    this.height = top;
    this._gridHeight = this._rows.find(({ lane }) => lane.hasBoxes)?.top ?? top;
    byId("extent").style.height = `${top}px`;
    byId("gutter").replaceChildren(...this._rows.flatMap((row) => this._labels(row)));
    this.canvas.setAttribute(
      "aria-label",
      `${this._rows.map(({ lane }) => lane.label).join(", ")} over time`,
    );
    this.redraw();
  }

  _labels({ lane, top }) {
    const label = element("span", { className: "lane-label" }, lane.label);
    label.style.top = `${top}px`;
    if (lane.height < 40) label.style.lineHeight = `${lane.height}px`;
    const ticks = lane.ticks(this.scene).map(({ label: text, share }) => {
      const tick = element("span", { className: "tick" }, text);
      tick.style.top = `${top + share * lane.height}px`;
      return tick;
    });
    return [label, ...ticks];
  }

  _draw() {
    // Hidden, or no wider than the labels.
    if (!this.scene || this.view.width < 1) return;
    const context = this._prepareCanvas();
    this._drawRuler(context);
    for (const { lane, top } of this._rows) {
      context.save();
      context.translate(0, top);
      const box = { width: this.view.width, height: lane.height };
      context.beginPath();
      context.rect(0, 0, box.width, box.height);
      context.clip();
      context.font = FONT;
      lane.paint(context, box, this.scene);
      context.restore();
    }
    this._drawTextMarks(context);
  }

  _prepareCanvas() {
    const ratio = Math.min(devicePixelRatio || 1, 3);
    const { canvas } = this;
    canvas.width = Math.round(this.view.width * ratio);
    canvas.height = Math.round(this.height * ratio);
    canvas.style.width = `${this.view.width}px`;
    canvas.style.height = `${this.height}px`;
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    return context;
  }

  /** Times above the lanes, at round numbers at least 70 pixels apart, and lines down to the boxes, which have edges of
   *  their own. */
  _drawRuler(context) {
    const { view, scene } = this;
    const step =
      [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120].find((s) => s * view.scale >= 70) ?? 300;
    context.font = FONT;
    context.textBaseline = "middle";
    context.textAlign = "left";
    for (
      let index = Math.floor(view.first / step);
      index * step <= Math.min(view.last, scene.clip.seconds);
      index++
    ) {
      const x = Math.round(view.x(index * step)) + 0.5;
      context.fillStyle = scene.colors.line;
      context.fillRect(x - 0.5, 4, 1, this._gridHeight - LANE_GAP - 4);
      context.fillStyle = scene.colors.muted;
      const label = rulerLabel(index * step, step);
      if (x + 4 + context.measureText(label).width < view.width)
        context.fillText(label, x + 4, RULER_HEIGHT / 2);
    }
  }

  /** A line through all lanes at each text span. */
  _drawTextMarks(context) {
    const { view, scene } = this;
    if (!this._rows.some(({ lane }) => lane === textLane)) return;
    context.strokeStyle = scene.colors.text;
    context.setLineDash([2, 3]);
    for (const { seconds } of scene.clip.texts) {
      const x = Math.round(clamp(view.x(seconds), 0.5, view.width - 0.5)) + 0.5;
      if (seconds < view.first - 1e-6 || seconds > view.last + 1e-6) continue;
      context.beginPath();
      context.moveTo(x, RULER_HEIGHT);
      context.lineTo(x, this.height - LANE_GAP);
      context.stroke();
    }
    context.setLineDash([]);
  }

  _onResize() {
    if (!this.scene) return;
    this.view.resize();
    this.actions.onZoom();
    this.redraw();
  }

  _onWheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const x = event.clientX - this.view.scroller.getBoundingClientRect().left;
    this.zoom(Math.exp(-event.deltaY / 300), x);
  }

  /** Pointer: hovering explains, a click seeks or plays, and dragging selects. */
  _followPointer() {
    const { scroller } = this.view;
    let start = null; // where the button went down: { x, time }
    scroller.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.scene) return;
      const { x, y } = this._place(event);
      if (y > this.height) return; // the scrollbar
      start = { x, time: this.view.time(x) };
    });
    scroller.addEventListener("pointermove", (event) => {
      const { x, y } = this._place(event);
      if (start && Math.abs(x - start.x) > 4) {
        // A finger scrolls.
        if (event.pointerType === "touch") return;
        if (!scroller.hasPointerCapture(event.pointerId)) scroller.setPointerCapture(event.pointerId);
        hideTooltip();
        this._select(start.time, this.view.time(x));
        start.isDrag = true;
      } else if (!start) {
        this._hover(x, y, event);
      }
    });
    scroller.addEventListener("pointerup", (event) => {
      const { x, y } = this._place(event);
      if (start && !start.isDrag && Math.abs(x - start.x) <= 4) this._click(x, y);
      start = null;
    });
    scroller.addEventListener("pointercancel", () => (start = null));
    scroller.addEventListener("pointerleave", () => this._leave());
  }

  _place(event) {
    const { left, top } = this.view.scroller.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  _select(from, to) {
    const ends = [from, to]
      .map((seconds) => clamp(seconds, 0, this.scene.clip.seconds))
      .sort((a, b) => a - b);
    if (ends[1] > ends[0]) this.actions.select({ start: ends[0], end: ends[1] });
  }

  _click(x, y) {
    const target = this._target(x, y);
    if (target.run >= 0) this.actions.playRun(target.index, target.run);
    else if (target.word >= 0) this.actions.playWord(target.word);
    else this.actions.seek(clamp(target.seconds, 0, this.scene.clip.seconds));
  }

  /** What is at a point: { lane, seconds }, and `index` and `run` of a unit, or `word`. */
  _target(x, y) {
    const { clip, wordTimes } = this.scene;
    const seconds = this.view.time(x);
    const row = this._rows.find(({ lane, top }) => y >= top && y < top + lane.height);
    const target = {
      lane: row?.lane,
      seconds,
      share: row ? (y - row.top) / row.lane.height : 0,
      run: -1,
      word: -1,
    };
    if (row?.lane.kind) {
      target.index = clip.lanes.findIndex((lane) => lane.kind === row.lane.kind);
      target.run = clip.runAt(target.index, seconds);
    } else if (row?.lane === wordLane) {
      const word = lastAtMost(wordTimes.starts, seconds);
      if (word >= 0 && seconds < wordTimes.ends[word]) target.word = word;
    }
    return target;
  }

  _hover(x, y, event) {
    if (!this.scene) return;
    const target = this._target(x, y);
    const { clip } = this.scene;
    this.view.scroller.style.cursor = target.run >= 0 || target.word >= 0 ? "pointer" : "crosshair";
    this.actions.hover(
      target.run >= 0
        ? { kind: clip.lanes[target.index].kind, id: clip.lanes[target.index].ids[target.run] }
        : null,
    );
    const lines =
      target.seconds >= 0 && target.seconds <= clip.seconds ? explainTarget(target, this.scene) : [];
    showTooltip(lines, event.clientX, event.clientY);
  }

  _leave() {
    hideTooltip();
    if (this.scene) this.actions.hover(null);
  }
}

function rulerLabel(seconds, step) {
  if (step >= 60 || seconds >= 60) return formatTime(seconds).replace(/\.00$/, "");
  const places = step >= 1 ? 0 : step >= 0.1 ? 1 : 2;
  return `${seconds.toFixed(places)} s`;
}
