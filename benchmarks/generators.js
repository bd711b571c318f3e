// Writes captchas of npm packages for generators.py: node generators.js PACKAGE FOLDER COUNT, with NODE_PATH set.

const crypto = require("crypto");
const fs = require("fs");
const path = require("path");

// Both packages draw from sources that can't be seeded, which these stand in for (xorshift32, Marsaglia 2003).
let state = 2463534242;
function next() {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>>= 0);
}
Math.random = () => next() / 2 ** 32;
crypto.randomBytes = (size, done) => done(null, Buffer.from(Array.from({ length: size }, () => next() >>> 24)));

async function svgCaptcha() {
  const { Resvg } = require("@resvg/resvg-js");
  const captcha = require("svg-captcha").create({ size: 5, noise: 2, color: true, background: "#f0f0f0", ignoreChars: "0o1iIlO" });
  return [captcha.text, ".png", new Resvg(captcha.data).render().asPng()];
}

async function trekCaptcha() {
  const { token, buffer } = await require("trek-captcha")({ size: 5 });
  return [token, ".gif", buffer];
}

async function main(name, folder, count) {
  const draw = { "svg-captcha": svgCaptcha, "trek-captcha": trekCaptcha }[name];
  for (let number = 0; number < count; number++) {
    const [text, suffix, image] = await draw();
    fs.writeFileSync(path.join(folder, `${text}_${number}${suffix}`), image);
  }
}

main(process.argv[2], process.argv[3], Number(process.argv[4]));
