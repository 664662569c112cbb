-- Reads a session with where it is in its life.
--
-- KEYS[1] session
-- ARGV[1] what the keys of the partition's files begin with; they share the hash tag
--
-- Returns: {doc, state, expires_us, ends_us, opened, user info, server}; nil where there is no such session.
-- Safe to run twice: it changes nothing.
-- include: moment
-- include: session
local s = redis.call('HMGET', KEYS[1], 'doc', 'state', 'expires_us', 'ends_us', 'opened', 'user_info', 'server', 'fid')
if not s[1] then return false end
s[3] = int(lives_until(KEYS[1], ARGV[1] .. s[8]))
s[8] = nil
return s
