// Adds a webhook with nothing but a keyboard, and insists on seeing where it is.
import { insist, run } from "./chromium.mjs";
import { Platform } from "./platform.mjs";

/** More than any page has to step over. */
const STEPS_MAX = 60;

await run(async ({ url, ...wishes }, visit) => {
  const page = await visit.person();
  await page.goto(await new Platform(wishes).link());
  await stepTo(page, "Continue to the console");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Webhooks" }).waitFor();
  await page.keyboard.press("Tab");
  insist((await focused(page)).name === "Skip to content", "the first step is not over the frame");
  await stepTo(page, "Add webhook");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Add webhook" }).waitFor();
  await stepTo(page, /URL/);
  await page.keyboard.type(url);
  await stepTo(page, /^appointment\.scheduled/);
  await page.keyboard.press("Space");
  await stepTo(page, "Add webhook");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Webhook added" }).waitFor();
  await stepTo(page, "Go to the webhook");
  await page.keyboard.press("Enter");
  const shown = page.getByRole("group", { name: "URL", exact: true }).locator("code");
  return { url: await shown.innerText() };
});

/** Steps from control to control until one of this name has the focus. */
async function stepTo(page, name) {
  const is = (found) => (typeof name === "string" ? found === name : name.test(found));
  const passed = [];
  for (let steps = 0; steps < STEPS_MAX; steps += 1) {
    const { name: found, isVisible } = await focused(page);
    if (found) insist(isVisible, `nobody sees that “${found}” has the focus`);
    if (is(found)) return;
    passed.push(found);
    await page.keyboard.press("Tab");
  }
  throw new Error(`no step leads to ${name}; passed were: ${passed.join(", ")}`);
}

/** What has the focus, and whether a person can see that. */
function focused(page) {
  return page.evaluate(() => {
    const element = document.activeElement;
    if (!element || element === document.body) return { name: "", isVisible: true };
    const label = element.labels?.[0]?.innerText ?? element.getAttribute("aria-label") ?? element.innerText;
    const shown = [element, ...(element.labels ?? [])].map((part) => getComputedStyle(part));
    const isVisible = shown.some(
      ({ outlineStyle, outlineWidth, boxShadow }) =>
        (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) || boxShadow !== "none",
    );
    return { name: (label ?? "").trim(), isVisible };
  });
}
