// Lints an OpenAPI document with Redocly's recommended rules: `node lint.mjs FILE`.
//
// Prints one line per finding, and exits with 1 when there is any, be it an error or a warning.
import { createRequire } from "node:module";

// The library is installed under target/, where an import from this file would not look.
const fromTools = createRequire(new URL("../../target/tools/node/package.json", import.meta.url));
const { createConfig, lint } = fromTools("@redocly/openapi-core");

const config = await createConfig({ extends: ["recommended"] });
const findings = await lint({ ref: process.argv[2], config });
for (const { severity, ruleId, message, location } of findings) {
  console.log(`${severity} ${ruleId} at ${location[0]?.pointer ?? "?"}: ${message}`);
}
process.exitCode = findings.length === 0 ? 0 : 1;
