// The board of leads: cards are dragged, or moved by a digit. Both press a button of the card's own menu.

const board = document.querySelector("[data-board]");
const columns = [...board.querySelectorAll("[data-status]")];
const hint = document.querySelector("[data-keys-hint]");
if (hint) hint.hidden = false;

function move(card, status) {
  const button = card.querySelector(`.menu-panel button[value="${CSS.escape(status)}"]`);
  if (button && !button.disabled) button.form.requestSubmit(button);
}

let dragged = null;
for (const card of board.querySelectorAll("[data-lead]")) {
  card.draggable = true;
  card.addEventListener("dragstart", (event) => {
    dragged = card;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", card.querySelector(".row-link").textContent);
    card.classList.add("is-dragged");
  });
  card.addEventListener("dragend", () => {
    dragged = null;
    card.classList.remove("is-dragged");
    for (const column of columns) column.classList.remove("is-over");
  });
}

for (const column of columns) {
  column.addEventListener("dragover", (event) => {
    // Only what is a card of ours.
    if (!dragged || column.contains(dragged)) return;
    event.preventDefault();
    for (const each of columns) each.classList.toggle("is-over", each === column);
  });
  column.addEventListener("drop", (event) => {
    if (!dragged) return;
    event.preventDefault();
    move(dragged, column.dataset.status);
  });
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
  const card = document.activeElement?.closest("[data-lead]");
  if (!card) return;
  const column = columns[Number(event.key) - 1];
  if (column) move(card, column.dataset.status);
  else if (event.key === "m") {
    const menu = card.querySelector("details");
    menu.open = true;
    menu.querySelector("button:not(:disabled)").focus();
  } else return;
  event.preventDefault();
});
