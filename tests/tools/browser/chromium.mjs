// Chromium for the cases that look at the console as people do.
//
// A program here reads its wishes as JSON from standard input, drives the browser, and prints what it saw as JSON. It
// waits for what it looks for and never for a time. Whatever a page complains about, or asks of another origin, is a failure
// wherever it happens.
import { readFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { text } from "node:stream/consumers";

// The libraries are installed under target/, where an import from this file would not look.
const fromTools = createRequire(new URL("../../../target/tools/node/package.json", import.meta.url));
const { chromium } = fromTools("playwright-core");

const AXE = readFileSync(fromTools.resolve("axe-core/axe.min.js"), "utf8");

/** Debian's. Nothing is downloaded, and nothing of it may call home. */
const LAUNCH = {
  executablePath: "/usr/bin/chromium",
  headless: true,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
};

/** Long enough for a debug build on a busy machine with two cores. */
const PATIENCE_MS = 30_000;

export const DESKTOP = { width: 1280, height: 900 };
export const PHONE = { width: 390, height: 844 };

/**
 * Runs a program of the folder: reads its wishes, opens the browser, prints what `walk` returns.
 *
 * @param walk gets the wishes and a `Visit`.
 */
export async function run(walk) {
  const wishes = JSON.parse(await text(process.stdin));
  const browser = await chromium.launch(LAUNCH);
  const visit = new Visit(browser, wishes);
  try {
    const seen = await walk(wishes, visit);
    visit.insistOnPeace();
    process.stdout.write(`${JSON.stringify(seen ?? null)}\n`);
  } catch (error) {
    process.stderr.write(`${error.stack ?? error}\n${await visit.lastSeen()}\n`);
    process.exitCode = 1;
  } finally {
    await browser.close();
  }
}

/** Fails with a sentence. */
export function insist(condition, sentence) {
  if (!condition) throw new Error(sentence);
}

/** Waits for what appears by itself; where no script does that, loads the page again and again. */
export async function awaitShown(page, locator, isScripted) {
  const deadline = Date.now() + PATIENCE_MS;
  while (!isScripted && (await locator.count()) === 0 && Date.now() < deadline) await page.reload();
  await locator.first().waitFor();
}

/** What one program does in one browser. */
class Visit {
  #browser;
  #origin;
  #pictures;
  #pages = [];
  #complaints = [];

  constructor(browser, { origin, pictures }) {
    this.#browser = browser;
    this.#origin = new URL(origin).origin;
    this.#pictures = pictures;
  }

  /** A person with a browser of their own: no cookie is shared. */
  async person(options = {}) {
    const context = await this.#browser.newContext({ baseURL: this.#origin, viewport: DESKTOP, ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    context.on("page", (page) => this.#watch(page));
    const page = await context.newPage();
    return page;
  }

  /** Keeps a picture of a page when pictures are wanted. */
  async picture(page, name) {
    if (!this.#pictures) return;
    mkdirSync(this.#pictures, { recursive: true });
    await page.screenshot({ path: join(this.#pictures, `${name}.png`), fullPage: true, animations: "disabled" });
  }

  /** Fails if any page complained or asked another origin for anything. */
  insistOnPeace() {
    insist(this.#complaints.length === 0, `pages complained:\n${this.#complaints.join("\n")}`);
  }

  /** Where each page stands, for a failure. */
  async lastSeen() {
    const told = this.#pages.filter((page) => !page.isClosed()).map(async (page) => {
      const words = await page.locator("body").innerText({ timeout: 1000 }).catch(() => "(no text)");
      return `--- ${page.url()}\n${words.slice(0, 4000)}`;
    });
    return [...this.#complaints, ...(await Promise.all(told))].join("\n");
  }

  #watch(page) {
    this.#pages.push(page);
    const complain = (what) => this.#complaints.push(`${page.url()}: ${what}`);
    page.on("pageerror", (error) => complain(error.message));
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type()) && !isRefusal(message)) complain(message.text());
    });
    page.on("request", (request) => {
      if (new URL(request.url()).origin !== this.#origin) complain(`asks for ${request.url()}`);
    });
  }
}

/** A page that is answered with a refusal is what some programs look for; Chromium notes its status on the console. */
function isRefusal(message) {
  return /^Failed to load resource: the server responded with a status of 4\d\d/.test(message.text());
}

/** The rules of accessibility that a page breaks, each with the elements that break it. */
async function violations(page) {
  const isThere = await page.evaluate(() => typeof window.axe !== "undefined");
  if (!isThere) await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document));
  const broken = ({ target, failureSummary }) => `${target.join(" ")}: ${failureSummary.replaceAll(/\s+/g, " ")}`;
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${broken(node)}`));
}

/** What is wrong with how a page looks: on a desk and on a phone, in light and dark. */
export async function judge(page, visit, name) {
  const wrong = [];
  const looks = [
    ["desk", DESKTOP, "light"],
    ["desk", DESKTOP, "dark"],
    ["phone", PHONE, "light"],
    ["phone", PHONE, "dark"],
  ];
  for (const [device, viewport, colorScheme] of looks) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const where = `on a ${device}, ${colorScheme}`;
    const excess = await overflow(page);
    if (excess > 0) wrong.push(`${where}: it is ${excess} pixels too wide`);
    // What is dark on a phone is dark on a desk as well, and was judged there.
    if (device === "desk" || colorScheme === "light") {
      wrong.push(...(await violations(page)).map((violation) => `${where}: ${violation}`));
    }
    await visit.picture(page, `${name}-${device}-${colorScheme}`);
  }
  await page.setViewportSize(DESKTOP);
  return wrong;
}

/** By how many pixels a page is wider than its window. */
function overflow(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

/** Counts the bytes that a page has over the network, nothing of it cached. */
export async function weigh(page, visitIt) {
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  let bytes = 0;
  session.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength));
  await visitIt();
  await page.waitForLoadState("load");
  await session.detach();
  return bytes;
}
