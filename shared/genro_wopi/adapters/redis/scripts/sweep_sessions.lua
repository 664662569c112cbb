-- Tells of sessions that expired, and of files whose last session is gone.
--
-- KEYS[1] live
-- KEYS[2] events
-- ARGV[1] what the partition's keys begin with; they share the hash tag
-- ARGV[2] most sessions to look at
-- ARGV[3] when to look again at the last session of a file that is still locked, ms from now
-- ARGV[4] when to look again at another one whose file's lock it joined, ms from now
-- ARGV[5] how long an ended session is kept, us
--
-- A member is a session and its file. A session is looked at when it should have ended; one that was
-- used meanwhile, or whose document was, is looked at again when it should end now. The last session of
-- a file that was opened is gone when no lock is left either: its editor may still save. The record of
-- a session that ended is kept as long as the lock that it joined, since its token may still carry text.
-- Emits session_expired and document_closed.
-- Returns: how many sessions were done with.
-- Safe to run twice: what was told is noted; who is gone is not there any more.
-- include: moment
-- include: event
-- include: session
local now = now_us()
local now_ms, done = math.floor(now / 1000), 0
local kept_ms = math.ceil(tonumber(ARGV[5]) / 1000)
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms, 'LIMIT', 0, ARGV[2])) do
  local session_id, file_id = string.match(member, '^(%S+) (%S+)$')
  local session, file = ARGV[1] .. 'session:' .. session_id, ARGV[1] .. 'file:' .. file_id
  local open = ARGV[1] .. 'open:' .. file_id
  local s = redis.call('HMGET', session, 'state', 'joined', 'context', 'told')
  local expires = lives_until(session, file)
  if s[1] == 'active' and expires > now then
    redis.call('ZADD', KEYS[1], math.ceil(expires / 1000), member)
  else
    if s[1] == 'active' then redis.call('HSET', session, 'told', '1', 'over', '1') end
    if s[1] == 'active' and not s[4] then emit(KEYS[2], file, 'session_expired', s[3], now) end
    local is_locked = redis.call('EXISTS', ARGV[1] .. 'lock:' .. file_id) == 1
    local context = redis.call('HGET', open, session_id)
    local is_last = context and redis.call('HLEN', open) == 1
    local has_joined = is_locked and s[2] and s[2] == (redis.call('HGET', file, 'use') or '0')
    if not (is_last and is_locked) then redis.call('HDEL', open, session_id) end
    if is_last and not is_locked then emit(KEYS[2], file, 'document_closed', context, now) end
    if s[1] then redis.call('PEXPIRE', session, kept_ms) end
    if is_last and is_locked then redis.call('ZADD', KEYS[1], now_ms + tonumber(ARGV[3]), member)
    elseif has_joined and s[1] ~= 'revoked' then redis.call('ZADD', KEYS[1], now_ms + tonumber(ARGV[4]), member)
    else
      redis.call('ZREM', KEYS[1], member)
      done = done + 1
    end
  end
end
return done
