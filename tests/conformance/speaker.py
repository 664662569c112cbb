"""Says the steps of the table to a host."""

import json

import httpx

from tests.support.editor import EditorClient

STALE = "2020-01-01T00:00:00.000000Z"
SAVED = b"saved"


class Speaker:
    """One editor at one file."""

    def __init__(self, editor: EditorClient) -> None:
        self._editor = editor
        self._stamp = STALE

    def say(self, step: str) -> httpx.Response:
        word, *rest = step.split(" ")
        if word in {"LOCK", "UNLOCK", "REFRESH_LOCK", "GET_LOCK"}:
            return self._override(word, rest[0] if rest else "-")
        if word.startswith("PUT") and word != "PUT_RELATIVE":
            return self._put(word, rest[0])
        if word == "OVERRIDE":
            return self._said(*rest)
        answer: httpx.Response = getattr(self, f"_{word.lower()}")(*rest)
        return answer

    def _override(self, override: str, lock: str = "-", **headers: str) -> httpx.Response:
        named = {f"X-WOPI-{name}": value for name, value in headers.items()}
        if lock != "-":
            named["X-WOPI-Lock"] = lock
        return self._editor.call("POST", "", {"X-WOPI-Override": override, **named})

    def _relock(self, old: str, new: str) -> httpx.Response:
        return self._override("LOCK", new, OldLock=old)

    def _put(self, word: str, lock: str) -> httpx.Response:
        headers = {"X-WOPI-Override": "PUT"}
        if lock != "-":
            headers["X-WOPI-Lock"] = lock
        if word == "PUT_AT":
            headers["X-COOL-WOPI-Timestamp"] = self._stamp
        if word == "PUT_STALE":
            headers["X-COOL-WOPI-Timestamp"] = STALE
        if word == "PUT_STALE_LOOL":
            headers["X-LOOL-WOPI-Timestamp"] = STALE
        if word == "PUT_SHORT":
            headers["X-WOPI-Size"] = "99"
        return self._editor.call("POST", "/contents", headers, SAVED)

    def _info(self) -> httpx.Response:
        answer = self._editor.call("GET")
        if answer.status_code == 200:
            self._stamp = answer.json()["LastModifiedTime"]
        return answer

    def _info_wrong(self) -> httpx.Response:
        self._editor.token = "wrong"
        return self._editor.call("GET")

    def _get(self) -> httpx.Response:
        return self._editor.get()

    def _get_max(self, size: str) -> httpx.Response:
        return self._editor.get({"X-WOPI-MaxExpectedSize": size})

    def _suggest(self, name: str) -> httpx.Response:
        return self._override("PUT_RELATIVE", SuggestedTarget=name)

    def _exact(self, name: str) -> httpx.Response:
        return self._override("PUT_RELATIVE", RelativeTarget=name)

    def _over(self, name: str) -> httpx.Response:
        both = {"RelativeTarget": name, "OverwriteRelativeTarget": "True"}
        return self._override("PUT_RELATIVE", **both)

    def _both(self, name: str) -> httpx.Response:
        return self._override("PUT_RELATIVE", RelativeTarget=name, SuggestedTarget=name)

    def _put_relative(self) -> httpx.Response:
        return self._override("PUT_RELATIVE")

    def _rename(self, lock: str, name: str) -> httpx.Response:
        return self._override("RENAME_FILE", lock, RequestedName=name)

    def _delete(self) -> httpx.Response:
        return self._override("DELETE")

    def _user_info(self, size: str) -> httpx.Response:
        headers = {"X-WOPI-Override": "PUT_USER_INFO"}
        return self._editor.call("POST", "", headers, b"x" * int(size))

    def _share(self, kind: str) -> httpx.Response:
        return self._override("GET_SHARE_URL", UrlType=kind)

    def _activities(self) -> httpx.Response:
        body = json.dumps({"Activities": []}).encode()
        return self._editor.call("POST", "", {"X-WOPI-Override": "ADD_ACTIVITIES"}, body)

    def _ancestry(self) -> httpx.Response:
        return self._editor.call("GET", "/ancestry")

    def _ecosystem(self) -> httpx.Response:
        return self._editor.call("GET", "/ecosystem_pointer")

    def _said(self, override: str = "") -> httpx.Response:
        headers = {"X-WOPI-Override": override} if override else {}
        return self._editor.call("POST", "", headers)
