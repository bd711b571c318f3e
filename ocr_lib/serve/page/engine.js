"use strict";
// Reads by the service that the page came from.

const engine = {
  // Returns what /v1/models says.
  async models(key) {
    return (await ask("v1/models", { headers: headersOf(key) })).models;
  },

  // Returns the readings of images (files or blobs), as /v1/read says; an error throws a message.
  async read(images, wish, key) {
    const parameters = new URLSearchParams({ alternatives: "5", lattice: "true", model: wish.model });
    if (wish.pattern) parameters.set("pattern", wish.pattern);
    const form = new FormData();
    for (const image of images) form.append("files", image, image.name || "image");
    return (await ask(`v1/read?${parameters}`, { method: "POST", body: form, headers: headersOf(key) })).readings;
  },

  samples: ["digits.png", "letters.png", "word.png", "line.png"].map((name) => ({ name, url: `samples/${name}` })),
};

class KeyNeeded extends Error {
  name = "KeyNeeded";
}

function headersOf(key) {
  return key ? { Authorization: `Bearer ${key}` } : {};
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The service does not answer.");
  }
  const answer = await response.json().catch(() => ({ error: `status ${response.status}` }));
  if (response.status === 401) throw new KeyNeeded("This service asks for a key.");
  if (!response.ok && !answer.readings) throw new Error(answer.error);
  return answer;
}
