// Keeps the table of jobs fresh: rows are replaced only where their text changed, so nothing flickers.
const body = document.getElementById("rows");
const freshness = document.getElementById("freshness");

function merge(fresh) {
  const old = [...body.rows];
  const rows = [...fresh.rows];
  rows.forEach((row, i) => {
    if (!old[i]) body.append(row);
    else if (old[i].outerHTML !== row.outerHTML) old[i].replaceWith(row);
  });
  old.slice(rows.length).forEach((row) => row.remove());
}

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(body.dataset.from);
    if (answer.status === 401) return location.reload();
    if (!answer.ok) throw new Error(answer.status);
    const table = new DOMParser().parseFromString(`<table><tbody>${await answer.text()}</tbody></table>`, "text/html");
    merge(table.querySelector("tbody"));
    freshness.textContent = "";
  } catch {
    freshness.textContent = "The list could not be refreshed; trying again.";
  }
}

setInterval(refresh, 2000);
document.addEventListener("visibilitychange", refresh);
