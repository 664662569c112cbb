-- Gives a lease back, if it still is the holder's.
--
-- KEYS[1] lease
-- ARGV[1] the holder's token
--
-- Returns: 1; 0 where the lease had ended, and perhaps is another's by now.
-- Safe to run twice: the second run finds nothing.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
