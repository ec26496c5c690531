// The recording and the transcript in step, where the platform says when each turn was said.

const player = document.querySelector("[data-player]");
const turns = [...document.querySelectorAll("[data-at]")];
const follow = document.querySelector("[data-follow]");

if (player) {
  for (const button of document.querySelectorAll("[data-skip]")) {
    button.hidden = false;
    button.addEventListener("click", () => (player.currentTime += Number(button.dataset.skip)));
  }
  const speed = document.querySelector("[data-speed]");
  document.querySelector("[data-speed-label]").hidden = false;
  speed.addEventListener("change", () => (player.playbackRate = Number(speed.value)));

  let isFollowing = true;
  let current = null;
  // Only a person's own scrolling stops it, not ours.
  const stop = () => {
    if (player.paused || !current) return;
    isFollowing = false;
    follow.hidden = false;
  };
  for (const kind of ["wheel", "touchmove"]) addEventListener(kind, stop, { passive: true });
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)");
  const show = () =>
    current.scrollIntoView({ block: "center", behavior: isCalm.matches ? "auto" : "smooth" });
  follow?.querySelector("button").addEventListener("click", () => {
    isFollowing = true;
    follow.hidden = true;
    show();
  });

  const starts = turns.map((turn) => Number(turn.dataset.at));
  player.addEventListener("timeupdate", () => {
    const next = starts.findLastIndex((start) => start <= player.currentTime + 0.05);
    const turn = turns[next] ?? null;
    if (turn === current) return;
    current?.removeAttribute("aria-current");
    current = turn;
    if (!current) return;
    current.setAttribute("aria-current", "true");
    if (isFollowing && !player.paused) show();
  });

  document.querySelector("[data-turns]")?.addEventListener("click", (event) => {
    // Whoever selects a text wants to read it.
    if (String(getSelection()) !== "" || event.target.closest("details")) return;
    const turn = event.target.closest("[data-at]");
    if (!turn) return;
    player.currentTime = Number(turn.dataset.at);
    isFollowing = true;
    follow.hidden = true;
    player.play();
  });
}
