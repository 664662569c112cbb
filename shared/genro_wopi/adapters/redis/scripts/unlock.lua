-- Releases a lock. What was released is remembered for a minute: the editor's last save may come later.
--
-- KEYS[1] session
-- KEYS[2] file
-- KEYS[3] lock
-- KEYS[4] released
-- KEYS[5] events
-- ARGV[1] file id
-- ARGV[2] lock
-- ARGV[3] how long the release is remembered, ms
-- ARGV[4] request id
-- ARGV[5] grace after the session's end, us
--
-- Emits lock_released.
-- Returns: {'ended'} | {'ok', version} | {'mismatch', lock row}.
-- Safe to run twice: the release is remembered with its request id.
-- include: moment
-- include: event
-- include: session
-- include: records
local now = now_us()
if phase_of(KEYS[1], ARGV[1], now, ARGV[5]) == 'ended' then return {'ended'} end
local lock = lock_row(KEYS[3])
local version = redis.call('HGET', KEYS[2], 'version') or ''
if lock[1] ~= ARGV[2] then
  local last = redis.call('HMGET', KEYS[4], 'lock', 'request')
  if not lock[1] and last[1] == ARGV[2] and last[2] == ARGV[4] then return {'ok', version} end
  return {'mismatch', lock, int(now)}
end
redis.call('DEL', KEYS[3])
redis.call('HSET', KEYS[4], 'lock', ARGV[2], 'epoch', lock[2], 'version', version, 'request', ARGV[4])
redis.call('PEXPIRE', KEYS[4], ARGV[3])
emit(KEYS[5], KEYS[2], 'lock_released', redis.call('HGET', KEYS[1], 'context'), now)
return {'ok', version}
