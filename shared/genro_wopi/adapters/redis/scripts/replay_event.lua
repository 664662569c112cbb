-- Puts an event that was given up, or delivered, back at the end of its file's lane.
--
-- KEYS[1] dead or done
-- KEYS[2] due
-- KEYS[3] lane
-- KEYS[4] backlog
-- ARGV[1] id of the entry
-- ARGV[2] name of the lane
-- ARGV[3] '1' where the entry is taken out (dead letters); a delivered event stays remembered
--
-- Returns: 1; 0 where the entry is not there any more.
-- Safe to run twice: a dead letter is taken out once; an event delivered again has the same id.
-- include: moment
local entry = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not entry then return 0 end
if ARGV[3] == '1' then redis.call('XDEL', KEYS[1], ARGV[1]) end
redis.call('RPUSH', KEYS[3], entry[2][2])
redis.call('HINCRBY', KEYS[4], string.match(ARGV[2], '^(.*)/'), 1)
redis.call('ZADD', KEYS[2], 'NX', math.floor(now_us() / 1000), ARGV[2])
return 1
