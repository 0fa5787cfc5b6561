// Shows what is new in a part of a page: asks for the page again and takes over the part of the same id.
//
// `data-refresh="5"` on the part says how many seconds lie between; a part that comes without it is asked for no more. The
// header tells the server that nobody did anything, so that a page left open does not keep somebody signed in. What is
// new is said where `data-news` stands: things by `data-key`, and a change of what `data-says` says.
const REFRESH_FAILURES_MAX = 5;
const REFRESH_SECONDS_MIN = 2;
const REFRESH_SECONDS_MAX = 60;

// What each part was made from; without the words of times, which change by themselves.
const made = new WeakMap();

const keysOf = (part) => new Set([...part.querySelectorAll("[data-key]")].map((thing) => thing.dataset.key));
const saidBy = (part) => part.querySelector("[data-says]")?.dataset.says;

function tellNews(part, keys, said) {
  const things = [...part.querySelectorAll("[data-key]")].filter((thing) => !keys.has(thing.dataset.key));
  for (const thing of things) thing.classList.add("fresh");
  const place = document.querySelector("[data-news]");
  const news = [];
  if (things.length) news.push(`${things.length} new`);
  if (saidBy(part) !== said) news.push(saidBy(part));
  if (place && news.length) place.textContent = news.join(", ");
}

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
  const [keys, said] = [keysOf(part), saidBy(part)];
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const place = ["href", "formaction"].find((name) => focused?.hasAttribute(name));
  const target = place && `[${place}="${CSS.escape(focused.getAttribute(place))}"]`;
  part.replaceChildren(...fresh.childNodes);
  if (!("refresh" in fresh.dataset)) delete part.dataset.refresh;
  if (target) part.querySelector(target)?.focus();
  tellNews(part, keys, said);
  offerCopies();
}

const wait = (seconds) => new Promise((resolve) => { setTimeout(resolve, seconds * 1000); });

// A tab that nobody sees asks for nothing.
const untilSeen = () => new Promise((resolve) => {
  const look = () => {
    if (document.hidden) return;
    document.removeEventListener("visibilitychange", look);
    resolve();
  };
  document.addEventListener("visibilitychange", look);
  look();
});

async function keepFresh(part) {
  let failures = 0;
  while ("refresh" in part.dataset && failures < REFRESH_FAILURES_MAX) {
    const seconds = Number(part.dataset.refresh) * (1 + failures);
    await wait(Math.min(Math.max(seconds, REFRESH_SECONDS_MIN), REFRESH_SECONDS_MAX));
    await untilSeen();
    try {
      await refresh(part);
      failures = 0;
    } catch {
      failures += 1;
    }
  }
}

for (const part of document.querySelectorAll("[data-refresh]")) keepFresh(part);
