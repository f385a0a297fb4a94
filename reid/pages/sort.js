"use strict";
const body = document.querySelector("#jobs tbody");
document.querySelectorAll("#jobs th button").forEach((button, column) => {
  let direction = -1; // the highest first, then the lowest
  button.onclick = () => {
    const value = (row) => row.cells[column].textContent.trim();
    const order = (a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === "" || y === "") return (x === "") - (y === ""); // what is unknown stays below
      return direction * (isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y);
    };
    body.replaceChildren(...[...body.rows].sort(order));
    direction = -direction;
  };
});
