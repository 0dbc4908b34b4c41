// The clips that the page was written with. All text in them is untrusted: it only ever
// becomes text of an element.

const UNSEEN = -32768;

// Text within other text: what runs from right to left leaves the order around it alone.
function isolate(text) {
  return /[\u0590-\u08ff\ufb1d-\ufefc]/.test(text) ? `\u2068${text}\u2069` : text;
}

// Text that fits a width on a canvas, cut where it does not.
function fitted(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  const letters = [...text];
  let [fits, count] = [0, letters.length];
  while (fits < count - 1) {
    const middle = (fits + count) >> 1;
    const room = context.measureText(`${letters.slice(0, middle).join('')}…`).width;
    if (room <= width) fits = middle;
    else count = middle;
  }
  return `${letters.slice(0, fits).join('')}…`;
}

function bytes(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

// Coordinates of a clip as Float32Array (M, T, V, C), NaN for joints that were not seen.
// They were rounded to 16 bits, least significant byte first.
function coordinates(clip) {
  const raw = new DataView(bytes(clip.points).buffer);
  const channels = clip.shape[3];
  const values = new Float32Array(raw.byteLength / 2);
  for (let i = 0; i < values.length; i++) {
    const whole = raw.getInt16(2 * i, true);
    values[i] = whole === UNSEEN ? NaN : clip.middle[i % channels] + clip.step * whole;
  }
  return values;
}

// A clip whose arrays are decoded when it is shown for the first time.
class Clip {
  constructor(record, page) {
    Object.assign(this, record);
    [this.persons, this.frames, this.joints, this.channels] = record.shape;
    this.page = page;
  }

  get className() {
    return this.label === null ? 'unlabelled' : this.page.className(this.label);
  }

  isWrong(network) {
    return this.label !== null && this.views[network].classes[0] !== this.label;
  }

  get anyWrong() {
    return this.views.some((_, network) => this.isWrong(network));
  }

  decode() {
    if (this.values) return;
    this.values = coordinates(this);
    for (const view of this.views) view.maps = view.focus.map(bytes);
    this.fit();
  }

  // Middle, reach and floor of what is drawn; a few stray joints do not count.
  fit() {
    const axes = [0, 1, 2].map((axis) => {
      const found = [];
      for (let i = axis; axis < this.channels && i < this.values.length; i += this.channels) {
        if (!Number.isNaN(this.values[i])) found.push(this.values[i]);
      }
      found.sort((a, b) => a - b);
      const at = (share) => (found.length ? found[Math.round(share * (found.length - 1))] : 0);
      return {low: at(0.01), high: at(0.99)};
    });
    this.center = axes.map(({low, high}) => (low + high) / 2);
    this.reach = Math.hypot(...axes.map(({low, high}) => (high - low) / 2)) || 1;
    this.spans = axes.map(({low, high}) => (high - low) / 2);
    this.floor = axes[1].low - this.center[1];
  }

  // Place of a joint about the middle, y upwards and z towards the viewer, or null.
  place(person, frame, joint) {
    const start = ((person * this.frames + frame) * this.joints + joint) * this.channels;
    if (Number.isNaN(this.values[start])) return null;
    const x = this.values[start] - this.center[0];
    const y = this.values[start + 1] - this.center[1];
    // Pixels count downwards; a camera's depth grows away from it.
    if (this.channels === 2) return [x, -y, 0];
    return [x, y, this.center[2] - this.values[start + 2]];
  }

  // Index of the map for 'first', 'second' or 'label'.
  rank(network, which) {
    const {classes} = this.views[network];
    if (which === 'label' && this.label !== null) return classes.indexOf(this.label);
    return which === 'second' ? Math.min(1, classes.length - 1) : 0;
  }

  // Focus in [0, 1].
  focus(network, rank, person, frame, joint) {
    const place = (person * this.frames + frame) * this.joints + joint;
    return this.views[network].maps[rank][place] / 255;
  }
}

class Page {
  constructor(element) {
    Object.assign(this, JSON.parse(element.textContent));
    this.clips = this.clips.map((record) => new Clip(record, this));
  }

  className(index) {
    return this.classes[index] ?? `class ${index}`;
  }

  jointName(index) {
    return this.layout.names[index];
  }
}
