// What is picked, kept by path, and saved as the list that --list takes; what is marked to be compared.

const MOST = 4; // side by side
// The tab's own storage first: Chromium, reading a file again, now and then finds none of what the other one just got.
const KEPT_IN = ["sessionStorage", "localStorage"];

function togglePick(row) {
  page.picked.has(row) ? page.picked.delete(row) : page.picked.add(row);
  for (const storage of KEPT_IN) remember(storage, "picked", [...page.picked].map((one) => about.paths[one]));
  showCounts();
  refresh(row);
}

function toggleMark(row) {
  if (!page.marked.delete(row) && page.marked.size < MOST) page.marked.add(row);
  showCounts();
  refresh(row);
}

function refresh(row) {
  if (tiles.has(row)) showState(tiles.get(row), row);
}

function showCounts() {
  $("picked").textContent = page.picked.size || "";
  $("marked").textContent = page.marked.size || "";
  document.querySelector('[data-act="save"]').disabled = !page.picked.size;
  document.querySelector('[data-act="compare"]').disabled = page.marked.size < 2;
}

// A line each; as JSON where a plain line would be read as something else.
function asLine(path) {
  return /^["#\s]|[\u0000-\u001f\ud800-\udfff]|\s$/u.test(path) ? JSON.stringify(path) : path;
}

function savePicked() {
  if (!page.picked.size) return;
  const lines = [...page.picked].sort((one, other) => one - other).map((row) => asLine(about.paths[row]));
  const text = `# ${lines.length} picked of ${asLine(about.directory)}\n${lines.join("\n")}\n`;
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  link.download = "picked.txt";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  $("command").textContent = `${about.again} --list=picked.txt --copy_to=picked`;
  $("saved").showModal();
}

async function copyCommand(button) {
  const range = document.createRange();
  range.selectNodeContents($("command"));
  getSelection().removeAllRanges();
  getSelection().addRange(range); // where a browser copies nothing for a page, one key is left to do
  try { await navigator.clipboard.writeText($("command").textContent); } catch { document.execCommand("copy"); }
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy the command"), 1500);
}

function restorePicks() {
  const known = new Map(about.paths.map((path, row) => [path, row]));
  const paths = KEPT_IN.map((storage) => remembered(storage, "picked")).find(Boolean) ?? [];
  for (const path of paths) if (known.has(path)) page.picked.add(known.get(path));
  showCounts();
}
