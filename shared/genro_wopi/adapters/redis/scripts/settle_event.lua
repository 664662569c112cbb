-- Settles the head of a lane after a delivery: done, to be tried again, or given up.
--
-- KEYS[1] lane
-- KEYS[2] due
-- KEYS[3] attempts
-- KEYS[4] dead
-- KEYS[5] done
-- KEYS[6] backlog
-- ARGV[1] name of the lane
-- ARGV[2] the event as it was taken
-- ARGV[3] done | retry | park | dead; parked, it was not tried
-- ARGV[4] delay before the next attempt, ms
-- ARGV[5] why it was given up
-- ARGV[6] how many delivered events are remembered
--
-- Returns: 1; 0 where the head is another event by now, and nothing was changed.
-- Safe to run twice: the event is the head only once.
-- include: moment
if redis.call('LINDEX', KEYS[1], 0) ~= ARGV[2] then return 0 end
local now = math.floor(now_us() / 1000)
if ARGV[3] == 'park' then redis.call('HINCRBY', KEYS[3], ARGV[1], -1) end
if ARGV[3] == 'retry' or ARGV[3] == 'park' then
  redis.call('ZADD', KEYS[2], now + tonumber(ARGV[4]), ARGV[1])
  return 1
end
if ARGV[3] == 'dead' then redis.call('XADD', KEYS[4], '*', 'event', ARGV[2], 'reason', ARGV[5]) end
if ARGV[3] == 'done' then
  redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[6], '*', 'event', ARGV[2], 'reason', '')
end
redis.call('LPOP', KEYS[1])
local tenant_id = string.match(ARGV[1], '^(.*)/')
if redis.call('HINCRBY', KEYS[6], tenant_id, -1) <= 0 then redis.call('HDEL', KEYS[6], tenant_id) end
redis.call('HDEL', KEYS[3], ARGV[1])
if redis.call('LLEN', KEYS[1]) > 0 then redis.call('ZADD', KEYS[2], now, ARGV[1])
else redis.call('ZREM', KEYS[2], ARGV[1]) end
return 1
