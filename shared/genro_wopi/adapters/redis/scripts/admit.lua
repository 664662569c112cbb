-- Lets a request of a session in and returns everything that it needs of Redis.
--
-- KEYS[1] session
-- KEYS[2] file
-- KEYS[3] lock
-- KEYS[4] events
-- KEYS[5] open
-- ARGV[1] session id
-- ARGV[2] file id that the request names
-- ARGV[3] purpose: check | read | save | lock_state
-- ARGV[4] grace after the session's end, us
-- ARGV[5] how long an ended session is kept, us
-- ARGV[6] how long it is remembered who opened the file, ms
--
-- A session in its grace may save; it may also look at the file while a lock still protects what its
-- editor holds. Reading opens: the first one emits document_opened, and the version that is read is
-- noted for the session and for the lease that it holds.
--
-- Returns: {'ended'}, or {'ok', session row, file row, lock row}.
-- Safe to run twice: a second run changes nothing but the session's expiry.
-- include: moment
-- include: event
-- include: session
-- include: records
local now = now_us()
local phase = phase_of(KEYS[1], ARGV[2], now, ARGV[4])
local lock = lock_row(KEYS[3])
local file = file_row(KEYS[2])
if phase == 'ended' or not file[1] then return {'ended'} end
local s = redis.call('HMGET', KEYS[1], 'doc', 'state', 'expires_us', 'ends_us', 'opened', 'user_info', 'edit', 'context')
if phase == 'grace' and ARGV[3] ~= 'save' then
  if ARGV[3] == 'read' or s[5] ~= '1' or s[7] ~= '1' or not lock[1] then return {'ended'} end
end
if phase == 'active' then slide(KEYS[1], now, ARGV[5]) end
if ARGV[3] == 'read' then
  if s[5] ~= '1' then
    redis.call('HSET', KEYS[1], 'opened', '1')
    redis.call('HSET', KEYS[5], ARGV[1], s[8])
    redis.call('PEXPIRE', KEYS[5], ARGV[6])
    emit(KEYS[4], KEYS[2], 'document_opened', s[8], now, 'version', file[5] or '')
  end
  if file[5] then
    redis.call('HSET', KEYS[1], 'read', file[5])
    if lock[3] == ARGV[1] then redis.call('HSET', KEYS[3], 'base', file[5]) end
  end
end
return {'ok', s, file, lock, int(now)}
