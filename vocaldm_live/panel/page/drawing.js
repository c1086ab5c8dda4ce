// Drawing: a clip's picture on a canvas: spectrogram with pitch and centroid on top, waveform with loudness below.

const SPECTRUM = 0.62;      // share of the height
const GAP = 7;
const dark = matchMedia("(prefers-color-scheme: dark)");

let colours = null, ramp = null;
dark.addEventListener("change", () => { colours = ramp = null; });

function look() {
  if (colours) return colours;
  const style = getComputedStyle(document.documentElement);
  const named = (name) => style.getPropertyValue(name).trim();
  colours = {
    voice: named("--voice"), clip: named("--clip"), wave: named("--wave"), ground: named("--well"),
    halo: named("--halo"), stops: named("--ramp").split(/\s+/).map(rgb),
  };
  ramp = shades(colours.stops);
  return colours;
}

function rgb(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

function shades(stops) {
  return Array.from({ length: 256 }, (_, grey) => {
    const at = (grey / 255) * (stops.length - 1), low = Math.min(stops.length - 2, Math.floor(at));
    return stops[low].map((value, i) => value + (stops[low + 1][i] - value) * (at - low));
  });
}

/** The grey picture in this theme's colours, as a canvas. */
function coloured(image) {
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  const { data } = pixels;
  for (let i = 0; i < data.length; i += 4) [data[i], data[i + 1], data[i + 2]] = ramp[data[i]];
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/** Seconds that the width of the picture stands for. */
export function span(view) {
  return Math.max(view.seconds, view.voice?.seconds ?? 0, 0.05);
}

/** Draw a view; `shown`: which of loudness, pitch and centroid. */
export function draw(canvas, view, image, shown) {
  const box = canvas.getBoundingClientRect();
  if (!box.width) return;
  const scale = Math.min(3, devicePixelRatio || 1);
  canvas.width = Math.round(box.width * scale);
  canvas.height = Math.round(box.height * scale);
  const paint = canvas.getContext("2d");
  paint.scale(scale, scale);
  const theme = look();
  const upper = { top: 0, height: Math.round(box.height * SPECTRUM) };
  const lower = { top: upper.height + GAP, height: box.height - upper.height - GAP };
  const across = (seconds) => (box.width * seconds) / span(view);
  paint.fillStyle = theme.ground;
  paint.fillRect(0, upper.top, box.width, upper.height);
  paint.fillRect(0, lower.top, box.width, lower.height);
  if (image) {
    paint.imageSmoothingQuality = "high";
    paint.drawImage(coloured(image), 0, upper.top, across(view.seconds), upper.height);
  }
  wave(paint, view.peaks, across(view.seconds), lower, theme.wave);
  for (const [sketch, colour] of [[view.voice, theme.voice], [view.clip, theme.clip]]) {
    if (!sketch) continue;
    const width = across(sketch.seconds);
    if (shown.centroid) line(paint, sketch.centroid, width, upper, colour, theme.halo, 1.4, [1.5, 3.5]);
    if (shown.pitch) line(paint, sketch.pitch, width, upper, colour, theme.halo, 2.2, []);
    if (shown.loudness) line(paint, sketch.loudness, width, lower, colour, theme.halo, 1.8, []);
  }
}

function wave(paint, peaks, width, { top, height }, colour) {
  const loudest = Math.max(...peaks, 1e-6), middle = top + height / 2;
  paint.fillStyle = colour;
  const bar = width / peaks.length;
  peaks.forEach((peak, i) => {
    const half = Math.max(0.5, (peak / loudest) * (height / 2 - 2));
    paint.fillRect(i * bar, middle - half, Math.max(0.6, bar * 0.72), 2 * half);
  });
}

function line(paint, values, width, { top, height }, colour, halo, thick, dashes) {
  paint.save();
  paint.beginPath();
  paint.rect(0, top, width + 2, height);
  paint.clip();
  const path = new Path2D();
  const at = (i) => [((i + 0.5) * width) / values.length, top + 2 + (1 - values[i]) * (height - 4)];
  values.forEach((value, i) => {
    if (value === null) return;
    const alone = values[i - 1] == null && values[i + 1] == null;
    const [x, y] = at(i);
    if (i === 0 || values[i - 1] == null) path.moveTo(alone ? x - 1 : x, y);
    if (alone || (i > 0 && values[i - 1] != null)) path.lineTo(alone ? x + 1 : x, y);
  });
  paint.lineCap = paint.lineJoin = "round";
  paint.strokeStyle = halo;
  paint.lineWidth = thick + 2;
  paint.setLineDash(dashes);
  paint.stroke(path);
  paint.strokeStyle = colour;
  paint.lineWidth = thick;
  paint.stroke(path);
  paint.restore();
}
