// Sees every page once, in each state that a person may find it in, and tells what is wrong with how it looks.
import { judge, run, weigh } from "./chromium.mjs";
import { Platform, signIn } from "./platform.mjs";

/** The most that a page may move of itself while it is loaded: hardly anything is seen below a hundredth. */
const SHIFT_MAX = 0.01;

/** How much of a page moved since it began to load, as browsers measure it (Cumulative Layout Shift). */
function shifted(page) {
  return page.evaluate(
    () =>
      new Promise((tell) => {
        let sum = 0;
        const add = (entries) => entries.forEach((entry) => (sum += entry.value));
        const observer = new PerformanceObserver((list) => add(list.getEntries()));
        observer.observe({ type: "layout-shift", buffered: true });
        const settle = () => {
          add(observer.takeRecords());
          tell(sum);
        };
        requestAnimationFrame(() => requestAnimationFrame(settle));
      }),
  );
}

/** Somebody who looks at one page after the other. */
class Tour {
  pages = [];
  #visit;

  constructor(visit, page) {
    this.#visit = visit;
    this.page = page;
  }

  /** Goes to a page, weighs and judges it. */
  async see(name, path, page = this.page) {
    await this.seeAfter(name, () => page.goto(path), page);
  }

  /** Judges the page that something leads to. */
  async seeAfter(name, act, page = this.page) {
    const number = String(this.pages.length + 1).padStart(2, "0");
    const seen = { name, bytes: 0, wrong: [] };
    this.pages.push(seen);
    try {
      seen.bytes = await weigh(page, act);
      const shift = await shifted(page);
      seen.wrong = await judge(page, this.#visit, `${number}-${name}`);
      if (SHIFT_MAX < shift) {
        seen.wrong.push(`what was there already moved when the rest came: a layout shift of ${shift.toFixed(4)}`);
      }
    } catch (error) {
      // The tour goes on: whoever mends one page wants to hear of the others, too.
      seen.wrong = [`cannot be seen: ${error.message.split("\n")[0]}`];
    }
  }

  /** Presses what has this name and waits for the page that follows. */
  async press(role, name, page = this.page) {
    const pressed = page.getByRole(role, { name }).first();
    await Promise.all([page.waitForEvent("load"), pressed.click()]);
  }
}

async function seeSignIn(tour, platform) {
  await tour.see("sign-in", "/console/sign-in");
  await tour.page.getByLabel("API key").fill("test_nonsense");
  await tour.seeAfter("sign-in-refused", () => tour.press("button", "Sign in"));
  const link = await platform.link();
  await tour.see("sign-in-link", link);
  await signIn(tour.page, link);
}

async function seeNothingYet(tour) {
  await tour.see("webhooks-empty", "/console/test/webhooks");
  await tour.see("webhook-new", "/console/test/webhooks/new");
  await tour.page.getByLabel(/URL/).fill("ftp://example.org");
  await tour.seeAfter("webhook-new-refused", () => tour.press("button", "Add webhook"));
}

async function seeWebhooks(tour, { url }) {
  const { page } = tour;
  await page.getByLabel(/URL/).fill(url);
  await page.getByLabel(/^appointment\.scheduled/).check();
  await tour.seeAfter("webhook-added", () => tour.press("button", "Add webhook"));
  const path = await page.getByRole("link", { name: "Go to the webhook" }).getAttribute("href");
  await tour.see("webhook", path);
  for (const rest of ["edit", "rotate", "copy", "disable", "delete"]) {
    await tour.see(`webhook-${rest}`, `${path}/${rest}`);
  }
  await page.goto(path);
  await tour.seeAfter("webhook-secret", () => tour.press("button", "Reveal the secret"));
  await tour.see("events-empty", `${path}/events`);
  return path;
}

async function seeDeliveries(tour, platform, webhook, { appointment }) {
  const { page } = tour;
  await page.goto(`${webhook}/events`);
  for (const state of ["Delivered", "Exhausted"]) {
    await platform.publish(appointment);
    await page.getByRole("row").filter({ hasText: state }).first().waitFor();
  }
  await tour.see("webhooks", "/console/test/webhooks");
  await tour.see("webhook-failing", webhook);
  await tour.see("events", `${webhook}/events`);
  await tour.see("events-none", `${webhook}/events?state=cancelled`);
  await tour.see("events-asked-wrongly", `${webhook}/events?status=many`);
  await page.goto(`${webhook}/events`);
  await tour.seeAfter("delivery", () => tour.press("link", /^appointment\.scheduled/));
  await tour.seeAfter("redeliver", () => tour.press("link", "Redeliver"));
  await page.goBack();
  await tour.seeAfter("payload", () => tour.press("button", /^View payload/));
  await tour.see("recover", `${webhook}/recover`);
  await tour.seeAfter("recover-counted", () => tour.press("button", "Count"));
  await tour.seeAfter("recovery", () => tour.press("button", /^Start recovery/));
  await tour.see("recoveries", `${webhook}/recoveries`);
}

async function seeKeysAndAudit(tour) {
  const { page } = tour;
  await tour.see("keys-empty", "/console/test/keys");
  await tour.see("key-new", "/console/test/keys/new");
  await page.getByLabel("Days until it expires").fill("soon");
  await page.getByLabel("Name").fill("Night shift");
  await tour.seeAfter("key-new-refused", () => tour.press("button", "Create key"));
  await page.getByLabel("Days until it expires").fill("30");
  await tour.seeAfter("key-created", () => tour.press("button", "Create key"));
  await tour.see("keys", "/console/test/keys");
  await tour.seeAfter("key-revoke", () => tour.press("link", "Revoke Night shift"));
  await tour.seeAfter("key-revoked", () => tour.press("button", "Revoke key"));
  await tour.see("audit", "/console/test/audit");
  await tour.see("audit-nothing", "/console/test/audit?target=wh_nothing");
}

async function seeVerify(tour) {
  const { page } = tour;
  await tour.see("verify", "/console/test/verify");
  await page.getByLabel("Secret").fill("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  await page.getByLabel("Headers").fill("webhook-id: evt_1");
  await page.getByLabel("Body").fill("{}");
  await tour.seeAfter("verify-unreadable", () => tour.press("button", "Check"));
  await page.getByLabel("Secret").fill("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  const headers = [
    "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp: 1614265330",
    "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  ];
  await page.getByLabel("Headers").fill(headers.join("\n"));
  await page.getByLabel("Body").fill('{"test": 2432232314}');
  await tour.seeAfter("verify-holds", () => tour.press("button", "Check"));
}

async function seeLive(tour) {
  await tour.see("live-webhooks", "/console/live/webhooks");
}

async function seeRefusals(tour, platform, page) {
  await tour.see("nothing-there", "/console/test/webhooks/wh_nothing");
  await signIn(page, await platform.link({ role: "developer", user: "dev@example.org" }));
  await tour.see("role-refused", "/console/test/audit", page);
}

await run(async (wishes, visit) => {
  const platform = new Platform(wishes);
  const tour = new Tour(visit, await visit.person());
  await seeSignIn(tour, platform);
  await seeNothingYet(tour, platform);
  const webhook = await seeWebhooks(tour, wishes);
  await seeDeliveries(tour, platform, webhook, wishes);
  await seeKeysAndAudit(tour);
  await seeVerify(tour);
  await seeLive(tour);
  await seeRefusals(tour, platform, await visit.person());
  return { pages: tour.pages };
});
