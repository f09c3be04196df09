// Colors of the canvas, which are those of the style sheet.

/** The colors of the theme, by the name of their custom property, and the shades of the spectrogram. */
function themeColors() {
  const style = getComputedStyle(document.documentElement);
  const names = [
    "background",
    "text",
    "phonetic",
    "pitch",
    "style",
    "original",
    "resynthesis",
    "line",
    "muted",
  ];
  const colors = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  const stops = style.getPropertyValue("--shades").trim().split(/\s+/);
  return { colors, shades: shadesBetween(stops) };
}

/** 256 colors between stops (#rrggbb), as the pixels of an image. */
function shadesBetween(stops) {
  const channels = stops.map((stop) => [1, 3, 5].map((i) => Number.parseInt(stop.slice(i, i + 2), 16)));
  return Uint32Array.from({ length: 256 }, (_, level) => {
    const place = (level / 255) * (stops.length - 1);
    const stop = Math.min(Math.floor(place), stops.length - 2);
    const [r, g, b] = channels[stop].map((c, i) =>
      Math.round(c + (place - stop) * (channels[stop + 1][i] - c)),
    );
    return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  });
}
