// A webhook receiver as an integrator would write it in Node: verifies with the published standardwebhooks library.
//
// First line of output: `listening on http://127.0.0.1:PORT`. Then one JSON line per request, written before the answer
// is sent, so that whoever saw the answer finds the line: {"verified": bool, "headers": {...}, "body_base64": "..."}.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { writeSync } from "node:fs";
import { parseArgs } from "node:util";

// The library is installed under target/, where an import from this file would not look.
const fromTools = createRequire(new URL("../../target/tools/node/package.json", import.meta.url));
const { Webhook, WebhookVerificationError } = fromTools("standardwebhooks");

const { secret } = parseArgs({ options: { secret: { type: "string" } } }).values;
const webhook = new Webhook(secret);

// Synchronous: a line that is still in a buffer is no record.
const print = (line) => writeSync(1, `${line}\n`);

function isVerified(body, headers) {
  try {
    webhook.verify(body, headers);
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError || error instanceof SyntaxError) return false;
    throw error;
  }
}

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const verified = isVerified(body, request.headers);
  const line = JSON.stringify({ verified, headers: request.headers, body_base64: body.toString("base64") });
  // After the answer: whoever reads the line may stop this program at once.
  response.writeHead(verified ? 200 : 401, { "content-length": "0" }).end(() => print(line));
});
server.listen(0, "127.0.0.1", () => print(`listening on http://127.0.0.1:${server.address().port}`));
