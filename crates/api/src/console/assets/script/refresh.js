// Shows what is new in a part of a page: asks for the page again and takes over the part of the same id.
//
// `data-refresh="5"` on the part says how many seconds lie between. The header tells the server that nobody did anything,
// so that a page left open does not keep somebody signed in.
const REFRESH_FAILURES_MAX = 5;

// What each part was made from; without the words of times, which change by themselves.
const made = new WeakMap();

async function refresh(part) {
  const answer = await fetch(location.href, { headers: { "bellhop-refresh": "1" }, redirect: "error" });
  if (answer.status === 401 || answer.status === 403 || answer.status === 404) {
    location.reload();
    return;
  }
  if (!answer.ok) throw new Error(`answered ${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById(part.id);
  const text = fresh?.innerHTML.replace(/(<time[^>]*>)[^<]*/g, "$1");
  if (!fresh || made.get(part) === text) return;
  made.set(part, text);
  const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  part.replaceChildren(...fresh.childNodes);
  if (focused) part.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
  offerCopies();
}

async function keepFresh(part) {
  const pause = Number(part.dataset.refresh) * 1000;
  let failures = 0;
  while (failures < REFRESH_FAILURES_MAX) {
    await new Promise((resolve) => { setTimeout(resolve, pause * (1 + failures)); });
    if (document.hidden || !part.isConnected) continue;
    try {
      await refresh(part);
      failures = 0;
    } catch {
      failures += 1;
    }
  }
}

for (const part of document.querySelectorAll("[data-refresh]")) keepFresh(part);
