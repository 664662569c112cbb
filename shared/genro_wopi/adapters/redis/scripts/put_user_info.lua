-- Keeps what an editor wants to know about the person of a session that is alive.
--
-- KEYS[1] session
-- ARGV[1] the text
--
-- Returns: 1 where it was kept.
-- Safe to run twice: it writes the same again.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'user_info', ARGV[1])
return 1
