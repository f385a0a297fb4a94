"use strict";
// what has a key is pointed out wherever it is shown
document.addEventListener("pointerover", (event) => {
  const key = event.target.closest("[data-key]")?.dataset.key;
  document.body.classList.toggle("picking", key !== undefined);
  document.querySelectorAll("[data-key]").forEach((each) => {
    each.classList.toggle("picked", each.dataset.key === key);
  });
});
