"use strict";
const $ = (id) => document.getElementById(id);

async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
  return answer.json();
}

async function open(path, mayEdit, beside) {
  const session = await post("/demo/open", { path, user: $("user").value, may_edit: mayEdit });
  if (!beside) $("stage").replaceChildren();
  const editor = GenroWopi.open($("stage"), session.launch_url, {
    title: path,
    onClosed() { editor.remove(); },
  });
}

function button(label, title, action, kind) {
  const element = document.createElement("button");
  element.textContent = label;
  element.title = title;
  element.className = kind ?? "";
  element.addEventListener("click", () => action().catch((error) => alert(error.message)));
  return element;
}

async function list() {
  const documents = await (await fetch("/demo/documents")).json();
  $("documents").replaceChildren(...documents.filter((d) => !d.is_folder).map((d) => {
    const row = document.createElement("li");
    row.dataset.path = d.path;
    const name = document.createElement("span");
    name.className = "name";
    name.textContent = d.name;
    row.append(name,
      button("Open", "Open to edit", () => open(d.path, true, false), "open"),
      button("Beside", "Open a second time, beside", () => open(d.path, true, true)),
      button("View", "Open read-only", () => open(d.path, false, false)));
    if (/\.(txt|md|csv)$/.test(d.name)) {
      row.append(button("±", "Change it outside of the editor", () => post("/demo/change", { path: d.path })));
    }
    return row;
  }));
}

new EventSource("/demo/events").onmessage = (message) => {
  const event = JSON.parse(message.data);
  if (!event.event) return;
  const row = document.createElement("li");
  const name = document.createElement("b");
  name.textContent = event.event;
  const rest = document.createElement("span");
  rest.textContent = `${event.file_path} · ${event.user} · ${event.timestamp.slice(11, 19)}`;
  row.append(name, rest);
  $("callbacks").prepend(row);
};

list();
