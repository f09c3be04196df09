// The visible part of the timeline: zoom, scrolling, and the mapping of times to pixels.

// Five samples of 16 kHz a pixel.
const MAX_PIXELS_PER_SECOND = 3200;
// Browsers lay out boxes up to some 17 million pixels.
const MAX_EXTENT = 8_000_000;

class View {
  constructor(scroller, extent) {
    this.scroller = scroller;
    this.extent = extent;
    this.seconds = 0;
    this.scale = 100; // pixels per second
    this.isFit = true;
  }

  get width() {
    return this.scroller.clientWidth;
  }

  /** Time at the left edge. */
  get first() {
    return this.scroller.scrollLeft / this.scale;
  }

  get last() {
    return this.first + this.width / this.scale;
  }

  /** Pixels from the left edge of the visible part. */
  x(seconds) {
    return seconds * this.scale - this.scroller.scrollLeft;
  }

  time(x) {
    return (x + this.scroller.scrollLeft) / this.scale;
  }

  /** Show a clip of this duration, whole. */
  reset(seconds) {
    this.seconds = seconds;
    this.isFit = true;
    this.fit();
  }

  fit() {
    this._setScale(this._fitScale());
    this.isFit = true;
    this.scroller.scrollLeft = 0;
  }

  /** Keep the clip whole in a window of another size. */
  resize() {
    if (this.isFit) this.fit();
    else this._setScale(this.scale);
  }

  /** Zoom by a factor and keep the time at `x` where it is. */
  zoom(factor, x = this.width / 2) {
    const time = this.time(x);
    this._setScale(this.scale * factor);
    this.scroller.scrollLeft = time * this.scale - x;
  }

  /** Turn to the page with a time that is not visible. */
  follow(seconds) {
    const x = this.x(seconds);
    if (x < 0 || x > 0.95 * this.width) this.scroller.scrollLeft = seconds * this.scale - 0.1 * this.width;
  }

  _fitScale() {
    return this.seconds ? Math.max(this.width, 1) / this.seconds : 1;
  }

  _setScale(scale) {
    const most = Math.min(MAX_PIXELS_PER_SECOND, MAX_EXTENT / Math.max(this.seconds, 1));
    const least = this._fitScale();
    this.scale = Math.max(Math.min(scale, most), least);
    this.isFit = this.scale === least;
    this.extent.style.width = `${Math.max(Math.floor(this.seconds * this.scale), 1)}px`;
  }
}
