// A click on a column's title sorts by it; a second click turns the order around.
for (const table of document.querySelectorAll("table")) {
  const titles = [...table.tHead.rows[0].cells];
  titles.forEach((title, column) => title.firstChild.addEventListener("click", () => {
    const down = title.getAttribute("aria-sort") === "ascending";
    titles.forEach(other => other.removeAttribute("aria-sort"));
    title.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = table.tBodies[0];
    const value = row => row.cells[column].dataset.key;
    const compare = (a, b) => value(a) !== undefined && value(b) !== undefined
      ? value(a) - value(b)
      : (value(a) === undefined) - (value(b) === undefined) || a.cells[column].textContent.localeCompare(b.cells[column].textContent);
    body.append(...[...body.rows].sort((a, b) => down ? compare(b, a) : compare(a, b)));
  }));
}
