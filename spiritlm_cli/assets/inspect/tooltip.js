// The tooltip: what is at a point of the picture, or of a token.

/** The lines of the tooltip at a point of the picture. */
function explainTarget({ lane, seconds, share, index, run, word }, scene) {
  const { clip, sound } = scene;
  if (run >= 0) return explainRun(clip, index, run);
  if (word >= 0) {
    const { word: text, start, end } = clip.words[word];
    return [shorten(visible(text), 100), formatRange(start, end)];
  }
  const lines = [`${seconds.toFixed(3)} s`];
  if (lane === spectrogramLane) lines.push(`${Math.round(((1 - share) * sound.rate) / 20) * 10} Hz`);
  if (lane === f0Lane) lines.push(...explainF0(seconds, scene));
  if (lane?.otherKind) lines.unshift(...explainOther(clip.other, lane.otherKind, seconds));
  if (lane === textLane) {
    const mark = lastAtMost(
      clip.texts.map((text) => text.seconds),
      seconds,
    );
    if (mark >= 0) lines.unshift(shorten(visible(clip.texts[mark].text.trim()), 200));
  }
  return lines;
}

/** What is said of a run of units: its unit, its times, its repeats, and how often the unit occurs. */
function explainRun(clip, lane, run) {
  const { starts, ends, counts } = clip.lanes[lane];
  const places = clip.occurrences(lane, run);
  return [
    clip.unitOf(lane, run),
    formatRange(starts[run], ends[run]) + (clip.predicted ? ", predicted" : ""),
    counts[run] > 1 ? `${counts[run]} units in succession` : "not repeated",
    places > 1 ? `at ${places} places of the clip` : "the only place in the clip",
  ];
}

/** What is said of the unit at a time of the clip that this one is compared with. */
function explainOther({ lanes }, kind, seconds) {
  const { ids, starts, ends } = lanes.find((lane) => lane.kind === kind);
  const run = lastAtMost(starts, seconds);
  return run >= 0 && seconds < ends[run] ? [`${kind}${ids[run]}`, formatRange(starts[run], ends[run])] : [];
}

function formatRange(start, end) {
  return `${start.toFixed(3)}–${end.toFixed(3)} s (${Math.round(1000 * (end - start))} ms)`;
}

function explainF0(seconds, { clip, f0Shift, hiddenCurves }) {
  return CURVES.filter(({ name }) => clip.f0[name] && !hiddenCurves.has(name)).map(({ name, label }) => {
    const f0 = clip.f0[name][Math.round(seconds * clip.f0Rate)];
    const shift = name === "rebuilt" ? f0Shift : 0;
    return `${label}: ${f0 === null || f0 === undefined ? "unvoiced" : `${f0 + shift} Hz`}`;
  });
}

/** Show lines beside the pointer, inside of the window. */
function showTooltip(lines, clientX, clientY) {
  const tooltip = byId("tooltip");
  tooltip.hidden = lines.length === 0;
  if (!lines.length) return;
  tooltip.replaceChildren(...lines.map((line) => element("div", {}, line)));
  const { width, height } = tooltip.getBoundingClientRect();
  const left = clientX + 14 + width < innerWidth ? clientX + 14 : clientX - 14 - width;
  const top = clientY + 18 + height < innerHeight ? clientY + 18 : clientY - 12 - height;
  tooltip.style.transform = `translate(${Math.max(left, 4)}px, ${Math.max(top, 4)}px)`;
}

function hideTooltip() {
  byId("tooltip").hidden = true;
}
