// Signal processing: the spectrum of a sound, its peaks, and WAV files of parts of it.

const FFT_SIZE = 512;
// 25 ms at 16 kHz: pitch harmonics of most voices are not resolved, formants are.
const WINDOW_SIZE = 400;
// As in speech analysis elsewhere: raises high frequencies by 6 dB an octave, against the slope of voices.
const PRE_EMPHASIS = 0.97;
const DYNAMIC_RANGE_DB = 65;

/** Radix-2 FFT in place. real, imaginary: Float64Array of FFT_SIZE. */
const fft = (() => {
  const cosines = Float64Array.from({ length: FFT_SIZE / 2 }, (_, i) =>
    Math.cos((2 * Math.PI * i) / FFT_SIZE),
  );
  const sines = Float64Array.from(
    { length: FFT_SIZE / 2 },
    (_, i) => -Math.sin((2 * Math.PI * i) / FFT_SIZE),
  );
  const bits = Math.log2(FFT_SIZE);
  const reversed = Uint16Array.from({ length: FFT_SIZE }, (_, i) =>
    Number.parseInt(i.toString(2).padStart(bits, "0").split("").reverse().join(""), 2),
  );

  function reorder(real, imaginary) {
    for (let i = 0; i < FFT_SIZE; i++) {
      const j = reversed[i];
      if (j > i) {
        [real[i], real[j]] = [real[j], real[i]];
        [imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
      }
    }
  }

  return function transform(real, imaginary) {
    reorder(real, imaginary);
    for (let half = 1; half < FFT_SIZE; half *= 2) {
      const step = FFT_SIZE / 2 / half;
      for (let start = 0; start < FFT_SIZE; start += 2 * half) {
        for (let k = 0; k < half; k++) {
          const even = start + k;
          const odd = even + half;
          const c = cosines[k * step];
          const s = sines[k * step];
          const re = real[odd] * c - imaginary[odd] * s;
          const im = real[odd] * s + imaginary[odd] * c;
          real[odd] = real[even] - re;
          imaginary[odd] = imaginary[even] - im;
          real[even] += re;
          imaginary[even] += im;
        }
      }
    }
  };
})();

/** Power spectra of a sound at any time. */
class Spectrogram {
  constructor(samples, rate) {
    this.samples = samples;
    this.rate = rate;
    this.bins = FFT_SIZE / 2;
    this._window = Float64Array.from(
      { length: WINDOW_SIZE },
      (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (WINDOW_SIZE - 1)),
    );
    this._real = new Float64Array(FFT_SIZE);
    this._imaginary = new Float64Array(FFT_SIZE);
    this._loudest = this._findLoudest();
  }

  /** Write the levels of one time to `levels` from `offset`: 0 (quiet) to 1 (the loudest of the sound), by frequency. */
  column(seconds, levels, offset) {
    this._transform(Math.round(seconds * this.rate) - WINDOW_SIZE / 2);
    for (let bin = 0; bin < this.bins; bin++) {
      const db = this._decibels(bin) - this._loudest;
      levels[offset + bin] = clamp(1 + db / DYNAMIC_RANGE_DB, 0, 1);
    }
  }

  _decibels(bin) {
    const power = this._real[bin] ** 2 + this._imaginary[bin] ** 2;
    return 10 * Math.log10(power + 1e-12);
  }

  _transform(start) {
    const { samples } = this;
    this._real.fill(0);
    this._imaginary.fill(0);
    for (let i = 0; i < WINDOW_SIZE; i++) {
      const sample = samples[start + i] ?? 0;
      const previous = samples[start + i - 1] ?? 0;
      this._real[i] = this._window[i] * (sample - PRE_EMPHASIS * previous);
    }
    fft(this._real, this._imaginary);
  }

  /** The highest level of a thousand frames, so that colors stay the same while the picture is scrolled. */
  _findLoudest() {
    const frames = Math.min(1000, Math.ceil(this.samples.length / 160));
    let loudest = -60;
    for (let frame = 0; frame < frames; frame++) {
      this._transform(Math.round((frame / frames) * this.samples.length));
      for (let bin = 0; bin < this.bins; bin++) loudest = Math.max(loudest, this._decibels(bin));
    }
    return loudest;
  }
}

const PEAK_BLOCK = 128;

/** The lowest and highest sample of any part of a sound. */
class Peaks {
  constructor(samples) {
    this.samples = samples;
    const blocks = Math.ceil(samples.length / PEAK_BLOCK);
    this._low = new Float32Array(blocks);
    this._high = new Float32Array(blocks);
    for (let block = 0; block < blocks; block++) {
      const [low, high] = this._scan(samples, samples, block * PEAK_BLOCK, (block + 1) * PEAK_BLOCK);
      this._low[block] = low;
      this._high[block] = high;
    }
  }

  /** Lowest and highest of the samples from `first` to before `last`. */
  between(first, last) {
    if (last - first < 4 * PEAK_BLOCK) return this._scan(this.samples, this.samples, first, last);
    return this._scan(this._low, this._high, Math.floor(first / PEAK_BLOCK), Math.ceil(last / PEAK_BLOCK));
  }

  _scan(lows, highs, first, last) {
    let low = Infinity;
    let high = -Infinity;
    for (let i = Math.max(first, 0); i < Math.min(last, lows.length); i++) {
      if (lows[i] < low) low = lows[i];
      if (highs[i] > high) high = highs[i];
    }
    return low > high ? [0, 0] : [low, high];
  }
}

/** A part of a sound, faded in and out over 10 ms so that its edges don't click. */
function fadedPart(samples, rate, start, end) {
  const part = samples.slice(
    Math.round(start * rate),
    Math.max(Math.round(end * rate), Math.round(start * rate) + 1),
  );
  const fade = Math.min(Math.round(0.01 * rate), part.length >> 1);
  for (let i = 0; i < fade; i++) {
    part[i] *= i / fade;
    part[part.length - 1 - i] *= i / fade;
  }
  return part;
}

/** A WAV file of 16 bits. The sounds are played as such, in which browsers seek to the sample. */
function wavFile(samples, rate) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const text = (offset, value) => [...value].forEach((c, i) => view.setUint8(offset + i, c.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples.length, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true); // length of the format chunk
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true); // bytes a second
  view.setUint16(32, 2, true); // bytes a frame
  view.setUint16(34, 16, true); // bits a sample
  text(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  for (let i = 0; i < samples.length; i++) {
    view.setInt16(44 + 2 * i, clamp(Math.round(samples[i] * 32768), -32768, 32767), true);
  }
  return new Blob([view.buffer], { type: "audio/wav" });
}
