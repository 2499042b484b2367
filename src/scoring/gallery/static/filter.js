// Which images are shown: by name, folder, score, and whether they are picked.

const [lowest, highest] = [about.scores[total - 1] ?? 0, about.scores[0] ?? 0];

function folderOf(path) {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

// Every folder with images in it or below it, and how many.
function listFolders() {
  const counts = new Map();
  for (const path of about.paths) {
    for (let folder = folderOf(path); folder; folder = folderOf(folder)) counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  $("folders").hidden = !counts.size;
  for (const folder of [...counts.keys()].sort()) {
    const option = make("option", "", `${folder} (${counts.get(folder)})`);
    option.value = folder;
    $("folder").append(option);
  }
}

function wanted() {
  const name = $("name").value.trim().toLowerCase(), folder = $("folder").value;
  const low = $("low").value === "" ? -Infinity : $("low").valueAsNumber;
  const high = $("high").value === "" ? Infinity : $("high").valueAsNumber;
  const onlyPicked = $("only-picked").checked;
  return (row) =>
    about.scores[row] >= low && about.scores[row] <= high && (!onlyPicked || page.picked.has(row)) &&
    (!folder || about.paths[row].startsWith(`${folder}/`)) && (!name || about.paths[row].toLowerCase().includes(name));
}

function applyFilter() {
  const row = page.shown[page.at];
  page.shown = [...about.paths.keys()].filter(wanted());
  page.at = Math.max(0, page.shown.indexOf(row));
  const all = page.shown.length === total;
  $("count").textContent = all ? `${total} images, best first` : `${page.shown.length} of ${total} images`;
  $("clear").hidden = all;
  $("none").hidden = page.shown.length > 0;
  if (!total) $("none").textContent = "There is no image yet.";
  layOut();
}

function clearFilter() {
  $("filter").reset();
  applyFilter();
}

$("filter").addEventListener("input", () => (applyFilter(), rememberPlace()));
$("filter").addEventListener("submit", (event) => event.preventDefault());
$("filter").addEventListener("reset", () => setTimeout(applyFilter));
$("low").placeholder = lowest.toFixed(2);
$("high").placeholder = highest.toFixed(2);
