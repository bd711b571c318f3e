"use strict";
// From an image's pixels to what the network reads: the steps of ocr_lib/images and ocr_lib/preparation.py, number by
// number, OpenCV's rounding included. A grey image is { width, height, data }, 8 bits a pixel, row by row.

const LEAST_CONTRAST = 8; // grey levels: between less there is no ink
const CLEARLY_FEWER = 0.4; // of all pixels
const MIDDLE = 128;
const BARELY_VISIBLE = 32; // grey levels below white
const GROUND_WINDOW = 0.625; // of the image's height
const MOST_PIXELS = 50_000_000;
const ANIMATED = ["image/gif", "image/webp"];

// Returns the pixels (RGBA) of an image file, turned as its EXIF data asks; throws a message if there are none.
async function pixelsOf(file, frame) {
  let picture;
  try {
    picture = await pictureOf(file, frame);
  } catch {
    throw new Error("no image that this browser can read, or a damaged one");
  }
  const [width, height] = [picture.displayWidth ?? picture.width, picture.displayHeight ?? picture.height];
  if (width * height > MOST_PIXELS) throw new Error(`the image is larger than ${MOST_PIXELS.toLocaleString("en")} pixels`);
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  picture.close();
  return context.getImageData(0, 0, width, height);
}

// Returns what a canvas can draw: of an animation the last frame if it is wanted and the browser can tell frames apart.
async function pictureOf(file, frame) {
  const colorSpaceConversion = "none";
  if (frame === "last" && ANIMATED.includes(file.type) && "ImageDecoder" in self) {
    const decoder = new ImageDecoder({ data: await file.arrayBuffer(), type: file.type, colorSpaceConversion });
    await Promise.all([decoder.completed, decoder.tracks.ready]);
    const { frameCount } = decoder.tracks.selectedTrack;
    if (frameCount > 1) return (await decoder.decode({ frameIndex: frameCount - 1 })).image;
  }
  return createImageBitmap(file, { colorSpaceConversion, premultiplyAlpha: "none" });
}

// Brings pixels to the size that the network reads, and to dark ink on light ground.
function prepared(pixels, wanted) {
  const asLine = (plane) => cut(turned(plane, wanted.rotate), wanted.crop);
  if (wanted.ground === "subtract") {
    return withoutGround(coloursOf(pixels).map((plane) => resized(asLine(plane), wanted)));
  }
  const image = asLine(greyOf(pixels));
  if (wanted.invert === "always" || (wanted.invert === "auto" && isLightOnDark(image))) invert(image);
  return resized(image, wanted);
}

function resized(image, wanted) {
  const size = { width: widthFor(image, wanted), height: wanted.height };
  const shrinks = image.width >= size.width && image.height >= size.height;
  return shrinks && wanted.resize === "area" ? byArea(image, size) : linearly(image, size);
}

function widthFor(image, wanted) {
  if (wanted.width) return wanted.width;
  const width = halfToEven((image.width * wanted.height) / image.height);
  if (width > wanted.most_width) {
    const most = Math.floor(wanted.most_width / wanted.height);
    throw new Error(`${image.width} by ${image.height} pixels are no line of text: at most ${most} times as wide as high`);
  }
  return Math.max(width, wanted.least_width);
}

function halfToEven(number) {
  const below = Math.floor(number);
  const rest = number - below;
  return rest > 0.5 || (rest === 0.5 && below % 2) ? below + 1 : below;
}

// ITU-R BT.601, in 15 bits and cut off as libpng does it.
function greyOf({ width, height, data }) {
  const grey = new Uint8Array(width * height);
  for (let i = 0, at = 0; i < grey.length; i++, at += 4) {
    grey[i] = (9797 * data[at] + 19234 * data[at + 1] + 3737 * data[at + 2]) >> 15;
  }
  return onPaper({ width, height, data }, [grey], ([value]) => value)[0];
}

// Returns a grey image for each of blue, green and red.
function coloursOf({ width, height, data }) {
  const planes = [2, 1, 0].map((channel) => new Uint8Array(width * height).map((_, i) => data[4 * i + channel]));
  const luminance = ([blue, green, red]) => (9798 * red + 19235 * green + 3735 * blue + (1 << 14)) >> 15;
  return onPaper({ width, height, data }, planes, luminance);
}

