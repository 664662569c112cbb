-- Registers where a moved file lies now, or that a deleted one is gone.
--
-- KEYS[1] session
-- KEYS[2] file
-- KEYS[3] lock
-- KEYS[4] released
-- KEYS[5] events
-- KEYS[6] upkeep
-- ARGV[1] where it lies now
-- ARGV[2] fingerprint there; '' where it is not known
-- ARGV[3] name of the event; '' for none
-- ARGV[4] '1' where the file's lock ends with it
-- ARGV[5] file id
--
-- Emits document_renamed or document_deleted.
-- Returns: 1; 0 where this move was finished or called off before.
-- Safe to run twice: the note of the move is there only once.
-- include: moment
-- include: event
if redis.call('HGET', KEYS[2], 'move') ~= ARGV[1] then return 0 end
local old = redis.call('HGET', KEYS[2], 'path')
local context = redis.call('HGET', KEYS[1], 'context')
redis.call('HDEL', KEYS[2], 'move', 'move_by', 'move_until')
if ARGV[4] == '1' then
  if ARGV[3] ~= '' and context then emit(KEYS[5], KEYS[2], ARGV[3], context, now_us()) end
  redis.call('DEL', KEYS[3], KEYS[4])
  redis.call('ZADD', KEYS[6], math.floor(now_us() / 1000), ARGV[5])
end
redis.call('HSET', KEYS[2], 'path', ARGV[1])
if ARGV[2] ~= '' and redis.call('HEXISTS', KEYS[2], 'fp') == 1 then
  redis.call('HSET', KEYS[2], 'fp', ARGV[2])
end
if ARGV[4] ~= '1' and ARGV[3] ~= '' and context then
  emit(KEYS[5], KEYS[2], ARGV[3], context, now_us(), 'old_file_path', old)
end
return 1
