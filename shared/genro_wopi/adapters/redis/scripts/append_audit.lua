-- Keeps an audit record that an event told of, once.
--
-- KEYS[1] audit
-- KEYS[2] noted: set while the event may come a second time
-- ARGV[1] the record, JSON
-- ARGV[2] most records that are kept, about
-- ARGV[3] how long it is remembered that the event came, s
--
-- Returns: 1; 0 where it was kept before.
-- Safe to run twice: the event is noted.
if not redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[3]) then return 0 end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'record', ARGV[1])
return 1
