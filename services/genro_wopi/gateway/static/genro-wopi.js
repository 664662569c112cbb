"use strict";
// Shows a document that genro-wopi opened, in an element of your page:
//
//   const editor = GenroWopi.open(element, session.launch_url, {
//     onReady() {}, onModified(isModified) {}, onSaved() {}, onClosed() {}, onError(reason) {},
//   });
//   editor.save(); editor.close(); editor.remove();
//
// `onSaved` says that the editor handed its save over; that it is stored, the document_saved
// callback tells your server.
const GenroWopi = {
  open(element, launchUrl, handlers = {}) {
    const frame = document.createElement("iframe");
    const origin = new URL(launchUrl, location.href).origin;
    const tell = (name, ...values) => { if (handlers[name]) handlers[name](...values); };
    frame.src = launchUrl;
    frame.title = handlers.title ?? "Document";
    frame.allow = "clipboard-read *; clipboard-write *; fullscreen";
    frame.style.cssText = "border:0;width:100%;height:100%";

    function listen(event) {
      if (event.origin !== origin || event.source !== frame.contentWindow) return;
      let message;
      try { message = JSON.parse(event.data); } catch { return; }
      const values = message.Values ?? {};
      switch (message.MessageId) {
        case "App_LoadingStatus":
          if (values.Status === "Document_Loaded") tell("onReady");
          if (values.Status === "Failed") tell("onError", "The document could not be loaded.");
          break;
        case "Doc_ModifiedStatus": tell("onModified", Boolean(values.Modified)); break;
        case "Action_Save_Resp":
          if (values.success) tell("onSaved");
          else tell("onError", values.errorMsg || values.result || "The document was not saved.");
          break;
        case "UI_Close": case "Session_Closed": tell("onClosed"); break;
      }
    }

    function send(id, values) {
      const message = { MessageId: id, SendTime: Date.now(), Values: values };
      frame.contentWindow?.postMessage(JSON.stringify(message), origin);
    }

    addEventListener("message", listen);
    element.append(frame);
    return {
      frame,
      save() { send("Action_Save", { DontTerminateEdit: true, Notify: true }); },
      close() { send("Action_Close", {}); },
      renew(accessToken, accessTokenTtl) {
        send("Reset_Access_Token", { token: accessToken, ttl: accessTokenTtl });
      },
      remove() { removeEventListener("message", listen); frame.remove(); },
    };
  },
};
