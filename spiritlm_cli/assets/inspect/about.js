// What is said of a clip: its id, statistics and times, and the legend of the picture.

function showAbout(clip) {
  document.title = `${shorten(visible(clip.id), 80)} – speech tokens`;
  byId("clip-id").textContent = visible(clip.id);
  byId("clip-id").title = shorten(visible(clip.id), 500);
  byId("clip-source").textContent = clip.source === "-" ? "stdin" : visible(clip.source);
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
  const buttons = curves.map(({ name, label, color, dash }) => {
    const swatch = element("span", {
      className: `swatch ${color}${dash.length ? " dashed" : ""}`,
      "aria-hidden": "true",
    });
    const text = name === "rebuilt" && clip.isRebuiltRelative ? `${label}, ${rebuiltMean(clip)}` : label;
    const button = element(
      "button",
      { type: "button", "aria-pressed": String(!picture.hiddenCurves.has(name)) },
      swatch,
      text,
    );
    button.addEventListener("click", () => {
      const isShown = picture.hiddenCurves.delete(name);
      if (!isShown) picture.hiddenCurves.add(name);
      button.setAttribute("aria-pressed", String(isShown));
      picture.redraw();
    });
    return button;
  });
  byId("legend").hidden = !curves.length;
  byId("legend").replaceChildren(
    ...(curves.length ? [element("span", { className: "hint" }, "F0"), ...buttons] : []),
  );
}

/** Which mean is given to F0 from pitch units that is relative to an unknown one. */
function rebuiltMean(clip) {
  const isVoiced = clip.f0.resynthesis?.some((f0) => f0 !== null);
  return isVoiced ? "with the mean of the resynthesis" : "relative to its mean";
}

/** The statistics of a clip in one line. */
function describe(clip) {
  const parts = clip.speechSeconds
    ? [`${(Math.round(100 * clip.seconds) / 100).toFixed(2)} s`]
    : ["no speech"];
  for (const lane of clip.lanes.filter((lane) => lane.ids.length)) {
    const units = lane.counts.reduce((sum, count) => sum + count, 0);
    const runs = units === lane.ids.length ? "" : ` in ${plural(lane.ids.length, "run")}`;
    parts.push(
      `${plural(units, `${STREAMS[lane.kind].name} unit`)}${runs}, ${new Set(lane.ids).size} different`,
    );
  }
  const texts = clip.spans.filter((span) => !span.tokens).length;
  if (texts) parts.push(plural(texts, "text span"));
  if (clip.words.length) parts.push(plural(clip.words.length, "word"));
  const rate = clip.speechSeconds ? `, ${(clip.tokens.length / clip.speechSeconds).toFixed(1)} a second` : "";
  if (clip.tokens.length) parts.push(`${plural(clip.tokens.length, "speech token")} in the line${rate}`);
  return parts.join(" · ");
}

/** What the reader has to know of the times of a clip; empty if they are exact. */
function describeTimes(clip) {
  const notes = clip.other ? [clip.other.note] : [];
  if (clip.predicted && clip.speechSeconds) {
    notes.push(
      "Times are predicted. Repeated units were merged in this line, so it does not say how long each unit lasts. " +
        "The times are those of the vocoder's duration predictor, with which it is spoken.",
    );
  }
  return notes.join(" ");
}
