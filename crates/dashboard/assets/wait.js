// Waits for a platform's first event: asks for the page again now and then, and shows what arrived in its place.

const EVERY = 2000;
const until = Date.now() + 30 * 60_000;

const here = document.querySelector("[data-wait]");

async function look() {
  try {
    const response = await fetch(here.dataset.wait);
    if (!response.ok || response.redirected) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const part of document.querySelectorAll("[data-part]")) {
      const fresh = page.getElementById(part.id);
      if (fresh && fresh.textContent !== part.textContent) part.replaceChildren(...fresh.childNodes);
    }
    if (!page.querySelector("[data-wait]")) delete here.dataset.wait;
  } catch {
    // The server is away for a moment: the next look finds it.
  }
}

const timer = here && setInterval(async () => {
  if (Date.now() > until || !here.dataset.wait) clearInterval(timer);
  else if (!document.hidden) await look();
}, EVERY);
