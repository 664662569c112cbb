"use strict";
// The launch page: posts the token into the editor's frame and renews its session, carries
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
  let showsCopy = false;

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
    if (message.MessageId === "Action_Save_Resp") {
      if (values.success && values.fileName && values.fileName !== launch.fileName) showsCopy = true;
      if (afterSave) afterSave();
    }
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

  // While the page is open its session is renewed, well within its idle life: people also read. The
  // editor's token outlives its session by a week, so a new one is handed over seldom: to Collabora,
  // which takes it as it runs, when a tenth of the session's life is left; to others, which it reaches
  // by posting the form again, days after its end, while nothing is unsaved. Never to an editor that
  // shows a copy by now: that has a token of its own, which is renewed with the session.
  const token = form.elements.access_token;
  const TOKEN_AFTER_MS = 5 * 86400000;
  const PAUSE_MS = Math.min(Math.max(launch.idleMs / 3, 1000), 1800000);
  let handed = { at: Date.now(), ends: launch.endsAt };

  function isDue() {
    const now = Date.now();
    if (launch.takesNewToken) return now >= handed.at + (handed.ends - handed.at) * 0.9;
    return now >= handed.ends + TOKEN_AFTER_MS && !isModified;
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
    setTimeout(renew, answer.status === 200 ? PAUSE_MS : Math.min(PAUSE_MS, RENEW_AGAIN_MS));
    if (answer.status !== 200) return;
    const renewed = await answer.json();
    token.value = renewed.access_token;
    if (showsCopy || renewed.access_token_ttl <= handed.ends || !isDue()) return;
    handed = { at: Date.now(), ends: renewed.access_token_ttl };
    if (launch.takesNewToken) toEditor("Reset_Access_Token", { token: token.value, ttl: "0" });
    else form.submit();
  }

  addEventListener("beforeunload", (event) => { if (isModified) event.preventDefault(); });
  document.getElementById("again").addEventListener("click", () => location.reload());
  form.submit();
  setTimeout(renew, PAUSE_MS);
})();
