// The lanes of the picture: each has a height and paints the visible part of itself.
//
// paint(context, box, scene): box is { width, height } with the origin at its top left corner. The scene has the clip,
// the view, the colors of the theme, the sound that is chosen (null if there is none), and what is highlighted.

const FONT = "11px system-ui, sans-serif";

/** Waveform of the chosen sound. */
const waveformLane = {
  name: "waveform",
  label: "waveform",
  height: 56,
  isShown: (scene) => scene.sound !== null,
  ticks: () => [],
  paint(context, box, { view, sound, colors }) {
    const perPixel = 1 / view.scale;
    const middle = box.height / 2;
    context.fillStyle = colors[sound.name];
    for (let x = 0; x < box.width; x++) {
      const start = view.time(x);
      const first = Math.floor(start * sound.rate);
      const last = Math.max(Math.floor((start + perPixel) * sound.rate), first + 1);
      if (first >= sound.samples.length) break;
      const [low, high] = sound.peaks.between(first, last);
      const top = middle - (high / sound.loudest) * middle * 0.95;
      const bottom = middle - (low / sound.loudest) * middle * 0.95;
      context.fillRect(x, top, 1, Math.max(bottom - top, 1));
    }
  },
};

/** Spectrogram of the chosen sound, 0 Hz to half of its rate. */
const spectrogramLane = {
  name: "spectrogram",
  label: "spectrum",
  height: 150,
  isShown: (scene) => scene.sound !== null,
  ticks: ({ sound }) =>
    [2, 4, 6].map((kHz) => ({ label: `${kHz} kHz`, share: 1 - (2000 * kHz) / sound.rate })),
  paint(context, box, scene) {
    const { sound, view, shades } = scene;
    const width = Math.ceil(box.width);
    // Highlights change more often than what of the sound is visible.
    const last = scene.lastSpectrum;
    const key = [sound, shades, view.first, view.scale, width];
    if (!last || key.some((part, index) => part !== last.key[index])) {
      scene.lastSpectrum = { key, image: spectrumImage(width, scene) };
    }
    const { image } = scene.lastSpectrum;
    context.drawImage(image, 0, 0, width, image.height, 0, 0, width, box.height);
  },
};

