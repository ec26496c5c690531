// What every page can do better with a script; each works, or is not shown, without.

const root = document.documentElement;

/** Light, dark, or as the system is: kept in a cookie, so that the server writes it into the next page. */
const themeSwitch = document.querySelector("[data-theme-switch]");
if (themeSwitch) {
  const order = ["system", "light", "dark"];
  const label = themeSwitch.querySelector("[data-theme-name]");
  const show = () => {
    const name = root.dataset.theme;
    label.textContent = { system: "System", light: "Light", dark: "Dark" }[name];
    themeSwitch.setAttribute("aria-label", `Theme: ${name}`);
  };
  themeSwitch.hidden = false;
  show();
  themeSwitch.addEventListener("click", () => {
    const next = order[(order.indexOf(root.dataset.theme) + 1) % order.length];
    root.dataset.theme = next;
    document.cookie = `theme=${next}; Path=/; Max-Age=31536000; SameSite=Lax`;
    show();
  });
}

/** Copying. Where the clipboard is closed (plain http on a network), the text is selected instead. */
const select = (element) => {
  const range = document.createRange();
  range.selectNodeContents(element);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
};
for (const button of document.querySelectorAll("[data-copy]")) {
  const label = button.querySelector("[data-copy-label]");
  const usual = label.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      label.textContent = "Copied";
    } catch {
      const text = button.parentElement.querySelector("code");
      if (text) select(text);
      label.textContent = text ? "Press Ctrl+C" : "Cannot copy here";
    }
    setTimeout(() => (label.textContent = usual), 2000);
  });
}

/** Asks before what cannot be taken back. */
for (const form of document.querySelectorAll("[data-confirm]")) {
  form.addEventListener("submit", (event) => {
    if (!confirm(form.dataset.confirm)) event.preventDefault();
  });
}

/** Menus close by Escape, and when one goes elsewhere; one is open at a time. */
const menus = [...document.querySelectorAll("details[data-menu]")];
const close = (menu) => {
  if (!menu.open) return;
  const hadFocus = menu.contains(document.activeElement);
  menu.open = false;
  if (hadFocus) menu.querySelector("summary").focus();
};
for (const menu of menus) {
  menu.addEventListener("toggle", () => {
    if (menu.open) for (const other of menus) if (other !== menu) other.open = false;
  });
}
if (menus.length > 0) {
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") menus.forEach(close);
  });
  addEventListener("click", (event) => {
    for (const menu of menus) if (!menu.contains(event.target)) menu.open = false;
  });
}

/** A filter is sent when it is chosen. */
for (const select of document.querySelectorAll("[data-send]")) {
  for (const button of select.form.querySelectorAll("[data-sends]")) button.hidden = true;
  select.addEventListener("change", () => select.form.requestSubmit());
}

/** The setup knows the time zone that the browser is in. */
const zone = document.querySelector("[data-zone]");
if (zone && !zone.value) zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";

/** Keys: j and k go through the rows, Enter opens, / searches. */
const rows = [...document.querySelectorAll("[data-rows] .row-link")];
const search = document.querySelector("[data-search]");
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
  const here = rows.indexOf(document.activeElement);
  if (event.key === "j") rows[Math.min(here + 1, rows.length - 1)]?.focus();
  else if (event.key === "k") rows[Math.max(here - 1, 0)]?.focus();
  else if (event.key === "/" && search) search.focus();
  else return;
  event.preventDefault();
});
