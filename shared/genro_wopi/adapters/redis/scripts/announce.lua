-- Appends one event of a session that no other script emits.
--
-- KEYS[1] session
-- KEYS[2] file
-- KEYS[3] events
-- KEYS[4] intents
-- KEYS[5] told: set while the same may be announced again
-- ARGV[1] name of the event
-- ARGV[2] how long it is remembered that it was announced, s
-- ARGV[3] intent of a save that was refused and so is over; '' for none
-- ARGV[4] what the event says where the session is not known any more, JSON; '' for nothing then
-- ARGV[5]... fields of the event, as name and value in turn
--
-- Returns: 1 where it was appended.
-- Safe to run twice: it is remembered that it was announced.
-- include: moment
-- include: event
redis.call('ZREM', KEYS[4], ARGV[3])
local context = redis.call('HGET', KEYS[1], 'context') or ARGV[4]
if context == '' or not redis.call('SET', KEYS[5], '1', 'NX', 'EX', ARGV[2]) then return 0 end
emit(KEYS[3], KEYS[2], ARGV[1], context, now_us(), unpack(ARGV, 5))
return 1
