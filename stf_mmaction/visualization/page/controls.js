// Mouse, touch and keys.

function listen(app) {
  $('search').addEventListener('input', () => app.filter());
  $('wrong').addEventListener('change', () => app.filter());
  $('palette').addEventListener('change', () => app.setPalette());
  $('theme').addEventListener('click', () =>
    app.setTheme(document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark'),
  );
  $('rank').addEventListener('change', (event) => app.setRank(event.target.value));
  $('paint').addEventListener('change', (event) => {
    app.paint = event.target.value;
    app.draw();
  });
  $('play').addEventListener('click', () => app.play(!app.playing));
  $('frame').addEventListener('input', (event) => app.seek(Number(event.target.value)));
  $('help-open').addEventListener('click', () => $('help').showModal());
  const viewed = (change) => () => {
    change();
    app.draw();
  };
  for (const button of $('turns').children) {
    button.addEventListener('click', viewed(() => app.camera.look(button.dataset.view)));
  }
  $('in').addEventListener('click', viewed(() => app.camera.magnify(1.25)));
  $('out').addEventListener('click', viewed(() => app.camera.magnify(0.8)));
  $('reset').addEventListener('click', viewed(() => app.camera.reset(app.camera.flat)));
  for (const {stage, map} of app.cards) {
    listenToStage(app, stage);
    listenToMap(app, map);
  }
  new ResizeObserver(() => app.clip && app.lay()).observe($('maps'));
  addEventListener('keydown', (event) => key(app, event));
}

// One pointer drags, two zoom; a pointer that does not move marks a joint.
function listenToStage(app, stage) {
  const {canvas} = stage;
  const pointers = new Map();
  let travelled = 0;
  const spread = () => {
    const [a, b] = [...pointers.values()];
    return Math.hypot(a.offsetX - b.offsetX, a.offsetY - b.offsetY) || 1;
  };
  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, event);
    travelled = 0;
  });
  canvas.addEventListener('pointermove', (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const [x, y] = [event.offsetX - before.offsetX, event.offsetY - before.offsetY];
    travelled += Math.abs(x) + Math.abs(y);
    const apart = pointers.size === 2 ? spread() : null;
    pointers.set(event.pointerId, event);
    if (apart) app.camera.magnify(spread() / apart);
    else app.camera.drag(x, y);
    app.draw();
  });
  const leave = (event) => pointers.delete(event.pointerId);
  canvas.addEventListener('pointercancel', leave);
  canvas.addEventListener('pointerup', (event) => {
    leave(event);
    if (travelled > 6) return;
    const spot = stage.spotAt(event.offsetX, event.offsetY);
    app.mark(spot ? spot.person : 0, spot ? spot.joint : null);
  });
  canvas.addEventListener('wheel', (event) => {
    // Elsewhere on the way the wheel scrolls the page.
    if (document.activeElement !== canvas && !event.ctrlKey) return;
    event.preventDefault();
    app.camera.magnify(Math.exp(-event.deltaY / 500));
    app.draw();
  }, {passive: false});
}

function listenToMap(app, map) {
  const {canvas} = map;
  const go = (event) => {
    const {person, joint, frame} = map.cellAt(event.offsetX, event.offsetY);
    Object.assign(app, {person, joint});
    app.seek(frame);
  };
  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId);
    app.play(false);
    go(event);
  });
  canvas.addEventListener('pointermove', (event) => {
    if (event.buttons) go(event);
  });
}

const TURNS = {ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, 8], ArrowDown: [0, -8]};
const LETTERS = {a: 'ArrowLeft', d: 'ArrowRight', w: 'ArrowUp', s: 'ArrowDown'};

// Keys, unless they belong to a field, to the browser or to a dialog.
function key(app, event) {
  const {target} = event;
  if (event.ctrlKey || event.metaKey || event.altKey || $('help').open) return;
  if (target.matches('input:not([type=checkbox]), select')) return;
  const card = app.cards.find(({stage, map}) => target === stage.canvas || target === map.canvas);
  const onMap = card && target === card.map.canvas;
  const pressed = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (pressed === ' ' && target.matches('button, summary, input')) return; // presses it
  if (TURNS[pressed] && onMap) moveCell(app, card, TURNS[pressed], event.shiftKey);
  else if (TURNS[pressed] && card) app.camera.turn(...TURNS[pressed]);
  else if (LETTERS[pressed]) app.camera.turn(...TURNS[LETTERS[pressed]]);
  else if (!command(app, pressed, event.shiftKey)) return;
  event.preventDefault();
  app.draw();
}

function command(app, pressed, fast) {
  const commands = {
    ' ': () => app.play(!app.playing),
    'ArrowLeft': () => app.seek(app.frame - (fast ? 10 : 1)),
    'ArrowRight': () => app.seek(app.frame + (fast ? 10 : 1)),
    'Home': () => app.seek(0),
    'End': () => app.seek(Infinity),
    '+': () => app.camera.magnify(1.25),
    '=': () => app.camera.magnify(1.25),
    '-': () => app.camera.magnify(0.8),
    '0': () => app.camera.reset(app.camera.flat),
    'n': () => app.browse(1),
    'p': () => app.browse(-1),
    'c': () => {
      const kinds = [...$('rank').options].map(({value}) => value);
      app.setRank(kinds[(kinds.indexOf(app.rank) + 1) % kinds.length]);
    },
    '/': () => {
      $('clips').open = true;
      $('search').focus();
    },
    '?': () => $('help').showModal(),
  };
  if (!(pressed in commands)) return false;
  commands[pressed]();
  return true;
}

// From cell to cell of a heat map, which is read out.
function moveCell(app, {map}, [right, up], fast) {
  app.play(false);
  const current = app.joint ?? map.rows[0].joint;
  const row = map.next(app.person, current, app.joint === null ? 0 : -Math.sign(up));
  Object.assign(app, {person: row.person, joint: row.joint});
  app.seek(app.frame + Math.sign(right) * (fast ? 10 : 1));
  const rank = app.clip.rank(map.network, app.rank);
  const focus = app.clip.focus(map.network, rank, app.person, app.frame, app.joint);
  $('live').textContent = `frame ${app.frame}, ${isolate(app.page.jointName(app.joint))}, focus ${focus.toFixed(2)}`;
}

new App();
