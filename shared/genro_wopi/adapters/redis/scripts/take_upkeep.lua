-- Claims files whose kept bytes are to be looked at.
--
-- KEYS[1] upkeep
-- ARGV[1] most files to claim
-- ARGV[2] how long a claim lasts if its worker dies, ms
--
-- Returns: the members that were claimed.
-- Safe to run twice: a claim that is lost lapses.
-- include: moment
local now = math.floor(now_us() / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
for _, member in ipairs(due) do redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), member) end
return due
