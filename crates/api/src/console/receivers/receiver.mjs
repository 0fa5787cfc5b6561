// Receives webhooks and verifies who signed them, with Node.js 18 or newer and nothing else.
//
//   WEBHOOK_SECRET=whsec_… PORT=8000 node receiver.mjs

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const TOLERANCE_SECONDS = 5 * 60;
const BODY_BYTES_MAX = 1024 * 1024;

/** Whether exactly these bytes were signed with the secret, and lately. */
function isGenuine(secret, headers, body) {
  const id = headers["webhook-id"] ?? "";
  const timestamp = headers["webhook-timestamp"] ?? "";
  if (!/^[0-9]{1,12}$/.test(timestamp)) return false;
  if (TOLERANCE_SECONDS < Math.abs(Date.now() / 1000 - Number(timestamp))) return false;
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const mac = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest("base64");
  const expected = Buffer.from(`v1,${mac}`);
  // There are several, separated by spaces, while a secret is rotated.
  const signatures = (headers["webhook-signature"] ?? "").split(" ").map((text) => Buffer.from(text));
  return signatures.some((given) => given.length === expected.length && timingSafeEqual(given, expected));
}

/** The bytes as they came: JSON that was parsed and written again has another signature. */
async function readBody(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (BODY_BYTES_MAX < length) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const server = createServer(async (request, response) => {
  const body = await readBody(request);
  const genuine = isGenuine(process.env.WEBHOOK_SECRET, request.headers, body);
  if (genuine) {
    // Keep it, answer, and work later. The same id may come again: drop repeats by it.
    console.log("verified", request.headers["webhook-id"]);
  }
  response.writeHead(genuine ? 204 : 401).end();
});

server.listen(Number(process.env.PORT ?? 8000), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
