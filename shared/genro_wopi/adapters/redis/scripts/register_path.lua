-- Gives a path its file id, once.
--
-- KEYS[1] path
-- ARGV[1] candidate id
--
-- Returns: the id, the candidate or an earlier one.
-- Safe to run twice: the first id stays.
local id = redis.call('GET', KEYS[1])
if id then return id end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
