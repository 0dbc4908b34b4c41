// The skeleton of one network, in perspective. All stages share one camera.

const VIEWS = {front: [0, 0], side: [-90, 0], top: [0, 89], start: [-24, 12]}; // yaw and pitch
const DISTANCE = 6; // of the camera, in half extents: a mild perspective
const REACH = 16; // pixels around a joint that count as on it

// A canvas with one unit to a CSS pixel. Returns its context, cleared.
function fresh(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const pixels = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== pixels[0] || canvas.height !== pixels[1]) [canvas.width, canvas.height] = pixels;
  const context = canvas.getContext('2d');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

class Camera {
  constructor() {
    this.reset(false);
  }

  reset(flat) {
    this.flat = flat; // 2D clips are seen from the front alone
    this.zoom = 1;
    this.shift = [0, 0];
    this.look(flat ? 'front' : 'start');
  }

  look(view) {
    [this.yaw, this.pitch] = VIEWS[view];
  }

  turn(yaw, pitch) {
    if (this.flat) return;
    this.yaw = ((this.yaw + yaw + 540) % 360) - 180;
    this.pitch = Math.max(-89, Math.min(89, this.pitch + pitch));
  }

  magnify(factor) {
    this.zoom = Math.max(0.4, Math.min(8, this.zoom * factor));
  }

  // For a drag by pixels: 2D clips are moved, 3D clips turned.
  drag(x, y) {
    if (this.flat) this.shift = [this.shift[0] + x, this.shift[1] + y];
    else this.turn(x * 0.6, y * 0.4);
  }

  // A function from a place to [x, y, depth] on a canvas.
  projection(clip, width, height) {
    const [yaw, pitch] = [this.yaw, this.pitch].map((degrees) => (degrees * Math.PI) / 180);
    const [sy, cy, sp, cp] = [Math.sin(yaw), Math.cos(yaw), Math.sin(pitch), Math.cos(pitch)];
    const across = clip.channels === 2 ? clip.spans[0] : Math.hypot(clip.spans[0], clip.spans[2]);
    const up = clip.spans[1] * cp + across * Math.abs(sp);
    const room = Math.min(width / 2 / (across || 1), height / 2 / (up || 1));
    const size = (this.flat ? 0.9 : 0.82) * this.zoom * room;
    const [left, top] = [width / 2 + this.shift[0], height / 2 + this.shift[1]];
    const away = DISTANCE * clip.reach;
    const least = away / 8;
    return ([x, y, z]) => {
      const side = cy * x + sy * z;
      const deep = cy * z - sy * x;
      const high = cp * y - sp * deep;
      const depth = sp * y + cp * deep;
      const near = away / Math.max(away - depth, least);
      return [left + size * near * side, top - size * near * high, depth];
    };
  }
}

class Stage {
  constructor(canvas, network, app) {
    Object.assign(this, {canvas, network, app, spots: []});
  }

  draw() {
    const {app, canvas} = this;
    const {clip, colors} = app;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const context = fresh(canvas, width, height);
    this.project = app.camera.projection(clip, width, height);
    // Whole bodies with hands and face have small joints.
    const small = Math.min(1, Math.sqrt(30 / clip.joints));
    this.unit = small * Math.max(0.7, Math.min(width, height) / 380) * Math.sqrt(app.camera.zoom);
    if (clip.channels === 3) this.drawFloor(context, colors);
    this.spots = [];
    const parts = [];
    for (let person = 0; person < clip.persons; person++) this.collect(person, parts);
    parts.sort((a, b) => a.depth - b.depth); // the nearest last
    for (const part of parts) part.draw(context);
    this.drawName(context, width);
  }

  // Bones and joints of a person in this frame.
  collect(person, parts) {
    const {app, network, unit} = this;
    const {clip, frame, colors, paint} = app;
    const rank = clip.rank(network, app.rank);
    const spots = [];
    for (let joint = 0; joint < clip.joints; joint++) {
      const place = clip.place(person, frame, joint);
      if (!place) continue;
      const [x, y, depth] = this.project(place);
      const focus = clip.focus(network, rank, person, frame, joint);
      spots[joint] = {person, joint, x, y, depth, focus};
    }
    for (const [child, parent] of app.page.layout.bones) {
      const [a, b] = [spots[child], spots[parent]];
      if (a && b) parts.push({depth: (a.depth + b.depth) / 2, draw: (c) => this.drawBone(c, a, b)});
    }
    for (const spot of spots) {
      if (!spot) continue;
      const shown = paint === 'bones' ? 0 : spot.focus;
      const color = paint === 'bones' ? colors.bone : app.color(spot.focus);
      const radius = unit * (3 + 8 * shown);
      parts.push({depth: spot.depth, draw: (c) => this.drawJoint(c, spot, radius, color, shown)});
      this.spots.push(spot);
    }
  }

