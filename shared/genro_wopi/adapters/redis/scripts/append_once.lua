-- Appends what an event tells of to a stream, once.
--
-- KEYS[1] stream
-- KEYS[2] noted: set while the event may come a second time
-- ARGV[1] name of the entry's field
-- ARGV[2] its value, JSON
-- ARGV[3] most entries that are kept, about
-- ARGV[4] how long it is remembered that the event came, s
--
-- Returns: 1; 0 where it was appended before.
-- Safe to run twice: the event is noted.
if not redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[4]) then return 0 end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', ARGV[1], ARGV[2])
return 1
