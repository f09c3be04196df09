// The lane of F0, and its scale.

/** The curves of the F0 lane. */
const CURVES = [
  { name: "original", label: "original", color: "original", dash: [] },
  { name: "rebuilt", label: "from pitch units", color: "pitch", dash: [] },
  { name: "resynthesis", label: "resynthesis", color: "resynthesis", dash: [4, 3] },
];

/** F0 of the original and of the resynthesis, and what the pitch units stand for. */
const f0Lane = {
  name: "f0",
  label: "F0",
  height: 110,
  isShown: (scene) => CURVES.some(({ name }) => scene.clip.f0[name]?.some((f0) => f0 !== null)),
  ticks(scene) {
    const [low, high] = scene.f0Range;
    const step = high - low > 260 ? 100 : 50;
    const ticks = [];
    for (let f0 = Math.ceil(low / step) * step; f0 <= high; f0 += step) {
      ticks.push({ label: `${f0} Hz`, share: 1 - (f0 - low) / (high - low) });
    }
    return ticks.filter(({ share }) => share > 0.16 && share < 0.97);
  },
  paint(context, box, scene) {
    const { clip, colors, hiddenCurves } = scene;
    context.strokeStyle = colors.line;
    for (const { share } of this.ticks(scene)) {
      context.beginPath();
      context.moveTo(0, Math.round(share * box.height) + 0.5);
      context.lineTo(box.width, Math.round(share * box.height) + 0.5);
      context.stroke();
    }
    for (const curve of CURVES) {
      if (clip.f0[curve.name] && !hiddenCurves.has(curve.name)) paintCurve(context, box, scene, curve);
    }
  },
};

function paintCurve(
  context,
  box,
  { clip, view, colors, f0Range: [low, high], f0Shift },
  { name, color, dash },
) {
  const values = clip.f0[name];
  const shift = name === "rebuilt" ? f0Shift : 0;
  const rate = clip.f0Rate;
  // Not more points than three a pixel, however long the visible part is.
  const step = Math.max(1, Math.floor(rate / view.scale / 3));
  const first = Math.max(Math.floor((view.first * rate) / step) * step - step, 0);
  const last = Math.min(Math.ceil(view.last * rate) + step, values.length);
  context.strokeStyle = colors[color];
  context.lineWidth = 1.75;
  context.lineJoin = "round";
  context.setLineDash(dash);
  context.beginPath();
  let isDrawing = false;
  for (let frame = first; frame < last; frame += step) {
    if (values[frame] === null) {
      isDrawing = false;
      continue;
    }
    const x = view.x(frame / rate);
    const y = box.height * (1 - (values[frame] + shift - low) / (high - low));
    if (isDrawing) context.lineTo(x, y);
    else context.moveTo(x, y);
    isDrawing = true;
  }
  context.stroke();
  context.setLineDash([]);
  context.lineWidth = 1;
}

/** The range of the F0 lane in Hz, and what to add to rebuilt F0 that is relative to an unknown mean: it gets the mean
 *  of the sounds, or 0 if nothing in them is voiced. */
function f0Scale(clip) {
  const voiced = (name) => (clip.f0[name] ?? []).filter((f0) => f0 !== null);
  const rebuilt = voiced("rebuilt");
  const measured = [...voiced("original"), ...voiced("resynthesis")];
  const shift = clip.isRebuiltRelative ? Math.round(mean(measured) - mean(rebuilt)) : 0;
  const all = [...measured, ...rebuilt.map((f0) => f0 + shift)].sort((a, b) => a - b);
  if (!all.length) return { range: [0, 1], shift };
  // Without the outermost values, which are mistakes of the tracker.
  const low = all[Math.floor(0.005 * all.length)];
  const high = all[Math.ceil(0.995 * all.length) - 1];
  const margin = Math.max(0.08 * (high - low), 10);
  return { range: [low - margin, high + margin], shift };
}

const mean = (values) => (values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : 0);
