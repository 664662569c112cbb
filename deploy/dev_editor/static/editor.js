"use strict";
// The page of the dev editor: a textarea that knows whether it is modified, saved or in conflict.

const AUTOSAVE_MS = 3000;
const HEARTBEAT_MS = 15000;
const RETRY_MS = 1500;

const $ = (id) => document.getElementById(id);
const text = $("text");
let view = null;
let token = start.accessToken;
let savedText = "";
let saving = null;
let autosaveTimer = 0;

const isModified = () => view !== null && view.canWrite && text.value !== savedText;

async function call(path, body) {
  const answer = await fetch(`/editor/views${path}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body ?? {}),
  });
  return { status: answer.status, body: await answer.json() };
}

function show(state, message) {
  const words = { ready: "", modified: "Modified", saving: "Saving…", saved: "Saved",
    conflict: "Conflict", failed: "Not saved", expired: "Access expired", readonly: "Read-only" };
  $("state").textContent = words[state];
  $("state").dataset.state = state;
  $("save").disabled = !isModified();
  $("notice").hidden = !message || state === "conflict";
  $("notice").textContent = message ?? "";
  $("conflict").hidden = state !== "conflict";
  $("conflict-text").textContent = state === "conflict" ? message : "";
}

function tell(id, values) {
  if (view?.origin) {
    parent.postMessage(JSON.stringify({ MessageId: id, SendTime: Date.now(), Values: values ?? {} }), view.origin);
  }
}

async function open(lock, base) {
  const answer = await call("", { wopi_src: start.wopiSrc, access_token: token, lock, base });
  if (answer.status !== 200) throw new Error(answer.body.message);
  view = answer.body;
  $("name").textContent = document.title = view.name;
}

async function begin() {
  try {
    await open("", "");
  } catch (error) {
    $("name").textContent = "Not opened";
    show("failed", error.message);
    return;
  }
  text.value = savedText = view.text;
  text.readOnly = !view.canWrite;
  show(view.canWrite ? "ready" : "readonly", view.reason);
  if (view.canWrite) text.focus();
  tell("App_LoadingStatus", { Status: "Document_Loaded" });
}

// A restarted editor has forgotten the view: open it again with the same lock and the same base.
async function reopen() {
  try { await open(view.lock, view.base); } catch { /* tried again with the next save */ }
}

function save(options = {}) {
  if (!saving) saving = trySave(options).finally(() => { saving = null; });
  return saving;
}

async function trySave(options) {
  clearTimeout(autosaveTimer);
  const sent = text.value;
  show("saving");
  let answer;
  try { answer = await call(`/${view.viewId}/save`, { text: sent, ...options }); } catch { answer = { status: 0 }; }
  if (answer.status === 404) await reopen();
  if (answer.status !== 200) {
    show("failed", "The editor does not answer; it tries again by itself.");
    autosaveTimer = setTimeout(() => save(options), RETRY_MS);
    return false;
  }
  const outcome = answer.body;
  if (outcome.state === "saved") {
    savedText = sent;
    view.base = outcome.last_modified;
    show(isModified() ? "modified" : "saved");
    tell("Doc_ModifiedStatus", { Modified: isModified() });
  } else {
    show(outcome.state, outcome.message);
    if (outcome.state === "failed") autosaveTimer = setTimeout(() => save(options), RETRY_MS);
  }
  tell("Action_Save_Resp", { success: outcome.state === "saved", result: outcome.state });
  return outcome.state === "saved";
}

async function close() {
  if (isModified() && !(await save({ exit_save: true }))) return;
  await call(`/${view.viewId}/close`).catch(() => {});
  const name = view.name;
  text.readOnly = true;
  view.canWrite = false;
  show("ready", `${name} is closed.`);
  tell("UI_Close");
}

text.addEventListener("input", () => {
  if ($("state").dataset.state === "conflict") return;
  show(isModified() ? "modified" : "ready");
  tell("Doc_ModifiedStatus", { Modified: isModified() });
  clearTimeout(autosaveTimer);
  if (isModified()) autosaveTimer = setTimeout(() => save({ autosave: true }), AUTOSAVE_MS);
});
$("save").addEventListener("click", () => save());
$("close").addEventListener("click", close);
$("overwrite").addEventListener("click", () => save({ force: true }));
$("discard").addEventListener("click", async () => {
  const answer = await call(`/${view.viewId}/reload`);
  view = answer.body;
  text.value = savedText = view.text;
  show("ready");
});
addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "s") { event.preventDefault(); if (isModified()) save(); }
});
addEventListener("message", (event) => {
  if (!view || event.origin !== view.origin) return;
  let message; try { message = JSON.parse(event.data); } catch { return; }
  const id = message.MessageId;
  if (id === "Action_Save" && isModified()) save();
  if (id === "Action_Close") close();
  if (id === "Reset_Access_Token") {
    token = message.Values.token;
    call(`/${view.viewId}/token`, { access_token: token }).then(() => { if (isModified()) save(); });
  }
});
addEventListener("pagehide", () => {
  if (!view) return;
  const body = new Blob([JSON.stringify({})], { type: "application/json" });
  if (!isModified()) navigator.sendBeacon(`/editor/views/${view.viewId}/close`, body);
});
setInterval(() => { if (view) call(`/${view.viewId}/heartbeat`).then((a) => { if (a.status === 404) reopen(); }).catch(() => {}); }, HEARTBEAT_MS);

begin();
