// Keeps relative times true, by the rules of `moment.rs`.
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function relativeWords(at, now) {
  const distance = Math.abs(now - at) / 1000;
  const isPast = at <= now;
  const counted = (count, unit) => {
    const words = `${count} ${unit}${count === 1 ? "" : "s"}`;
    return isPast ? `${words} ago` : `in ${words}`;
  };
  if (distance < 5) return isPast ? "just now" : "in a moment";
  if (distance < 60) return counted(Math.floor(distance), "second");
  if (distance < 3600) return counted(Math.floor(distance / 60), "minute");
  if (distance < 86400) return counted(Math.floor(distance / 3600), "hour");
  if (distance < 30 * 86400) return counted(Math.floor(distance / 86400), "day");
  return `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]} ${at.getUTCFullYear()}`;
}

function tick() {
  const now = new Date();
  for (const time of document.querySelectorAll("time[data-relative]")) {
    const words = relativeWords(new Date(time.dateTime), now);
    if (time.textContent !== words) time.textContent = words;
  }
}

setInterval(tick, 1000);
