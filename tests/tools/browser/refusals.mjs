// What people see who may not: a clear word, in the same frame, and nothing of what they may not see.
import { insist, run } from "./chromium.mjs";
import { Platform, signIn } from "./platform.mjs";

await run(async (wishes, visit) => {
  const platform = new Platform(wishes);
  await refuseLinks(await visit.person(), platform, wishes);
  await refuseKeys(await visit.person(), wishes);
  await refuseRole(await visit.person(), platform);
  await refuseOrganisation(await visit.person(), platform, wishes);
  await refuseStrangers(await visit.person(), await visit.person(), platform, wishes);
});

async function refuseLinks(page, platform, { expired }) {
  const press = () => page.getByRole("button", { name: "Continue to the console" }).click();
  const refused = page.getByRole("heading", { name: "This link does not open any more" });
  await page.goto(expired);
  await press();
  await refused.waitFor();
  const link = await platform.link();
  await signIn(page, link);
  await page.goto(link);
  await press();
  await refused.waitFor();
}

async function refuseKeys(page, { otherRole, testKey, liveKey }) {
  const enter = async (key) => {
    await page.getByLabel("API key").fill(key);
    await page.getByRole("button", { name: /Sign in|Add key/ }).click();
  };
  await page.goto("/console/sign-in");
  await enter("test_nonsense");
  await page.getByLabel("API key").and(page.locator("[aria-invalid=true]")).waitFor();
  await enter(otherRole);
  await page.getByText("practitioner").first().waitFor();
  await page.getByText("ask an administrator").waitFor();
  insist((await page.getByRole("link", { name: "Add webhook" }).count()) === 0, "the wrong role adds webhooks");

  await page.goto("/console/sign-in");
  await enter(testKey);
  await page.getByRole("heading", { level: 1, name: "Webhooks" }).waitFor();
  await page.getByRole("link", { name: /Test Mode/ }).first().click();
  await page.getByText("a key opens one mode").waitFor();
  await enter(testKey);
  await page.getByText("one for live mode is needed").waitFor();
  await enter(liveKey);
  await page.waitForURL("**/console/live/webhooks");
}

async function refuseRole(page, platform) {
  await signIn(page, await platform.link({ role: "developer", user: "dev@example.org" }));
  await page.getByText("Developer").first().waitFor();
  for (const path of ["/console/test/keys", "/console/test/keys/new", "/console/test/audit"]) {
    const response = await page.goto(path);
    insist(response.status() === 403, `${path} answers a developer with ${response.status()}`);
    await page.getByText("administrator").first().waitFor();
    await page.getByRole("link", { name: "Webhooks" }).first().waitFor();
    insist((await page.getByRole("link", { name: "Audit" }).count()) === 0, "the menu offers what is refused");
  }
}

async function refuseOrganisation(page, platform, { webhook, url, otherOrganisation }) {
  await signIn(page, await platform.link({ organisation: otherOrganisation, user: "other@example.org" }));
  const unseen = async () => insist(!(await page.content()).includes(url), "another organisation's URL is shown");
  await unseen();
  for (const rest of ["", "/edit", "/events", "/recover"]) {
    for (const id of [webhook, webhook.replace(/.$/, (digit) => (digit === "0" ? "1" : "0"))]) {
      const response = await page.goto(`/console/test/webhooks/${id}${rest}`);
      insist(response.status() === 404, `${rest} of another organisation answers ${response.status()}`);
      await unseen();
    }
  }
}

async function refuseStrangers(page, other, platform, { webhook }) {
  const secluded = `/console/test/webhooks/${webhook}`;
  await page.goto(secluded);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await signIn(page, await platform.link());
  await page.goto(secluded);
  await page.getByText(webhook).first().waitFor();
  // Another person's token, and none, open no form.
  await signIn(other, await platform.link({ user: "eve@example.org" }));
  const token = await other.locator("input[name=csrf]").first().getAttribute("value");
  for (const forged of [token, "", undefined]) {
    await page.goto(`${secluded}/disable`);
    const field = page.locator("main input[name=csrf]");
    await field.evaluate((input, forged) => (forged === undefined ? input.remove() : (input.value = forged)), forged);
    const answered = page.waitForResponse((response) => response.request().method() === "POST");
    await page.getByRole("button", { name: "Disable" }).click();
    insist((await answered).status() === 403, "a form that is not ours does something");
  }
  await page.goto(secluded);
  insist((await page.getByText("Nothing is sent to this webhook").count()) === 0, "it is disabled");
  await page.locator("summary").filter({ hasText: "anna@example.org" }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You are signed out").waitFor();
  await page.goto(secluded);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
}
