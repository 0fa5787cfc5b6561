// All else that a person may do with a webhook, with and without JavaScript: change it, send a test event, rotate its secret,
// stop and start it, recover what was given up, delete it.
import { awaitShown, insist, run } from "./chromium.mjs";
import { Platform, signIn } from "./platform.mjs";

await run(async (wishes, visit) => {
  const platform = new Platform(wishes);
  for (const javaScriptEnabled of [true, false]) {
    const page = await visit.person({ javaScriptEnabled });
    await signIn(page, await platform.link({ role: "developer" }));
    await addWebhook(page, wishes);
    await changeIt(page);
    await rotateSecret(page);
    await sendTestEvent(page, javaScriptEnabled);
    await stopAndStart(page);
    await recover(page, javaScriptEnabled);
    await deleteIt(page);
  }
});

async function press(page, role, name) {
  await page.getByRole(role, { name, exact: true }).first().click();
}

async function addWebhook(page, { url }) {
  await press(page, "link", "Add webhook");
  await press(page, "button", "Add webhook");
  await page.getByLabel("URL").and(page.locator("[aria-invalid=true]")).waitFor();
  await page.getByLabel("URL").fill(url);
  await page.getByLabel("appointment.scheduled").check();
  await press(page, "button", "Add webhook");
  await press(page, "link", "Go to the webhook");
}

async function changeIt(page) {
  await press(page, "link", "Edit");
  await page.getByLabel("Description").fill("Staging");
  await page.getByRole("button", { name: /Save/ }).click();
  await page.getByText("Saved.").waitFor();
  await page.getByRole("heading", { level: 1, name: "Staging" }).waitFor();
}

async function rotateSecret(page) {
  const secret = () => page.getByRole("group", { name: "secret", exact: true }).locator("code").innerText();
  await press(page, "button", "Reveal the secret");
  const before = await secret();
  await press(page, "link", "Done");
  await press(page, "link", "Rotate the secret");
  await press(page, "button", "Rotate the secret");
  await page.getByRole("heading", { name: "The new secret" }).waitFor();
  insist((await secret()) !== before, "the secret is the one before");
  await press(page, "link", "Done");
}

async function sendTestEvent(page, isScripted) {
  await page.getByLabel("Event type").selectOption("appointment.scheduled");
  await press(page, "button", "Send test event");
  await page.getByText("Test event sent.").waitFor();
  await press(page, "link", "Events");
  await awaitShown(page, page.getByRole("row").filter({ hasText: "Exhausted" }), isScripted);
  await page.getByRole("row").filter({ hasText: "Test event" }).waitFor();
  await page.getByRole("navigation", { name: "Webhook" }).getByRole("link", { name: "Overview" }).click();
}

async function stopAndStart(page) {
  await press(page, "link", "Disable");
  await press(page, "button", "Disable");
  await page.getByText("Nothing is sent to this webhook.").waitFor();
  await press(page, "button", "Enable");
  await page.getByText("Enabled. Events from now on").waitFor();
}

async function recover(page, isScripted) {
  await press(page, "link", "Events");
  await press(page, "link", "Recover");
  await press(page, "button", "Count");
  await page.getByText("1 event is as asked for").waitFor();
  await page.getByRole("button", { name: /^Start recovery/ }).click();
  await page.getByText("The recovery has begun.").waitFor();
  await awaitShown(page, page.getByText("Done", { exact: true }), isScripted);
  await page.getByRole("navigation", { name: "Breadcrumb" }).getByRole("link").nth(1).click();
}

async function deleteIt(page) {
  await press(page, "link", "Delete");
  await press(page, "button", "Delete for good");
  await page.getByText("Deleted. The webhook and its secret are gone for good.").waitFor();
  await page.getByText("There is no webhook yet.").waitFor();
}
