-- Takes a path away from a file that does not lie there any more.
--
-- KEYS[1] path
-- ARGV[1] file id
--
-- Returns: 1 where the path was the file's.
-- Safe to run twice: the second run finds nothing.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
