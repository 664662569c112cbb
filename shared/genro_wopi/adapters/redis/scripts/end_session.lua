-- Ends a session: 'draining' (close; saves are still accepted for a grace) or 'revoked' (at once).
--
-- KEYS[1] session
-- KEYS[2] file
-- KEYS[3] events
-- KEYS[4] live
-- ARGV[1] draining | revoked
-- ARGV[2] how long an ended session is kept, us
-- ARGV[3] session id
--
-- Emits session_closed when an active session ends.
-- Returns: {doc, state, expires_us, ends_us, opened, user info, server}; nil where there is no such session.
-- Safe to run twice: an ended session changes only from draining to revoked.
-- include: moment
-- include: event
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return false end
local now = now_us()
if state == 'active' then
  redis.call('HSET', KEYS[1], 'state', ARGV[1], 'expires_us', int(now))
  redis.call('PEXPIRE', KEYS[1], math.ceil(tonumber(ARGV[2]) / 1000))
  redis.call('ZADD', KEYS[4], math.floor(now / 1000), ARGV[3] .. ' ' .. redis.call('HGET', KEYS[1], 'fid'))
  emit(KEYS[3], KEYS[2], 'session_closed', redis.call('HGET', KEYS[1], 'context'), now, 'state', ARGV[1])
elseif state == 'draining' and ARGV[1] == 'revoked' then
  redis.call('HSET', KEYS[1], 'state', 'revoked')
end
return redis.call('HMGET', KEYS[1], 'doc', 'state', 'expires_us', 'ends_us', 'opened', 'user_info', 'server')
