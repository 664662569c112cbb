-- Registers a session on a registered file.
--
-- KEYS[1] session
-- KEYS[2] file
-- KEYS[3] events
-- KEYS[4] live
-- ARGV[1] file id
-- ARGV[2] what was decided, JSON
-- ARGV[3] what its events say, JSON
-- ARGV[4] '1' with the right to edit
-- ARGV[5] created, us
-- ARGV[6] life when unused, us
-- ARGV[7] end in any case, us
-- ARGV[8] how long an ended session is kept, us
-- ARGV[9] what editors keep about the person; '' for nothing
-- ARGV[10] session id
-- ARGV[11] editor's server that the session was given to; '' where there is none
--
-- Emits session_created.
-- Returns: {doc, state, expires_us, ends_us, opened, user info, server}.
-- Safe to run twice: the second run finds the session.
-- include: moment
-- include: event
local now = now_us()
if redis.call('EXISTS', KEYS[1]) == 0 then
  local expires = math.min(now + tonumber(ARGV[6]), tonumber(ARGV[7]))
  redis.call('HSET', KEYS[1], 'fid', ARGV[1], 'doc', ARGV[2], 'context', ARGV[3], 'edit', ARGV[4],
    'created_us', ARGV[5], 'ttl_us', ARGV[6], 'ends_us', ARGV[7], 'state', 'active',
    'expires_us', int(expires), 'server', ARGV[11])
  if ARGV[9] ~= '' then redis.call('HSET', KEYS[1], 'user_info', ARGV[9]) end
  redis.call('PEXPIRE', KEYS[1], math.ceil((tonumber(ARGV[7]) - now + tonumber(ARGV[8])) / 1000))
  redis.call('ZADD', KEYS[4], math.ceil(expires / 1000), ARGV[10] .. ' ' .. ARGV[1])
  emit(KEYS[3], KEYS[2], 'session_created', ARGV[3], now)
end
return redis.call('HMGET', KEYS[1], 'doc', 'state', 'expires_us', 'ends_us', 'opened', 'user_info', 'server')
