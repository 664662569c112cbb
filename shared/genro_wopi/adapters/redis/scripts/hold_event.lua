-- Keeps the claim on the head of a lane while its delivery is still under way.
--
-- KEYS[1] lane
-- KEYS[2] due
-- ARGV[1] name of the lane
-- ARGV[2] the event as it was taken
-- ARGV[3] how long the claim lasts from now, ms
--
-- Returns: 1; 0 where the head is another event by now, and nothing was changed.
-- Safe to run twice: the claim is measured from now each time.
-- include: moment
if redis.call('LINDEX', KEYS[1], 0) ~= ARGV[2] then return 0 end
redis.call('ZADD', KEYS[2], 'XX', math.floor(now_us() / 1000) + tonumber(ARGV[3]), ARGV[1])
return 1