  drawBone(context, a, b) {
    const {app, unit} = this;
    const focus = (a.focus + b.focus) / 2;
    const painted = app.paint !== 'joints';
    context.lineCap = 'round';
    const thick = unit * (painted ? 2.5 + 5 * focus : 3);
    // With an edge, so that little focus is also seen on a background like it.
    this.line(context, a, b, thick + 2, app.colors.bone);
    if (!painted) return;
    const blend = context.createLinearGradient(a.x, a.y, b.x, b.y);
    blend.addColorStop(0, app.color(a.focus));
    blend.addColorStop(1, app.color(b.focus));
    this.line(context, a, b, thick, blend);
  }

  line(context, a, b, width, style) {
    context.lineWidth = width;
    context.strokeStyle = style;
    context.beginPath();
    context.moveTo(a.x, a.y);
    context.lineTo(b.x, b.y);
    context.stroke();
  }

  drawJoint(context, spot, radius, color, shown) {
    const {colors, joint} = this.app;
    context.fillStyle = color;
    if (shown > 0.25) {
      context.globalAlpha = 0.28 * shown;
      this.disc(context, spot, 2.1 * radius);
      context.globalAlpha = 1;
    }
    this.disc(context, spot, radius);
    context.lineWidth = 1;
    context.strokeStyle = colors.outline;
    context.stroke();
    if (spot.joint === joint) {
      context.lineWidth = 2;
      context.strokeStyle = colors.accent;
      context.beginPath();
      context.arc(spot.x, spot.y, radius + 4, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  disc(context, {x, y}, radius) {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fill();
  }

  // Two rings on the ground, and a mark towards the camera that recorded.
  drawFloor(context, colors) {
    const {clip} = this.app;
    const radius = 1.1 * Math.hypot(clip.spans[0], clip.spans[2], 0.15 * clip.reach);
    const point = (angle, share) =>
      this.project([share * radius * Math.sin(angle), clip.floor, share * radius * Math.cos(angle)]);
    context.strokeStyle = colors.floor;
    context.lineWidth = 1.5;
    for (const share of [0.5, 1]) {
      context.beginPath();
      for (let i = 0; i <= 72; i++) context.lineTo(...point((i * Math.PI) / 36, share).slice(0, 2));
      context.stroke();
    }
    context.fillStyle = colors.floor;
    context.beginPath();
    for (const [angle, share] of [[-0.09, 1.02], [0, 1.14], [0.09, 1.02]]) {
      context.lineTo(...point(angle, share).slice(0, 2));
    }
    context.fill();
  }

  // Name and focus of the marked joint beside it.
  drawName(context, width) {
    const {app} = this;
    const spot = this.spots.find(({joint, person}) => joint === app.joint && person === app.person)
      ?? this.spots.find(({joint}) => joint === app.joint);
    if (!spot) return;
    context.font = '600 13px system-ui, sans-serif';
    const name = fitted(context, app.page.jointName(spot.joint), 0.6 * width);
    const text = `${isolate(name)} ${spot.focus.toFixed(2)}`;
    const room = context.measureText(text).width + 12;
    const x = spot.x + 14 + room < width ? spot.x + 14 : Math.max(4, spot.x - 14 - room);
    const y = Math.max(14, spot.y);
    context.fillStyle = app.colors.panel;
    context.globalAlpha = 0.85;
    context.fillRect(x, y - 11, room, 22);
    context.globalAlpha = 1;
    context.fillStyle = app.colors.text;
    context.textBaseline = 'middle';
    context.fillText(text, x + 6, y);
  }

  // The joint at a place of the canvas, or null.
  spotAt(x, y) {
    let best = null;
    let least = REACH;
    for (const spot of this.spots) {
      const distance = Math.hypot(spot.x - x, spot.y - y);
      if (distance < least) [best, least] = [spot, distance];
    }
    return best;
  }
}
