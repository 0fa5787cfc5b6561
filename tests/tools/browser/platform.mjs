// The platform's own backend, beside the browser: it vouches for its users, and its appointments make events.

/** Somebody whom the platform knows. */
export class Platform {
  #origin;
  #credential;
  #organisation;

  /** @param wishes of the program: `origin`, `operator`, `organisation`. */
  constructor({ origin, operator, organisation }) {
    this.#origin = origin;
    this.#credential = operator;
    this.#organisation = organisation;
  }

  /** A link that signs a user in, once. */
  async link({ user = "anna@example.org", role = "administrator", mode = "test", organisation } = {}) {
    const { token } = await this.#ask("/v1/console/sign-ins", { user, role }, mode, organisation);
    return `/console/sign-in?token=${token}`;
  }

  /** An event that happened; returns its id. */
  async publish(appointment, { type = "appointment.scheduled", mode = "test" } = {}) {
    const { id } = await this.#ask("/v1/events", { type, data: appointment }, mode);
    return id;
  }

  async #ask(path, body, mode, organisation = this.#organisation) {
    const response = await fetch(new URL(path, this.#origin), {
      method: "POST",
      headers: {
        authorization: this.#credential,
        "bellhop-organisation": organisation,
        "bellhop-mode": mode,
        "content-type": "application/json",
      },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    return response.json();
  }
}

/** Opens a link as a person does who comes from the platform: looks, and presses the one button. */
export async function signIn(page, link) {
  await page.goto(link);
  await page.getByRole("button", { name: "Continue to the console" }).click();
  await page.getByRole("heading", { level: 1, name: "Webhooks" }).waitFor();
}
