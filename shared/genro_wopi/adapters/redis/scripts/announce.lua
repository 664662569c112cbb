-- Appends one event of a session that no other script emits.
--
-- KEYS[1] session
-- KEYS[2] file
-- KEYS[3] events
-- ARGV[1] name of the event
-- ARGV[2] id that is announced once
-- ARGV[3]... fields of the event, as name and value in turn
--
-- Returns: 1 where it was appended.
-- Safe to run twice: the session remembers the id.
-- include: moment
-- include: event
local context = redis.call('HGET', KEYS[1], 'context')
if not context or redis.call('HSETNX', KEYS[1], 'announced:' .. ARGV[2], '1') == 0 then return 0 end
emit(KEYS[3], KEYS[2], ARGV[1], context, now_us(), unpack(ARGV, 3))
return 1
