-- Settles a file that was looked at: not again until it changes, or after a while.
--
-- KEYS[1] upkeep
-- KEYS[2] file
-- ARGV[1] member that was claimed
-- ARGV[2] version that the file had when it was looked at; '' for none
-- ARGV[3] when to look again, ms from now; 0: when it changes
--
-- Returns: 1.
-- Safe to run twice: a file that was saved meanwhile is looked at again in any case.
-- include: moment
local delay = tonumber(ARGV[3])
if (redis.call('HGET', KEYS[2], 'version') or '') ~= ARGV[2] then delay = 60000 end
if delay == 0 then redis.call('ZREM', KEYS[1], ARGV[1])
else redis.call('ZADD', KEYS[1], math.floor(now_us() / 1000) + delay, ARGV[1]) end
return 1
