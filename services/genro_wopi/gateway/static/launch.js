"use strict";
// The launch page: posts the token into the editor's frame and renews it before it ends, carries
// messages between the editor and the application around it, saves before it closes, and says in
// plain words why nothing appears.
(() => {
  const launch = JSON.parse(document.getElementById("launch-data").textContent);
  const form = document.getElementById("launch");
  const frame = document.querySelector("iframe[name=editor]");
  const notice = document.getElementById("notice");
  const WAIT_MS = 20000;
  const SAVE_MS = 10000;
  const RENEW_AGAIN_MS = 30000;
  const DOWN = new Set(["Action_Save", "Action_Close", "Action_Print", "Action_Export",
    "Action_SaveAs", "Reset_Access_Token", "Host_PostmessageReady", "Close_Session"]);
  let isModified = false;
  let afterSave = null;

  const waiting = setTimeout(() => {
    document.getElementById("who").textContent = new URL(launch.editorOrigin).host;
    notice.hidden = false;
  }, WAIT_MS);

  function heard() {
    clearTimeout(waiting);
    notice.hidden = true;
  }

  function toEditor(id, values) {
    const message = { MessageId: id, SendTime: Date.now(), Values: values ?? {} };
    frame.contentWindow.postMessage(JSON.stringify(message), launch.editorOrigin);
  }

  // What was typed is saved first; an editor that does not answer is closed all the same.
  function closeEditor(values) {
    const close = () => { afterSave = null; toEditor("Action_Close", values); };
    if (!isModified) { close(); return; }
    afterSave = close;
    toEditor("Action_Save", { DontTerminateEdit: true, DontSaveIfUnmodified: true, Notify: true });
    setTimeout(() => { if (afterSave) afterSave(); }, SAVE_MS);
  }

  function fromEditor(message) {
    const values = message.Values ?? {};
    if (message.MessageId === "App_LoadingStatus") toEditor("Host_PostmessageReady");
    if (message.MessageId === "Doc_ModifiedStatus") isModified = Boolean(values.Modified);
    if (message.MessageId === "Action_Save_Resp" && afterSave) afterSave();
  }

  addEventListener("message", (event) => {
    let message;
    try { message = JSON.parse(event.data); } catch { return; }
    if (event.source === frame.contentWindow && event.origin === launch.editorOrigin) {
      heard();
      fromEditor(message);
      if (parent !== window) {
        for (const origin of launch.parentOrigins) parent.postMessage(event.data, origin);
      }
    } else if (event.source === parent && launch.parentOrigins.includes(event.origin)) {
      if (message.MessageId === "Action_Close") closeEditor(message.Values);
      else if (DOWN.has(message.MessageId)) toEditor(message.MessageId, message.Values);
    }
  });

  // A token is renewed when a tenth of its life is left. Collabora takes the new one as it runs;
  // other editors are given it by posting the form again, while nothing is unsaved.
  const token = form.elements.access_token;
  const ttl = form.elements.access_token_ttl;
  let renewing = 0;

  function plan() {
    const left = Number(ttl.value) - Date.now();
    clearTimeout(renewing);
    if (left > 0) renewing = setTimeout(renew, Math.min(left * 0.9, 2 ** 31 - 1));
  }

  async function renew() {
    let answer;
    try {
      answer = await fetch(launch.renewAt, {
        method: "POST", headers: { Authorization: `Bearer ${token.value}` },
      });
    } catch { answer = { status: 0 }; }
    if (answer.status === 401) {
      document.getElementById("ended").hidden = false;
      return;
    }
    if (answer.status !== 200) {
      renewing = setTimeout(renew, RENEW_AGAIN_MS);
      return;
    }
    const renewed = await answer.json();
    if (renewed.access_token_ttl <= Number(ttl.value)) return;  // The application set the end.
    token.value = renewed.access_token;
    ttl.value = renewed.access_token_ttl;
    if (launch.takesNewToken) toEditor("Reset_Access_Token", { token: token.value, ttl: ttl.value });
    else if (!isModified) form.submit();
    plan();
  }

  addEventListener("beforeunload", (event) => { if (isModified) event.preventDefault(); });
  document.getElementById("again").addEventListener("click", () => location.reload());
  form.submit();
  plan();
})();
