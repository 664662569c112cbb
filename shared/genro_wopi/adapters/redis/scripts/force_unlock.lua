-- Ends a lock by order of an operator. The epoch rises, so that what its editor saves is judged anew.
--
-- KEYS[1] session that holds the lock
-- KEYS[2] file
-- KEYS[3] lock
-- KEYS[4] released
-- KEYS[5] events
-- ARGV[1] epoch of the lock that is meant
-- ARGV[2] why
--
-- Emits lock_released.
-- Returns: 1; 0 where another lock, or none, holds the file.
-- Safe to run twice: the second run finds no such epoch.
-- include: moment
-- include: event
-- include: use
if redis.call('HGET', KEYS[3], 'epoch') ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[3], KEYS[4])
end_use(KEYS[2])
redis.call('HINCRBY', KEYS[2], 'epoch', 1)
local context = redis.call('HGET', KEYS[1], 'context')
if context then
  emit(KEYS[5], KEYS[2], 'lock_released', context, now_us(), 'forced', 'true', 'reason', ARGV[2])
end
return 1
