-- Releases a lock. What was released is remembered for a minute: the editor's last save may come later.
--
-- KEYS[1] session
-- KEYS[2] file
-- KEYS[3] lock
-- KEYS[4] released
-- KEYS[5] events
-- KEYS[6] open
-- ARGV[1] lock
-- ARGV[2] how long the release is remembered, ms
-- ARGV[3] request id
-- ARGV[4] session id
-- ARGV[5] editor that unlocks; '' where it is not known
-- ARGV[6] what the event says where the session is not known any more, JSON
-- ARGV[7] '1' where the lock stays while others have the document
--
-- Who shows the right lock may release it, whatever became of its session: an editor that is refused
-- here shows old content at its next opening.
--
-- Emits lock_released.
-- Returns: {'ok', version} | {'mismatch', lock row, now}; {'kept'} where others have the document.
-- Safe to run twice: the release is remembered with its request id.
-- include: moment
-- include: event
-- include: use
-- include: same_editor
-- include: records
local now = now_us()
local lock = lock_row(KEYS[3])
local version = redis.call('HGET', KEYS[2], 'version') or ''
if lock[1] ~= ARGV[1] or is_apart(lock[9], ARGV[5]) then
  local last = redis.call('HMGET', KEYS[4], 'lock', 'request')
  if not lock[1] and last[1] == ARGV[1] and last[2] == ARGV[3] then return {'ok', version} end
  return {'mismatch', lock, int(now)}
end
if ARGV[7] == '1' and redis.call('HLEN', KEYS[6]) > redis.call('HEXISTS', KEYS[6], ARGV[4]) then return {'kept'} end
redis.call('DEL', KEYS[3])
redis.call('HSET', KEYS[4], 'lock', ARGV[1], 'epoch', lock[2], 'version', version, 'request', ARGV[3],
  'editor', lock[9] or '')
redis.call('PEXPIRE', KEYS[4], ARGV[2])
end_use(KEYS[2])
emit(KEYS[5], KEYS[2], 'lock_released', redis.call('HGET', KEYS[1], 'context') or ARGV[6], now)
return {'ok', version}
