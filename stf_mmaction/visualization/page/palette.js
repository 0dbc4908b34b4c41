// Colours that are told apart with any colour vision, and in black and white: their lightness
// grows evenly. Little focus always lies near the background, dark or light.

const PALETTES = {
  Inferno: ['#000004', '#1b0c41', '#4a0c6b', '#781c6d', '#a52c60', '#cf4446', '#ed6925', '#fb9b06', '#f7d13d', '#fcffa4'],
  Viridis: ['#440154', '#482878', '#3e4989', '#31688e', '#26828e', '#1f9e89', '#35b779', '#6ece58', '#b5de2b', '#fde725'],
  Cividis: ['#00224e', '#123570', '#3b496c', '#575d6d', '#707173', '#8a8678', '#a59c74', '#c3b369', '#e1cc55', '#fee838'],
  Greys: ['#000000', '#1c1c1c', '#383838', '#555555', '#717171', '#8d8d8d', '#aaaaaa', '#c6c6c6', '#e2e2e2', '#ffffff'],
};

function channelsOf(hex) {
  return [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
}

// A table of 256 colours [red, green, blue] for focus 0 to 1.
function ramp(name, light) {
  const stops = PALETTES[name].map(channelsOf);
  return Array.from({length: 256}, (_, i) => {
    // The ends are cut: neither black on black nor white on white.
    const share = light ? 0.94 - 0.88 * (i / 255) : 0.1 + 0.9 * (i / 255);
    const place = share * (stops.length - 1);
    const before = Math.min(Math.floor(place), stops.length - 2);
    return stops[before].map((low, c) =>
      Math.round(low + (place - before) * (stops[before + 1][c] - low)),
    );
  });
}

function css(color) {
  return `rgb(${color.join(' ')})`;
}
