-- Appends one event of a session that no other script emits.
--
-- KEYS[1] session
-- KEYS[2] file
-- KEYS[3] events
-- KEYS[4] intents
-- ARGV[1] name of the event
-- ARGV[2] id that is announced once
-- ARGV[3] intent of a save that was refused and so is over; '' for none
-- ARGV[4]... fields of the event, as name and value in turn
--
-- Returns: 1 where it was appended.
-- Safe to run twice: the session remembers the id.
-- include: moment
-- include: event
redis.call('ZREM', KEYS[4], ARGV[3])
local context = redis.call('HGET', KEYS[1], 'context')
if not context or redis.call('HSETNX', KEYS[1], 'announced:' .. ARGV[2], '1') == 0 then return 0 end
emit(KEYS[3], KEYS[2], ARGV[1], context, now_us(), unpack(ARGV, 4))
return 1