// Transparent pixels show white paper, or black where light ink would be lost on white.
function onPaper({ width, height, data }, planes, luminance) {
  const images = (shown) => shown.map((plane) => ({ width, height, data: plane }));
  const count = width * height;
  let opacity = 0;
  for (let at = 3; at < data.length; at += 4) opacity += data[at];
  const visible = opacity / 255 / count;
  if (visible === 1) return images(planes);
  const onBlack = planes.map((plane) => plane.map((value, i) => Math.round((value * data[4 * i + 3]) / 255)));
  const onWhite = onBlack.map((plane) => plane.map((value, i) => value + 255 - data[4 * i + 3]));
  let sum = 0;
  let darkest = 255;
  for (let i = 0; i < count; i++) {
    const grey = luminance(onWhite.map((plane) => plane[i]));
    sum += grey;
    darkest = Math.min(darkest, grey);
  }
  // Less than half visible is the ink, light or dark as a whole; otherwise paper is among it, lost if nearly white.
  const ink = (sum / count - 255 * (1 - visible)) / visible;
  const isLost = visible > 0 && (visible < 0.5 ? ink > 127.5 : darkest > 255 - BARELY_VISIBLE);
  return images(isLost ? onBlack : onWhite);
}

// Cuts shares of the height off at the top and at the bottom.
function cut({ width, height, data }, [top, bottom]) {
  const [first, last] = [Math.floor(height * top), height - Math.floor(height * bottom)];
  return { width, height: last - first, data: data.subarray(first * width, last * width) };
}

// Counterclockwise, by 0, 90, 180 or 270 degrees.
function turned(image, degrees) {
  for (; degrees > 0; degrees -= 90) {
    const { width, height, data } = image;
    const turnedData = new Uint8Array(data.length);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) turnedData[(width - 1 - x) * height + y] = data[y * width + x];
    }
    image = { width: height, height: width, data: turnedData };
  }
  return image;
}

function invert({ data }) {
  for (let i = 0; i < data.length; i++) data[i] = 255 - data[i];
}

// Otsu's threshold (1979) parts the pixels; the fewer are ink, or of about as many those that are fewer at the edge.
function isLightOnDark({ width, height, data }) {
  const histogram = new Float64Array(256);
  for (const value of data) histogram[value]++;
  const threshold = otsu(histogram, data.length);
  let [sum, light, sumOfLight] = [0, 0, 0];
  histogram.forEach((count, value) => {
    sum += count * value;
    if (value > threshold) [light, sumOfLight] = [light + count, sumOfLight + count * value];
  });
  const [share, mean] = [light / data.length, sum / data.length];
  if ((light ? sumOfLight / light : 0) - mean <= LEAST_CONTRAST * (1 - share)) return mean < MIDDLE;
  if (Math.abs(share - 0.5) > 0.5 - CLEARLY_FEWER) return share < 0.5;
  let edge = 0;
  const last = width * (height - 1);
  for (let x = 0; x < width; x++) edge += (data[x] > threshold) + (data[last + x] > threshold);
  for (let y = 0; y < height; y++) edge += (data[y * width] > threshold) + (data[y * width + width - 1] > threshold);
  return 2 * edge < 2 * (width + height);
}

function otsu(histogram, count) {
  const tiny = 2 ** -23;
  const mean = histogram.reduce((sum, each, value) => sum + each * value, 0) * (1 / count);
  let [best, most, below, ofBelow] = [0, 0, 0, 0];
  histogram.forEach((each, value) => {
    const share = each * (1 / count);
    ofBelow *= below;
    below += share;
    const above = 1 - below;
    if (Math.min(below, above) < tiny || Math.max(below, above) > 1 - tiny) return;
    ofBelow = (ofBelow + value * share) / below;
    const difference = ofBelow - (mean - below * ofBelow) / above;
    const between = below * above * difference * difference;
    if (between > most) [most, best] = [between, value];
  });
  return best;
}

// Returns how far each pixel is from the median of those around it, in the plane in which that is largest.
function withoutGround(planes) {
  const [{ width, height }] = planes;
  const window = Math.max(3, Math.floor(GROUND_WINDOW * height) | 1);
  const grounds = planes.map((plane) => medians(plane, window));
  const data = new Uint8Array(width * height).map(
    (_, i) => 255 - Math.max(...planes.map((plane, n) => Math.abs(plane.data[i] - grounds[n][i]))),
  );
  return { width, height, data };
}

