-- Gives a session that is active, or expired less than its grace ago, a new life.
--
-- KEYS[1] session
-- ARGV[1] life when unused, us
-- ARGV[2] end in any case, us
-- ARGV[3] grace, us
-- ARGV[4] how long an ended session is kept, us
--
-- Returns: {doc, state, expires_us, ends_us, opened}; nil where the session has ended.
-- Safe to run twice: it only moves the expiry.
-- include: moment
local now = now_us()
local s = redis.call('HMGET', KEYS[1], 'state', 'expires_us')
if s[1] ~= 'active' or tonumber(s[2]) + tonumber(ARGV[3]) <= now then return false end
local expires = math.min(now + tonumber(ARGV[1]), tonumber(ARGV[2]))
redis.call('HSET', KEYS[1], 'expires_us', int(expires), 'ttl_us', ARGV[1], 'ends_us', ARGV[2])
redis.call('PEXPIRE', KEYS[1], math.ceil((expires - now + tonumber(ARGV[4])) / 1000))
return redis.call('HMGET', KEYS[1], 'doc', 'state', 'expires_us', 'ends_us', 'opened')
