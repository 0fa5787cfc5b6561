// The guide's steps, word for word: first in Test Mode, then live.
import { awaitShown, insist, run } from "./chromium.mjs";
import { Platform, signIn } from "./platform.mjs";

/** One person's walk. */
class Walk {
  #wishes;
  #visit;
  #page;
  #platform;

  constructor(wishes, visit, page) {
    this.#wishes = wishes;
    this.#visit = visit;
    this.#page = page;
    this.#platform = new Platform(wishes);
  }

  async begin() {
    await signIn(this.#page, await this.#platform.link());
    await this.#insistOnMode("Test Mode");
  }

  /** Webhooks in the menu, “Add webhook”, and its secret to be noted. */
  async addWebhook() {
    const page = this.#page;
    await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Webhooks" }).click();
    await page.getByRole("link", { name: "Add webhook" }).click();
    await page.getByLabel("URL").fill(this.#wishes.url);
    await page.getByLabel("appointment.scheduled").check();
    await page.getByRole("button", { name: "Add webhook" }).click();
    await page.getByRole("heading", { name: "Webhook added" }).waitFor();
    return this.#secret();
  }

  /** A real delivery appears among the events, and its payload can be viewed. */
  async seeWhatArrives() {
    const page = this.#page;
    await page.getByRole("link", { name: "Go to the webhook" }).click();
    await page.getByRole("link", { name: "Events", exact: true }).click();
    await page.getByText("No events yet").waitFor();
    await this.#platform.publish(this.#wishes.appointment);
    await this.#awaitShown(page.getByRole("row").filter({ hasText: "Delivered" }));
    await this.#openNewest();
    await page.getByRole("button", { name: "View payload of attempt 1" }).click();
    await page.getByText("That you viewed it is on record").waitFor();
    await page.locator("summary", { hasText: "Show the command" }).click();
    const command = await page.getByRole("group", { name: "curl command" }).locator("pre").innerText();
    insist(command.includes("curl") && command.includes(this.#wishes.url), `this is no command: ${command}`);
    await page.locator("summary", { hasText: "Body, as it was sent" }).click();
    return page.getByRole("group", { name: "body", exact: true }).locator("pre").innerText();
  }

  /** The endpoint fails: three attempts, the next one announced, then no more. */
  async watchWhatFails() {
    const page = this.#page;
    await page.getByRole("link", { name: "Events", exact: true }).click();
    await page.getByRole("row").filter({ hasText: "Delivered" }).waitFor();
    await this.#platform.publish(this.#wishes.appointment);
    await this.#awaitShown(page.getByRole("row").nth(2));
    await this.#openNewest();
    for (const attempt of [1, 2, 3]) {
      const made = page.getByRole("listitem").filter({ hasText: `Attempt ${attempt} of 3` });
      await this.#awaitShown(made.filter({ hasText: "500" }));
    }
    await this.#awaitShown(page.getByText("Exhausted", { exact: true }));
    insist((await page.getByText("Attempt 4").count()) === 0, "a fourth attempt is shown");
  }

  /** Another series of attempts, which the endpoint takes. */
  async redeliver() {
    const page = this.#page;
    await page.getByRole("link", { name: "Redeliver" }).click();
    await page.getByRole("button", { name: "Redeliver" }).click();
    await page.getByText("Another series of three attempts").waitFor();
    await this.#awaitShown(page.getByText("Series 2"));
    await this.#awaitShown(page.getByText("Delivered", { exact: true }));
  }

  /** The same webhook in live mode, with another URL and a secret of its own. */
  async copyToLive() {
    const page = this.#page;
    await page.getByRole("navigation", { name: "Breadcrumb" }).getByRole("link").nth(1).click();
    await page.getByRole("link", { name: "Copy to live" }).click();
    await page.getByLabel("URL of the copy").fill("http://example.org/");
    await page.getByRole("button", { name: "Copy to live" }).click();
    await page.getByLabel("URL of the copy").and(page.locator("[aria-invalid=true]")).waitFor();
    await page.getByLabel("URL of the copy").fill(this.#wishes.liveUrl);
    await page.getByRole("button", { name: "Copy to live" }).click();
    await page.getByText("Copied. It has a secret of its own").waitFor();
    await this.#insistOnMode("live");
    await page.getByRole("button", { name: "Reveal the secret" }).click();
    return this.#secret();
  }

  /** What happens in Test Mode is not seen in live, and the other way round. */
  async seeWhatArrivesLive() {
    const page = this.#page;
    await page.getByRole("link", { name: "Done" }).click();
    await page.getByRole("link", { name: "Events", exact: true }).click();
    await page.getByText("No events yet").waitFor();
    await this.#platform.publish(this.#wishes.appointment, { mode: "live" });
    await this.#awaitShown(page.getByRole("row").filter({ hasText: "Delivered" }));
    insist((await page.getByRole("row").count()) === 2, "live shows more than what happened there");
    await page.getByRole("link", { name: /^Test Mode/ }).click();
    await this.#insistOnMode("Test Mode");
    await page.getByRole("link", { name: "127.0.0.1" }).first().click();
    await page.getByRole("link", { name: "Events", exact: true }).click();
    await page.getByRole("row").nth(2).waitFor();
    insist((await page.getByRole("row").count()) === 3, "Test Mode shows what happened live");
  }

  #awaitShown(locator) {
    return awaitShown(this.#page, locator, this.#wishes.javascript);
  }

  async #openNewest() {
    await this.#page.getByRole("row").nth(1).getByRole("link").first().click();
  }

  async #secret() {
    return this.#page.getByRole("group", { name: "secret", exact: true }).locator("code").innerText();
  }

  async #insistOnMode(name) {
    await this.#page.locator(".stripe strong", { hasText: new RegExp(`^${name}:?$`, "i") }).waitFor();
    insist((await this.#page.title()).includes(`· ${name} ·`), `the title does not say ${name}`);
  }
}

await run(async (wishes, visit) => {
  const walk = new Walk(wishes, visit, await visit.person({ javaScriptEnabled: wishes.javascript }));
  await walk.begin();
  const secret = await walk.addWebhook();
  const payload = await walk.seeWhatArrives();
  await walk.watchWhatFails();
  await walk.redeliver();
  const liveSecret = await walk.copyToLive();
  await walk.seeWhatArrivesLive();
  return { secret, payload, liveSecret };
});
