"""Breaks of what the promises rest on, and the harnesses that must notice each of them."""

from dataclasses import dataclass

SCRIPTS = "shared/genro_wopi/adapters/redis/scripts"
WOPI = "services/genro_wopi/wopi_service"


@dataclass(frozen=True)
class Break:
    """One change of one file."""

    name: str
    file: str
    old: str
    new: str
    caught_by: dict[str, str]
    """What a harness says when it notices, by the words after ``python -m`` that run it."""


BREAKS = (
    Break(
        "the lock is not compared",
        f"{SCRIPTS}/lock.lua",
        "local is_other = lock[1] and (lock[1] ~= ARGV[3] or is_apart(lock[9], ARGV[10]))",
        "local is_other = false",
        {
            "tests.chaos locks 4 1 calm": "       1  histories that no single lock",
            "pytest tests/scripts/test_lock_machine.py": "failed",
            "pytest tests/emulators -k collabora -m check": "a_second_process_is_read_only",
        },
    ),
    Break(
        "the write is not conditional",
        "shared/genro_wopi/adapters/storage/s3_node.py",
        '    if expected is None:\n        return {"IfNoneMatch": "*"}\n    quoted',
        "    if expected is None or True:\n        return {}\n    quoted",
        {
            "pytest tests/storage/test_conformance.py -k s3": "HeadChangedError",
            "tests.chaos sharing 15 1": "LOST",
        },
    ),
    Break(
        "an unclear answer is not resolved",
        "shared/genro_wopi/domain/commit.py",
        "            except (HeadChangedError, StorageFaultError):\n",
        "            except StorageFaultError as error:\n"
        "                raise UnavailableError('broken') from error\n"
        "            except HeadChangedError:\n",
        {
            "pytest tests/emulators -k collabora -m check": "stored and not acknowledged",
        },
    ),
    Break(
        "what the bytes were made from is not looked at",
        "shared/genro_wopi/domain/judgement.py",
        "    if head is None or head.size_bytes == 0:\n        return Verdict.ACCEPT",
        "    if head is None or head.size_bytes >= 0:\n        return Verdict.ACCEPT",
        {
            "pytest tests/model -k no_acknowledged": "LostUpdateError",
        },
    ),
    Break(
        "a refused save is not kept",
        f"{WOPI}/operations/put_file.py",
        "        await keep_aside(host, refused, body, refusal)\n",
        "",
        {
            "pytest tests/emulators -k collabora -m check": "refused and thrown away",
            "tests.chaos editing 8 1 local": "refused and thrown away document",
        },
    ),
    Break(
        "a session ends though its document is used",
        f"{SCRIPTS}/fragments/session.lua",
        "  redis.call('HSET', file, 'used_us', string.format('%.0f', now))\n",
        "",
        {"pytest tests/scripts/test_shared_life.py": "failed"},
    ),
    Break(
        "who has expired does not save what the lock protects",
        f"{SCRIPTS}/fragments/session.lua",
        "return 'late'",
        "return 'ended'",
        {"pytest tests/scripts/test_shared_life.py": "failed"},
    ),
    Break(
        "two servers share a lock",
        f"{SCRIPTS}/fragments/same_editor.lua",
        "return editor and other and",
        "return false and",
        {"pytest tests/scripts/test_shared_life.py": "failed"},
    ),
    Break(
        "what an ended session typed is thrown away",
        f"{WOPI}/operations/put_file.py",
        "        if ended.file is None:\n",
        "        if True:\n",
        {
            "pytest tests/services/test_refused_saves.py": "failed",
        },
    ),
    Break(
        "what an outage leaves unsettled is dropped",
        f"{WOPI}/operations/receive_save.py",
        "            await _keep(unsettled, save, received.body)\n",
        "            pass\n",
        {
            "pytest tests/services/test_unsettled_saves.py -k sent_once": "failed",
            "pytest tests/model/test_host.py -k anybody_sent": "LostTextError",
        },
    ),
    Break(
        "two processes submit one save",
        "shared/genro_wopi/adapters/unsettled_folder.py",
        "        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)\n        save = _note",
        "        save = _note",
        {"pytest tests/services/test_unsettled_saves.py -k living_process": "failed"},
    ),
    Break(
        "a save is submitted though its editor repeated it",
        "shared/genro_wopi/domain/unsettled_saves.py",
        "            return is_later\n",
        "            return False\n",
        {"pytest tests/services/test_unsettled_saves.py -k makes_it_void": "failed"},
    ),
    Break(
        "a later save makes void what it cannot hold",
        "shared/genro_wopi/domain/unsettled_saves.py",
        "return is_later and is_same and loaded_us < self.received_us",
        "return is_later and is_same",
        {
            "pytest tests/services/test_late_submissions.py -k loads_the_document": "failed",
        },
    ),
    Break(
        "a save that waited replaces what came after it",
        "shared/genro_wopi/domain/judgement.py",
        "    if is_overtaken(save, head):\n        return Verdict.CHANGED\n",
        "",
        {"pytest tests/domain/test_judge.py -k waited": "failed"},
    ),
    Break(
        "the gateway does not wait for a replica",
        "services/genro_wopi/gateway/routes/forward.py",
        "        timeout_s = max(0.0, deadline_s - asyncio.get_running_loop().time())\n",
        "        timeout_s = 0.0\n",
        {"pytest tests/services/test_forwarding.py -k waits_for_one": "failed"},
    ),
    Break(
        "a copy's token names no server",
        "services/genro_wopi/session_service/operations/derive.py",
        "                address=request.address,\n",
        "",
        {"pytest tests/services/test_copies.py -k another_server": "failed"},
    ),
    Break(
        "a token opens any file",
        f"{WOPI}/operations/admission.py",
        "    if request.file_id is not None and claims.file_id != request.file_id:\n"
        '        raise UnauthenticatedError("The access token is not for this file.")\n',
        "",
        {
            "pytest tests/fuzz/test_tenants.py": "test_a_token_opens_its_own_file_only",
        },
    ),
    Break(
        "a session reaches its folder without being told",
        "shared/genro_wopi/domain/reach.py",
        "    Right.LIST: lambda s: s.options.containers,\n",
        "    Right.LIST: lambda _: True,\n",
        {
            "pytest tests/services/test_traded.py": "without_containers_gives_no_files",
            "tests.hostile 3 1 explore": "a session without containers was given one",
        },
    ),
    Break(
        "a key reaches every tenant",
        "shared/genro_wopi/domain/tenants.py",
        "    tenant = await tenants.get_tenant(caller.named(named))\n"
        "    if tenant is None or not caller.reaches(tenant.tenant_id, None):\n",
        "    tenant = await tenants.get_tenant(TenantName(named or caller.named(None)))\n"
        "    if tenant is None:\n",
        {
            "pytest tests/flows/test_every_operation.py -k another_tenant": "tenants.get: 200",
        },
    ),
    Break(
        "nothing is redacted",
        "shared/genro_wopi/runtime/logs.py",
        '    value = _TOKEN_IN_QUERY.sub(r"\\1=***", value)\n',
        "    return value\n",
        {
            "pytest tests/fuzz/test_secrets.py": "assert not shown",
            "pytest tests/runtime/test_settings.py": "failed",
        },
    ),
    Break(
        "a late copy of a save is taken for a new one",
        f"{SCRIPTS}/begin_save.lua",
        "if has_time and stored and not is_later(ARGV[4], stored) then",
        "if false then",
        {"pytest tests/services/test_late_saves.py": "failed"},
    ),
    Break(
        "a copy of the head is superfluous",
        "shared/genro_wopi/domain/version_policy.py",
        "        if _may_be_copy(version, head):\n            continue\n",
        "",
        {"pytest tests/domain/test_version_policy.py": "about_to_replace_it"},
    ),
    Break(
        "a note counts wherever it lies",
        "shared/genro_wopi/domain/rescues.py",
        "    if rescue.rescue_id != rescue_id:\n"
        '        raise BadNoteError("its note is another copy\'s")\n',
        "",
        {"pytest tests/flows/test_hostile_storage.py -k another_copys": "failed"},
    ),
    Break(
        "a path in a note is believed",
        "shared/genro_wopi/domain/rescues.py",
        "        path = parse_path(rescue.file_path)\n",
        "        path = rescue.file_path\n",
        {"pytest tests/flows/test_hostile_storage.py -k out_of_the_storage": "failed"},
    ),
    Break(
        "links in the host's folder are followed",
        "shared/genro_wopi/adapters/storage/beneath.py",
        "_FILE: Final = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK",
        "_FILE: Final = os.O_CLOEXEC | os.O_NONBLOCK",
        {"pytest tests/storage/test_records.py -k link": "failed"},
    ),
    Break(
        "a cursor is what a client says",
        "shared/genro_wopi/domain/cursors.py",
        '        return ring.open(sealed, context=f"cursor/{context}").reveal()\n'
        "    except UnreadableSecretError:\n        _refuse()\n",
        '        return ring.open(sealed, context=f"cursor/{context}").reveal()\n'
        "    except UnreadableSecretError:\n        return cursor\n",
        {
            "pytest tests/flows/test_hostile_storage.py -k cursor": "failed",
            "tests.hostile 3 1 forged-cursors": "a cursor that nobody gave was taken",
        },
    ),
    Break(
        "places may overlap",
        f"{SCRIPTS}/claim_place.lua",
        "    elseif #others < 20 then\n",
        "    elseif false then\n",
        {
            "pytest tests/scripts/test_places.py": "failed",
            "pytest tests/flows/test_hostile_storage.py -k overlap": "failed",
        },
    ),
    Break(
        "records of the tenant before count",
        "shared/genro_wopi/domain/record_owner.py",
        "        return is_namesake and not self.only_own\n",
        "        return is_namesake\n",
        {"pytest tests/storage/test_records.py": "failed"},
    ),
    Break(
        "an odd answer ends whoever asked",
        "shared/genro_wopi/adapters/storage/answers.py",
        "    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):\n"
        '        raise OddAnswerError("The storage names no size for this file.")\n',
        "    if not text.isdigit():\n        return 0\n",
        {"pytest tests/storage/test_odd_answers.py": "failed"},
    ),
    Break(
        "a key may do what it is not for",
        "shared/genro_wopi/domain/callers.py",
        "        if not self.is_admin and not {scope, Scope.ALL} & set(self.scopes):\n",
        "        if False and not {scope, Scope.ALL} & set(self.scopes):\n",
        {"tests.hostile 8 1 forged-cursors": "a key of scope"},
    ),
)
