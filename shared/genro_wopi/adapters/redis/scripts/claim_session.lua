-- Notes a session among those of its tenant, where the tenant has room for one more.
--
-- KEYS[1] sessions of the tenant, by when they were created
-- ARGV[1] session id
-- ARGV[2] created, ms since 1970
-- ARGV[3] most sessions of a tenant; 0: any
-- ARGV[4] how long the index is kept after the last one, s
--
-- Returns: 1; 0 where there is no room, and nothing was noted.
-- Safe to run twice: the second run finds its own note.
local most = tonumber(ARGV[3])
local is_known = redis.call('ZSCORE', KEYS[1], ARGV[1])
if most > 0 and not is_known and redis.call('ZCARD', KEYS[1]) >= most then return 0 end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
