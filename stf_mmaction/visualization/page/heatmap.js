// Focus of one network as joints x frames, with its means beside it.

const GAP = 3; // pixels between limbs
const PERSON_GAP = 20; // pixels above each person but the first
const TOP = 30; // pixels for the mean over joints
const BOTTOM = 20; // pixels for frame numbers
const FONT = 'system-ui, sans-serif';

class HeatMap {
  constructor(canvas, network, app) {
    Object.assign(this, {canvas, network, app});
  }

  // Place the rows, for a new clip or another width.
  lay() {
    const {app, canvas} = this;
    const {clip, page} = app;
    const {order, starts} = page.layout;
    const width = canvas.clientWidth;
    const narrow = width < 420;
    const rows = clip.persons * clip.joints;
    this.height = Math.max(3, Math.min(narrow ? 12 : 14, 640 / rows));
    this.left = Math.min(narrow ? 86 : 120, this.labelWidth());
    this.right = narrow ? 34 : 64;
    this.width = Math.max(40, width - this.left - this.right);
    const context = canvas.getContext('2d');
    context.font = `700 11px ${FONT}`; // of the marked row, the widest
    this.names = page.layout.names.map((name) => fitted(context, name, this.left - 8));
    this.rows = [];
    let y = TOP;
    for (let person = 0; person < clip.persons; person++) {
      if (person || clip.persons > 1) y += PERSON_GAP;
      for (const joint of order) {
        if (starts.includes(joint) && joint !== order[0]) y += GAP;
        this.rows.push({person, joint, y});
        y += this.height;
      }
    }
    this.bottom = y;
    canvas.style.height = `${y + BOTTOM}px`;
    this.paint();
  }

  labelWidth() {
    const context = this.canvas.getContext('2d');
    context.font = `700 11px ${FONT}`;
    return 10 + Math.max(...this.app.page.layout.names.map((name) => context.measureText(name).width));
  }

  // The cells, one pixel each, and the means: for another class or other colours.
  paint() {
    const {app, network} = this;
    const {clip} = app;
    const rank = clip.rank(network, app.rank);
    this.image = document.createElement('canvas');
    [this.image.width, this.image.height] = [clip.frames, this.rows.length];
    const context = this.image.getContext('2d');
    const pixels = context.createImageData(clip.frames, this.rows.length);
    this.when = new Float32Array(clip.frames);
    this.where = new Float32Array(this.rows.length);
    this.rows.forEach(({person, joint}, row) => {
      for (let frame = 0; frame < clip.frames; frame++) {
        const focus = clip.focus(network, rank, person, frame, joint);
        this.when[frame] += focus / this.rows.length;
        this.where[row] += focus / clip.frames;
        pixels.data.set([...app.ramp[Math.round(255 * focus)], 255], 4 * (row * clip.frames + frame));
      }
    });
    context.putImageData(pixels, 0, 0);
  }

  draw() {
    const {app, canvas, left, width, height} = this;
    const {clip, colors} = app;
    const context = fresh(canvas, canvas.clientWidth, this.bottom + BOTTOM);
    context.imageSmoothingEnabled = false;
    context.textBaseline = 'middle';
    const most = Math.max(...this.where) || 1;
    const every = Math.ceil(10 / height); // labels that fit
    this.rows.forEach(({person, joint, y}, row) => {
      const marked = joint === app.joint;
      context.drawImage(this.image, 0, row, clip.frames, 1, left, y, width, height);
      context.fillStyle = marked ? colors.accent : colors.soft;
      context.fillRect(left + width + 6, y + 1, ((this.right - 10) * this.where[row]) / most, Math.max(1, height - 2));
      if (row % every && !marked) return;
      context.font = `${marked ? '700 ' : ''}11px ${FONT}`;
      context.textAlign = 'right';
      context.fillText(this.names[joint], left - 6, y + height / 2);
      if (marked && (person === app.person || clip.persons === 1)) {
        context.strokeStyle = colors.accent;
        context.lineWidth = 1.5;
        context.strokeRect(left, y, width, height);
      }
    });
    this.drawTitles(context);
    this.drawWhen(context);
    this.drawCursor(context);
  }

  drawTitles(context) {
    const {app, left} = this;
    context.textAlign = 'left';
    context.font = `600 11px ${FONT}`;
    context.fillStyle = app.colors.soft;
    if (app.clip.persons === 1) return;
    this.rows.forEach(({person, y}, row) => {
      if (row % app.clip.joints === 0) context.fillText(`person ${person + 1}`, left, y - 9);
    });
  }

  // Mean focus of each frame as a hill above the cells, and the frame numbers below.
  drawWhen(context) {
    const {app, left, width} = this;
    const {clip, colors} = app;
    const most = Math.max(...this.when) || 1;
    const step = width / clip.frames;
    context.fillStyle = colors.soft;
    context.globalAlpha = 0.55;
    this.when.forEach((mean, frame) => {
      const tall = ((TOP - 8) * mean) / most;
      context.fillRect(left + frame * step, TOP - 4 - tall, step + 0.3, tall);
    });
    context.globalAlpha = 1;
    context.font = `11px ${FONT}`;
    context.textAlign = 'center';
    const spacing = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000].find((s) => s * step >= 34) ?? clip.frames;
    for (let frame = 0; frame < clip.frames; frame += spacing) {
      context.fillText(String(frame), left + (frame + 0.5) * step, this.bottom + 11);
    }
  }

  drawCursor(context) {
    const {app, left, width} = this;
    const x = left + ((app.frame + 0.5) * width) / app.clip.frames;
    for (const [line, color] of [[4, app.colors.ground], [2, app.colors.accent]]) {
      context.lineWidth = line;
      context.strokeStyle = color;
      context.beginPath();
      context.moveTo(x, TOP - 8);
      context.lineTo(x, this.bottom + 2);
      context.stroke();
    }
  }

  // The cell at a place of the canvas; the nearest one beyond the edges.
  cellAt(x, y) {
    const {clip} = this.app;
    const frame = Math.floor(((x - this.left) * clip.frames) / this.width);
    const row = this.rows.findLast((candidate) => y >= candidate.y) ?? this.rows[0];
    return {...row, frame: Math.max(0, Math.min(clip.frames - 1, frame))};
  }

  // The row above or below that of a joint.
  next(person, joint, step) {
    const row = this.rows.findIndex((r) => r.joint === joint && r.person === person);
    return this.rows[Math.max(0, Math.min(this.rows.length - 1, row + step))];
  }

  // What it shows, in words.
  summary() {
    const {page} = this.app;
    if (Math.max(...this.where) === 0) return 'The focus is 0 everywhere: the network is indifferent.';
    const order = [...this.where.keys()].sort((a, b) => this.where[b] - this.where[a]).slice(0, 3);
    const names = order.map((row) => {
      const {person, joint} = this.rows[row];
      return isolate(page.jointName(joint)) + (this.app.clip.persons > 1 ? ` of person ${person + 1}` : '');
    });
    const peak = this.when.indexOf(Math.max(...this.when));
    return `Looks most at ${names.join(', ')}; most of all in frame ${peak}.`;
  }
}
