// Keys and the audit, as an administrator uses them, with and without JavaScript.
import { insist, run } from "./chromium.mjs";
import { Platform, signIn } from "./platform.mjs";

/** More than a page of the audit shows. */
const SIGN_INS = 51;

await run(async (wishes, visit) => {
  const platform = new Platform(wishes);
  let key;
  for (const javaScriptEnabled of [true, false]) {
    const page = await visit.person({ javaScriptEnabled });
    await signIn(page, await platform.link());
    key = await makeKey(page);
    await revokeKey(page, key);
    await readAudit(page);
  }
  for (let count = 0; count < SIGN_INS; count += 1) await platform.link();
  const page = await visit.person();
  await signIn(page, await platform.link());
  await turnPages(page);
  return { key };
});

async function makeKey(page) {
  await page.getByRole("link", { name: "API keys" }).first().click();
  await page.getByRole("link", { name: "Create key" }).first().click();
  const submit = page.getByRole("button", { name: "Create key" });
  await page.getByLabel("Name").fill("Night shift");
  await page.getByLabel("Days until it expires").fill("0");
  await submit.click();
  await page.getByLabel("Days until it expires").and(page.locator("[aria-invalid=true]")).waitFor();
  insist((await page.getByLabel("Name").inputValue()) === "Night shift", "what was right has to be typed again");
  await page.getByLabel("Days until it expires").fill("30");
  await page.getByLabel("Developer").check();
  await submit.click();
  await page.getByRole("heading", { name: "Key created" }).waitFor();
  const key = await page.getByRole("group", { name: "key", exact: true }).locator("code").innerText();
  insist(key.startsWith("test_"), `this is no key: ${key}`);
  await page.getByRole("link", { name: "Done" }).click();
  await page.getByRole("row", { name: /Night shift/ }).filter({ hasText: "Active" }).waitFor();
  insist(!(await page.content()).includes(key), "the key is shown a second time");
  return key;
}

async function revokeKey(page) {
  await page.getByRole("link", { name: "Revoke Night shift" }).click();
  await page.getByText("This cannot be taken back").waitFor();
  await page.getByRole("button", { name: "Revoke key" }).click();
  await page.getByText("Revoked. The key opens nothing any more.").waitFor();
  insist((await page.getByRole("link", { name: "Revoke Night shift" }).count()) === 0, "it can be revoked twice");
}

async function readAudit(page) {
  await page.getByRole("link", { name: "Audit" }).first().click();
  await page.getByRole("row", { name: /Key revoked/ }).filter({ hasText: "anna@example.org" }).first().waitFor();
  await page.getByRole("row", { name: /Key created/ }).first().waitFor();
  await page.getByLabel("What was done").selectOption("Key revoked");
  await page.getByRole("button", { name: "Show" }).click();
  await page.getByRole("link", { name: "Show everything" }).waitFor();
  insist((await page.getByRole("row", { name: /Key created/ }).count()) === 0, "the list is not narrowed");
  await page.getByRole("row", { name: /Key revoked/ }).first().getByRole("link").first().click();
  await page.getByRole("row", { name: /Key created/ }).waitFor();
  await page.getByLabel("To what").fill("wh_nothing");
  await page.getByRole("button", { name: "Show" }).click();
  await page.getByText("Nothing like that is on record").waitFor();
}

async function turnPages(page) {
  await page.getByRole("link", { name: "Audit" }).first().click();
  const rows = page.getByRole("row");
  await rows.first().waitFor();
  const first = await rows.allInnerTexts();
  await page.getByRole("link", { name: "Next page" }).click();
  await page.getByRole("link", { name: "Back to the beginning" }).click();
  await page.getByRole("link", { name: "Next page" }).waitFor();
  insist((await rows.count()) === first.length, "the beginning is another one");
}
