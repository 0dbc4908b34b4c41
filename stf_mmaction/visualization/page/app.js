// State of the page and what the user does to it.

const $ = (id) => document.getElementById(id);
const RANKS = {first: 'predicted class', second: 'second class', label: 'true class'};

// An element with text and attributes. Text is never parsed as HTML.
function element(tag, {text, ...attributes} = {}, children = []) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

// A name of any script, which leaves the order of the text around it alone.
function isolated(text) {
  return element('bdi', {text});
}

class App {
  constructor() {
    this.page = new Page($('data'));
    Object.assign(this, {frame: 0, playing: false, rank: 'first', paint: 'both', joint: null, person: 0});
    this.camera = new Camera();
    this.build();
    this.setTheme(matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark');
    listen(this);
    this.filter();
    this.show(this.page.clips[0]);
  }

  // Cards for each network, and the choices.
  build() {
    const {networks, clips} = this.page;
    document.documentElement.style.setProperty('--networks', networks.length);
    this.cards = networks.map((name, network) => {
      const verdict = element('p', {class: 'verdict'});
      const note = element('p', {class: 'note'});
      const bars = element('ol', {class: 'scores'});
      const [canvas, cells] = ['stage', 'map'].map((kind) =>
        element('canvas', {class: kind, tabindex: 0, role: 'application'}),
      );
      const named = (text, ...parts) => element('section', {class: 'card', 'aria-label': text}, parts);
      const head = (text) => element('h3', {text: isolate(text)});
      $('stages').append(named(name, element('header', {}, [head(name), verdict]), canvas));
      $('maps').append(named(`Heat map, ${name}`, element('h3', {text: `Focus of ${isolate(name)}, joints over frames`}), cells, note));
      $('scores').append(named(`Scores, ${name}`, element('h3', {text: `Scores of ${isolate(name)}`}), bars));
      return {name, verdict, note, bars, stage: new Stage(canvas, network, this), map: new HeatMap(cells, network, this)};
    });
    $('clip').classList.toggle('single', networks.length === 1);
    $('palette').append(...Object.keys(PALETTES).map((text) => element('option', {text})));
    this.buttons = clips.map((clip) => this.listed(clip));
    $('clips').open = matchMedia('(min-width: 60rem)').matches;
  }

  listed(clip) {
    const wrong = this.page.networks.map((_, network) => clip.isWrong(network));
    const marks = wrong.map((is, network) =>
      element('span', {
        text: is ? '✗ ' : '✓ ', class: is ? 'wrong' : 'right', role: 'img',
        'aria-label': `${this.page.networks[network]} ${is ? 'wrong' : 'correct'}`,
      }),
    );
    const line = element('span', {class: 'class'}, [
      element('span', {}, [isolated(clip.className)]),
      element('span', {class: 'mark'}, clip.label === null ? [] : marks),
    ]);
    const button = element('button', {type: 'button'}, [line, element('span', {class: 'id'}, [isolated(clip.id)])]);
    button.addEventListener('click', () => this.show(clip));
    return button;
  }

  // The list, by search and by wrong answers.
  filter() {
    const wanted = $('search').value.trim().toLowerCase();
    this.listedClips = this.page.clips.filter((clip) => {
      const predicted = clip.views.map(({classes}) => this.page.className(classes[0]));
      const found = [clip.id, clip.className, ...predicted].some((text) => text.toLowerCase().includes(wanted));
      return found && (!$('wrong').checked || clip.anyWrong);
    });
    const items = this.listedClips.map((clip) => element('li', {}, [this.buttons[this.page.clips.indexOf(clip)]]));
    $('list').replaceChildren(...items);
    $('none').hidden = items.length > 0;
    $('none').textContent = wanted ? 'No clip matches.' : 'No clip was answered wrong.';
    $('count').textContent = `${items.length} of ${this.page.clips.length}`;
  }

  show(clip) {
    clip.decode();
    const other = this.clip;
    Object.assign(this, {clip, frame: 0, joint: null, person: 0});
    this.buttons.forEach((button, i) => {
      if (this.page.clips[i] === clip) button.setAttribute('aria-current', 'true');
      else button.removeAttribute('aria-current');
    });
    if (!other || other.channels !== clip.channels) this.camera.reset(clip.channels === 2);
    $('turns').hidden = this.camera.flat;
    $('name').replaceChildren(isolated(clip.className));
    const persons = clip.persons === 1 ? '1 person' : `${clip.persons} persons`;
    const frames = clip.frames === 1 ? '1 frame' : `${clip.frames} frames`;
    $('meta').replaceChildren(isolated(clip.id), ` · ${frames} · ${persons}`);
    $('frame').max = clip.frames - 1;
    this.cards.forEach((card, network) => this.showScores(card, clip, network));
    this.chooseRanks();
    this.lay();
  }

  showScores(card, clip, network) {
    const {classes, scores} = clip.views[network];
    const wrong = clip.isWrong(network);
    const mark = clip.label === null ? '' : wrong ? '✗ ' : '✓ ';
    const share = ` ${(100 * scores[classes[0]]).toFixed(0)} %`;
    card.verdict.replaceChildren(mark, isolated(this.page.className(classes[0])), share);
    card.verdict.className = `verdict ${clip.label === null ? '' : wrong ? 'wrong' : 'right'}`;
    const shown = [...scores.keys()].sort((a, b) => scores[b] - scores[a]).slice(0, 5);
    if (clip.label !== null && !shown.includes(clip.label)) shown.push(clip.label);
    card.bars.replaceChildren(...shown.map((index) => {
      const fill = element('span', {class: 'fill'});
      fill.style.width = `${100 * scores[index]}%`;
      const value = element('span', {class: 'value', text: `${(100 * scores[index]).toFixed(1)} %`});
      const row = element('li', {}, [fill, element('span', {class: 'label'}, [isolated(this.page.className(index))]), value]);
      row.classList.toggle('true', index === clip.label);
      return row;
    }));
  }

  // The classes that the focus can be shown for, by name where the networks agree.
  chooseRanks() {
    const {clip, page} = this;
    const kinds = Object.keys(RANKS).filter((kind) => kind !== 'label' || clip.label !== null);
    if (!kinds.includes(this.rank)) this.rank = 'first';
    $('rank').replaceChildren(...kinds.map((value) => {
      const meant = clip.views.map((view, network) => page.className(view.classes[clip.rank(network, value)]));
      const names = [...new Set(meant)].map(isolate).join(' | ');
      return element('option', {value, text: `${RANKS[value]}: ${names}`});
    }));
    $('rank').value = this.rank;
  }

  setRank(rank) {
    this.rank = rank;
    $('rank').value = rank;
    this.repaint();
  }

  // After anything that changes sizes.
  lay() {
    for (const {map} of this.cards) map.lay();
    this.describe();
    this.seek(this.frame);
  }

  // After anything that changes colours or maps.
  repaint() {
    for (const {map} of this.cards) map.paint();
    this.describe();
    this.draw();
  }

  describe() {
    for (const {name, note, map, stage} of this.cards) {
      note.textContent = map.summary();
      stage.canvas.setAttribute('aria-label', `Skeleton, ${name}. ${note.textContent} Arrow keys turn it, plus and minus zoom.`);
      map.canvas.setAttribute('aria-label', `Heat map, ${name}. ${note.textContent} Arrow keys move over joints and frames.`);
    }
  }

  setTheme(theme) {
    document.documentElement.dataset.theme = theme;
    $('theme').textContent = theme === 'dark' ? 'Light' : 'Dark';
    this.setPalette();
  }

  setPalette() {
    const style = getComputedStyle(document.documentElement);
    const light = document.documentElement.dataset.theme === 'light';
    this.colors = Object.fromEntries(
      ['ground', 'panel', 'text', 'soft', 'accent', 'bone', 'floor'].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]),
    );
    this.colors.outline = light ? 'rgb(0 0 0 / 55%)' : 'rgb(255 255 255 / 45%)';
    this.ramp = ramp($('palette').value, light);
    this.tints = this.ramp.map(css);
    $('ramp').style.background = `linear-gradient(to right, ${this.tints.filter((_, i) => i % 15 === 0).join(', ')})`;
    if (this.clip) this.repaint();
  }

  color(focus) {
    return this.tints[Math.round(255 * focus)];
  }

  mark(person, joint) {
    Object.assign(this, {person, joint});
    this.draw();
  }

  seek(frame) {
    this.frame = Math.max(0, Math.min(this.clip.frames - 1, frame));
    const text = `frame ${this.frame} / ${this.clip.frames - 1}`;
    $('frame').value = this.frame;
    $('frame').setAttribute('aria-valuetext', text);
    $('time').textContent = text;
    this.draw();
  }

  draw() {
    for (const {stage, map} of this.cards) {
      stage.draw();
      map.draw();
    }
  }

  play(playing) {
    if (this.playing === playing) return;
    this.playing = playing;
    $('play').textContent = playing ? 'Pause' : 'Play';
    this.clock = null;
    if (playing) requestAnimationFrame((now) => this.tick(now));
  }

  tick(now) {
    if (!this.playing) return;
    const step = 1000 / (this.page.fps * Number($('speed').value));
    this.clock ??= now;
    const passed = Math.floor((now - this.clock) / step);
    if (passed > 0) {
      this.clock += passed * step;
      this.seek((this.frame + passed) % this.clip.frames);
    }
    requestAnimationFrame((next) => this.tick(next));
  }

  // Another clip of the list.
  browse(step) {
    const clips = this.listedClips;
    if (!clips.length) return;
    const index = clips.indexOf(this.clip);
    this.show(clips[index < 0 ? 0 : (index + step + clips.length) % clips.length]);
  }
}