// A histogram slides along each row (Huang, Yang and Tang 1979); pixels beyond an edge are like those at it.
function medians({ width, height, data }, window) {
  const reach = (window - 1) / 2;
  const inside = (at, size) => Math.min(Math.max(at, 0), size - 1);
  const found = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const histogram = new Int32Array(256);
    const add = (x, by) => {
      for (let row = y - reach; row <= y + reach; row++) {
        histogram[data[inside(row, height) * width + inside(x, width)]] += by;
      }
    };
    for (let x = -reach; x < reach; x++) add(x, 1);
    for (let x = 0; x < width; x++) {
      add(x + reach, 1);
      let value = 0;
      for (let below = histogram[0]; 2 * below < window * window; below += histogram[value]) value++;
      found[y * width + x] = value;
      add(x - reach, -1);
    }
  }
  return found;
}

// Each pixel is the mean of those that it covers: sums are in single precision, but for whole numbers of pixels.
function byArea(image, size) {
  const [columns, rows] = [covered(image.width, size.width), covered(image.height, size.height)];
  const [across, down] = [1 / (size.width / image.width), 1 / (size.height / image.height)];
  const isWhole = Number.isInteger(across) && Number.isInteger(down);
  const data = new Uint8Array(size.width * size.height);
  const float = Math.fround;
  for (let y = 0; y < size.height; y++) {
    for (let x = 0; x < size.width; x++) {
      let sum = 0;
      for (const [row, share] of rows[y]) {
        const line = row * image.width;
        let ofRow = 0;
        for (const [column, part] of columns[x]) {
          ofRow = isWhole ? ofRow + image.data[line + column] : float(ofRow + float(image.data[line + column] * part));
        }
        sum = isWhole ? sum + ofRow : float(sum + float(share * ofRow));
      }
      if (isWhole) sum = across * down === 4 ? (sum + 2) >> 2 : float(sum * float(1 / (across * down)));
      data[y * size.width + x] = halfToEven(sum);
    }
  }
  return { ...size, data };
}

// Returns which pixels of `from` each of `to` covers, and the shares in single precision.
function covered(from, to) {
  const scale = 1 / (to / from);
  const leastShare = 1e-3;
  return Array.from({ length: to }, (_, at) => {
    const [begin, end] = [at * scale, at * scale + scale];
    const whole = Math.min(scale, from - begin);
    const last = Math.min(Math.floor(end), from - 1);
    const first = Math.min(Math.ceil(begin), last);
    const shares = [];
    if (first - begin > leastShare) shares.push([first - 1, Math.fround((first - begin) / whole)]);
    for (let pixel = first; pixel < last; pixel++) shares.push([pixel, Math.fround(1 / whole)]);
    if (end - last > leastShare) shares.push([last, Math.fround(Math.min(end - last, 1, whole) / whole)]);
    return shares;
  });
}

// Weights have 11 bits.
function linearly(image, size) {
  const [columns, rows] = [neighbours(image.width, size.width), neighbours(image.height, size.height)];
  const data = new Uint8Array(size.width * size.height);
  const lines = new Map();
  const line = (row) => {
    if (!lines.has(row)) {
      const from = row * image.width;
      const at = ([left, right, ofLeft, ofRight]) => image.data[from + left] * ofLeft + image.data[from + right] * ofRight;
      lines.set(row, columns.map(at));
    }
    return lines.get(row);
  };
  rows.forEach(([above, below, ofAbove, ofBelow], y) => {
    const [upper, lower] = [line(above), line(below)];
    for (let x = 0; x < size.width; x++) {
      const sum = ((ofAbove * (upper[x] >> 4)) >> 16) + ((ofBelow * (lower[x] >> 4)) >> 16);
      data[y * size.width + x] = Math.min((sum + 2) >> 2, 255);
    }
  });
  return { ...size, data };
}

function neighbours(from, to) {
  const scale = 1 / (to / from);
  return Array.from({ length: to }, (_, at) => {
    const place = Math.fround((at + 0.5) * scale - 0.5);
    const first = Math.floor(place);
    const share = Math.fround(place - first);
    const weights = [Math.fround(1 - share), share].map((weight) => halfToEven(weight * 2048));
    return [Math.max(first, 0), Math.min(first + 1, from - 1), ...weights];
  });
}
