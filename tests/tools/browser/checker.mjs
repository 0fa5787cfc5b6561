// The page that helps to verify a signature: its tabs, its copies, and what it says of a request that somebody pastes.
import { insist, run } from "./chromium.mjs";
import { Platform, signIn } from "./platform.mjs";

await run(async (wishes, visit) => {
  const platform = new Platform(wishes);
  for (const javaScriptEnabled of [true, false]) {
    const page = await visit.person({ javaScriptEnabled });
    await signIn(page, await platform.link({ role: "developer" }));
    await page.getByRole("link", { name: "Verify a signature" }).click();
    await chooseLanguages(page);
    if (javaScriptEnabled) await copy(page);
    await checkRequests(page, wishes);
  }
});

async function chooseLanguages(page) {
  const listing = (file) => page.getByRole("region", { name: file });
  await listing("receiver.py").waitFor();
  await page.getByText("Java", { exact: true }).click();
  await listing("Receiver.java").waitFor();
  insist(!(await listing("receiver.py").isVisible()), "two languages are shown at once");
  await page.getByRole("radio", { name: "Java", exact: true }).press("ArrowRight");
  await listing("receiver.php").waitFor();
}

async function copy(page) {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.getByRole("button", { name: "Copy receiver.php" }).click();
  const shown = await page.getByRole("region", { name: "receiver.php" }).textContent();
  const copied = () => page.evaluate(() => navigator.clipboard.readText());
  await page.waitForFunction(async (shown) => (await navigator.clipboard.readText()) === shown, shown);
  insist((await copied()).startsWith("<?php"), "something else was copied");
}

async function checkRequests(page, { secret, headers, body }) {
  const check = async (pasted) => {
    await page.getByLabel("Secret").fill(pasted.secret ?? secret);
    await page.getByLabel("Headers").fill(pasted.headers ?? headers);
    await page.getByLabel("Body").fill(pasted.body ?? body);
    await page.getByRole("button", { name: "Check", exact: true }).click();
  };
  const expectTold = async (words) => {
    await page.getByText(words).first().waitFor();
    insist(!(await page.content()).includes(secret), "the secret is written back into the page");
  };
  await check({});
  await expectTold("The signature holds");
  insist((await page.getByLabel("Secret").inputValue()) === "", "the secret is kept in the form");
  await check({ body: body.replace("scheduled", "scheduleD") });
  await expectTold("they do not belong together");
  await check({ body: body.replaceAll('":', '": ') });
  await expectTold("the body was formatted anew");
  await check({ body: body.slice(0, 60) });
  await expectTold("the body is not what was sent");
  await check({ headers: headers.replace("webhook-signature", "signature") });
  await expectTold("The webhook-signature is missing");
  await page.getByLabel("Headers").and(page.locator("[aria-invalid=true]")).waitFor();
  await check({ secret: "test_abc" });
  await expectTold("This is an API key");
  await page.getByLabel("Secret").and(page.locator("[aria-invalid=true]")).waitFor();
}
