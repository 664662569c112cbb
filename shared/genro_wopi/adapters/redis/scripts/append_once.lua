-- Appends what an event tells of to a stream, once.
--
-- KEYS[1] stream
-- KEYS[2] noted: set while the event may come a second time
-- KEYS[3] tenant that has the name of the stream now; left out where the stream is named by an id
-- ARGV[1] name of the entry's field
-- ARGV[2] its value, JSON
-- ARGV[3] most entries that are kept, about
-- ARGV[4] how long it is remembered that the event came, s
-- ARGV[5] id of the tenant whose event it is, with KEYS[3]
--
-- Returns: 1; 0 where it was appended before, or the tenant's name is another one's by now.
-- Safe to run twice: the event is noted.
if KEYS[3] then
  local record = redis.call('GET', KEYS[3])
  if not record or cjson.decode(record)['tenant_id'] ~= ARGV[5] then return 0 end
end
if not redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[4]) then return 0 end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', ARGV[1], ARGV[2])
return 1
