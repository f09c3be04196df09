// The clips of the page, which are read from its JSON blocks; see inspection/page_data.py.

const STREAMS = {
  Hu: { name: "phonetic", color: "phonetic" },
  Pi: { name: "pitch", color: "pitch" },
  St: { name: "style", color: "style" },
};
const SOUND_NAMES = ["original", "resynthesis"];

/** One clip or token line. Times are in seconds of its timeline. */
class Clip {
  constructor(index, data) {
    this.index = index;
    Object.assign(this, {
      id: data.id,
      source: data.source,
      text: data.text,
      seconds: data.seconds,
      speechSeconds: data.speech_seconds,
      predicted: data.predicted,
      lanes: data.lanes,
      texts: data.texts,
      words: data.words,
      spans: data.spans,
      f0: data.f0,
      f0Rate: data.f0_rate,
      /** Whether the F0 from pitch units is relative to the mean of a clip that is unknown. */
      isRebuiltRelative: data.rebuilt_is_relative,
      sounds: data.sounds,
      /** The clip that this one is compared with: { note, lanes, changed }; undefined if there is none. */
      other: data.other,
    });
    /** All tokens in the order of the line: { lane, run, start, end }. */
    this.tokens = data.spans
      .flatMap((span) => span.tokens ?? [])
      .map(([lane, run, start, end]) => ({ lane, run, start, end }));
    this.tokensOfLanes = this.lanes.map((_, lane) => this._indexTokens(lane));
  }

  _indexTokens(lane) {
    const indices = this.tokens.map((_, index) => index).filter((index) => this.tokens[index].lane === lane);
    return { indices, starts: indices.map((index) => this.tokens[index].start) };
  }

  laneOf(kind) {
    return this.lanes.find((lane) => lane.kind === kind);
  }

  /** The spelling of a run's unit, without brackets: Hu28. */
  unitOf(lane, run) {
    return `${this.lanes[lane].kind}${this.lanes[lane].ids[run]}`;
  }

  /** Index of the run of a lane that sounds at a time; -1 outside of all. */
  runAt(lane, seconds) {
    const { starts, ends } = this.lanes[lane];
    const run = lastAtMost(starts, seconds);
    return run >= 0 && seconds < ends[run] ? run : -1;
  }

  /** Index of the token of a lane that sounds at a time; -1 if there is none. */
  tokenAt(lane, seconds) {
    const { indices, starts } = this.tokensOfLanes[lane];
    const found = lastAtMost(starts, seconds);
    return found >= 0 && seconds < this.tokens[indices[found]].end ? indices[found] : -1;
  }

  /** How many runs of a lane have the unit of a run. */
  occurrences(lane, run) {
    const { ids } = this.lanes[lane];
    return ids.reduce((count, id) => count + (id === ids[run]), 0);
  }

  /** The token line. */
  get line() {
    return this.spans
      .map((span) =>
        span.tokens
          ? `[SPEECH]${span.tokens.map((token) => this.spelling(token)).join("")}`
          : `[TEXT]${span.text}`,
      )
      .join("");
  }

  /** A token as it stands in the line: [Hu28]. */
  spelling([lane, run]) {
    return `[${this.unitOf(lane, run)}]`;
  }
}

/** Read all clips. Their sounds stay in the document as text until they are asked for. */
function readClips() {
  return [...document.querySelectorAll("script[data-clip]")].map((script, index) => {
    const clip = new Clip(index, JSON.parse(script.textContent));
    script.remove();
    return clip;
  });
}

/** Decode the sounds of a clip: Float32Array by name, at the rate that the clip states. */
async function decodeSounds(clip) {
  const encoded = JSON.parse(document.querySelector(`script[data-sounds="${clip.index}"]`).textContent);
  const decoded = {};
  for (const name of SOUND_NAMES.filter((name) => encoded[name])) {
    // A context of the sound's own rate, so that decoding doesn't resample.
    const context = new OfflineAudioContext(1, 1, clip.sounds[name].rate);
    const buffer = await context.decodeAudioData(bytesOf(encoded[name]).buffer);
    decoded[name] = buffer.getChannelData(0);
  }
  return decoded;
}

function bytesOf(base64) {
  const characters = atob(base64);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < characters.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}
