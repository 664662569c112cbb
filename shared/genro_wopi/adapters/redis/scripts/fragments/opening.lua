-- Fragment: what it means that a session's editor has the document, and that bytes of it were read.
local function opens(session, session_id, file, open, events, now, version, keep_ms)
  local s = redis.call('HMGET', session, 'opened', 'context')
  if s[1] == '1' or not s[2] then return end
  redis.call('HSET', session, 'opened', '1')
  redis.call('HSET', open, session_id, s[2])
  redis.call('PEXPIRE', open, keep_ms)
  emit(events, file, 'document_opened', s[2], now, 'version', version)
end
-- What an editor reads only to show it (`loads` is not '1') makes no document that it saves.
local function reads(session, session_id, file, lock, version, editor, loads)
  redis.call('HSET', session, 'read', version)
  if loads == '1' then
    redis.call('HSET', file, 'seen:' .. editor, version, 'loaded:' .. editor, int(now_us()))
    if redis.call('EXISTS', lock) == 1 then redis.call('HSET', lock, 'read_us', int(now_us())) end
  end
  if redis.call('HGET', lock, 'session') == session_id then redis.call('HSET', lock, 'base', version) end
end
