-- Gives a session that is active, or expired less than its grace ago, a new life.
--
-- KEYS[1] session
-- ARGV[1] life when unused, us
-- ARGV[2] end in any case, us
-- ARGV[3] grace, us
-- ARGV[4] how long an ended session is kept, us
-- ARGV[5] what the keys of the partition's files begin with; they share the hash tag
-- ARGV[6] what the keys of the partition's locks begin with
--
-- One that expired longer ago is renewed too while the lock of the use that it joined holds its file.
--
-- Returns: {doc, state, expires_us, ends_us, opened, user info, server}; nil where the session has ended.
-- Safe to run twice: it only moves the expiry.
-- include: moment
-- include: session
local now = now_us()
local s = redis.call('HMGET', KEYS[1], 'state', 'fid')
if s[1] ~= 'active' then return false end
local file, lock = ARGV[5] .. s[2], ARGV[6] .. s[2]
if phase_of(KEYS[1], file, lock, s[2], now, ARGV[3]) == 'ended' then return false end
local expires = math.min(now + tonumber(ARGV[1]), tonumber(ARGV[2]))
redis.call('HSET', KEYS[1], 'expires_us', int(expires), 'ttl_us', ARGV[1], 'ends_us', ARGV[2])
redis.call('HDEL', KEYS[1], 'over')
redis.call('PEXPIRE', KEYS[1], math.ceil((tonumber(ARGV[2]) - now + tonumber(ARGV[4])) / 1000))
return redis.call('HMGET', KEYS[1], 'doc', 'state', 'expires_us', 'ends_us', 'opened', 'user_info', 'server')
