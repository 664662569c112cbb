"use strict";
// The launch page: posts the token into the editor's frame, carries messages between the editor and
// the application around it, and says in plain words why nothing appears.
(() => {
  const launch = JSON.parse(document.getElementById("launch-data").textContent);
  const frame = document.querySelector("iframe[name=editor]");
  const notice = document.getElementById("notice");
  const WAIT_MS = 20000;
  const DOWN = new Set(["Action_Save", "Action_Close", "Action_Print", "Action_Export",
    "Action_SaveAs", "Reset_Access_Token", "Host_PostmessageReady", "Close_Session"]);
  let isModified = false;

  const waiting = setTimeout(() => {
    document.getElementById("who").textContent = new URL(launch.editorOrigin).host;
    notice.hidden = false;
  }, WAIT_MS);

  function heard() {
    clearTimeout(waiting);
    notice.hidden = true;
  }

  function toEditor(message) {
    frame.contentWindow.postMessage(JSON.stringify(message), launch.editorOrigin);
  }

  addEventListener("message", (event) => {
    let message;
    try { message = JSON.parse(event.data); } catch { return; }
    if (event.source === frame.contentWindow && event.origin === launch.editorOrigin) {
      heard();
      if (message.MessageId === "App_LoadingStatus") {
        toEditor({ MessageId: "Host_PostmessageReady", SendTime: Date.now(), Values: {} });
      }
      if (message.MessageId === "Doc_ModifiedStatus") isModified = Boolean(message.Values?.Modified);
      if (parent !== window) {
        for (const origin of launch.parentOrigins) parent.postMessage(event.data, origin);
      }
    } else if (event.source === parent && launch.parentOrigins.includes(event.origin)) {
      if (DOWN.has(message.MessageId)) toEditor(message);
    }
  });

  addEventListener("beforeunload", (event) => { if (isModified) event.preventDefault(); });
  document.getElementById("again").addEventListener("click", () => location.reload());
  document.getElementById("launch").submit();
})();
