-- Notes to which server of its editor a session was given when its page was opened.
--
-- KEYS[1] session
-- ARGV[1] the server, as its token names it
--
-- Returns: 1; 0 where the session is gone.
-- Safe to run twice: it writes the same again.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'server', ARGV[1])
return 1