/** The spectrogram of the visible part: a pixel for each bin and each pixel of width. */
function spectrumImage(width, scene) {
  const { bins } = scene.sound.spectrogram;
  const image = new ImageData(width, bins);
  const pixels = new Uint32Array(image.data.buffer);
  const levels = spectrumLevels(width, scene);
  for (let x = 0; x < width; x++) {
    for (let bin = 0; bin < bins; bin++) {
      pixels[(bins - 1 - bin) * width + x] = scene.shades[Math.round(levels[x * bins + bin] * 255)];
    }
  }
  const canvas = element("canvas", { width, height: bins });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** Levels of a spectrum for each pixel, one after another. */
function spectrumLevels(width, { view, sound }) {
  const { spectrogram } = sound;
  const levels = new Float32Array(width * spectrogram.bins);
  const end = sound.samples.length / sound.rate;
  for (let x = 0; x < width; x++) {
    const seconds = view.time(x + 0.5);
    if (seconds > end) break;
    spectrogram.column(seconds, levels, x * spectrogram.bins);
  }
  return levels;
}

/** The lane of a stream of units: of the clip, or of the one that it is compared with. */
function unitLane(kind, isOther = false) {
  const laneIn = (clip) =>
    isOther ? clip.other?.lanes.find((lane) => lane.kind === kind) : clip.laneOf(kind);
  return {
    name: isOther ? `other ${kind}` : kind,
    kind: isOther ? null : kind,
    otherKind: isOther ? kind : null,
    label: isOther ? "compared" : STREAMS[kind].name,
    height: 24,
    hasBoxes: true,
    isShown: (scene) => Boolean(laneIn(scene.clip)?.ids.length),
    ticks: () => [],
    paint(context, box, scene) {
      const lane = laneIn(scene.clip);
      const changed = scene.clip.other?.changed[kind]?.[isOther ? "other" : "own"] ?? [];
      const color = scene.colors[STREAMS[kind].color];
      forVisible(lane.starts, lane.ends, scene.view, (run, left, right) => {
        const isSame = scene.highlight?.kind === kind && scene.highlight.id === lane.ids[run];
        paintBox(
          context,
          box,
          scene,
          { left, right, color, strength: isSame ? 1 : run % 2 ? 0.16 : 0.3 },
          String(lane.ids[run]),
        );
        if (changed[lastAtMost(changed, run)] === run) {
          context.fillStyle = scene.colors.text;
          context.fillRect(left, box.height - 3, Math.max(right - left - 1, 1), 3);
        }
      });
    },
  };
}

/** The words of the transcript. */
const wordLane = {
  name: "words",
  label: "words",
  height: 24,
  hasBoxes: true,
  isShown: (scene) => scene.clip.words.length > 0,
  ticks: () => [],
  paint(context, box, scene) {
    const { starts, ends } = scene.wordTimes;
    forVisible(starts, ends, scene.view, (index, left, right) => {
      const isSame = scene.highlight?.word === index;
      paintBox(
        context,
        box,
        scene,
        { left, right, color: scene.colors.text, strength: isSame ? 1 : 0.09 },
        visible(scene.clip.words[index].word),
      );
    });
  },
};

/** Text spans of a line that also has speech: flags where they stand. */
const textLane = {
  name: "texts",
  label: "text",
  height: 24,
  hasBoxes: true,
  isShown: (scene) => scene.clip.texts.length > 0,
  ticks: () => [],
  paint(context, box, scene) {
    const { view, clip, colors } = scene;
    context.fillStyle = colors.text;
    let right = box.width;
    // From the last to the first, as a label ends where the next one begins.
    for (const { text, seconds } of [...clip.texts].reverse()) {
      const flag = view.x(seconds);
      if (flag <= box.width + 1) {
        context.fillRect(clamp(flag, 0, box.width - 2), 0, 2, box.height);
        right = paintFlag(context, shorten(visible(text.trim()), 200), flag, right, box);
      }
      if (flag < 0) break;
    }
  },
};

/** Write the label of a flag right of it, or left of it if the flag stands at the end. Returns where it begins. */
function paintFlag(context, label, flag, right, box) {
  const isAtEnd = right === box.width && right - flag < 40;
  if (!isAtEnd) {
    paintLabel(context, label, Math.max(flag, 0) + 6, right, box, "start");
    return flag;
  }
  const left = Math.max(flag - 12 - context.measureText(label).width, flag - 160);
  paintLabel(context, label, left, flag, box, "start");
  return left - 8;
}

/** Call for each visible run with its edges in pixels, except for those that end in a pixel that is painted. */
function forVisible(starts, ends, view, paint) {
  let painted = 0;
  for (let run = Math.max(lastAtMost(starts, view.first), 0); run < starts.length; run++) {
    const left = view.x(starts[run]);
    if (left > view.width) break;
    const right = view.x(ends[run]);
    if (right > left && right > painted + 0.25) {
      paint(run, left, right);
      painted = right;
    }
  }
}

function paintBox(context, box, { colors }, { left, right, color, strength }, label) {
  // A gap between boxes, if there is room for one.
  const gap = right - left > 3 ? 1 : 0;
  context.globalAlpha = strength;
  context.fillStyle = color;
  context.fillRect(left, 0, Math.max(right - left - gap, 0.5), box.height);
  context.globalAlpha = 1;
  context.fillStyle = strength === 1 ? colors.background : colors.text;
  paintLabel(context, label, Math.max(left, 0), Math.min(right, box.width), box, "center");
}

/** Write a label between two edges, shortened, or not at all if there is no room. */
function paintLabel(context, label, left, right, box, align) {
  const room = right - left - 4;
  if (room < 5) return;
  let fitting = label;
  if (context.measureText(label).width > room) {
    // A part of a number would be another number. It may have room if it is turned.
    if (/^\d+$/.test(label)) {
      paintTurned(context, label, (left + right) / 2, right - left, box);
      return;
    }
    fitting = shorten(label, Math.floor((label.length * room) / context.measureText(label).width));
    if (fitting.length < 2) return;
  }
  context.textAlign = align;
  context.textBaseline = "middle";
  context.fillText(fitting, align === "center" ? (left + right) / 2 : left, box.height / 2 + 0.5);
}

/** Write a number from bottom to top, if the box is as wide as a line is high. */
function paintTurned(context, label, x, width, box) {
  if (width < 11 || context.measureText(label).width > box.height - 2) return;
  context.save();
  context.translate(x, box.height / 2);
  context.rotate(-Math.PI / 2);
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(label, 0, 0.5);
  context.restore();
}

const LANES = [
  waveformLane,
  spectrogramLane,
  f0Lane,
  unitLane("Hu"),
  unitLane("Hu", true),
  unitLane("Pi"),
  unitLane("Pi", true),
  unitLane("St"),
  unitLane("St", true),
  wordLane,
  textLane,
];
const LANE_GAP = 6;
const RULER_HEIGHT = 20;
