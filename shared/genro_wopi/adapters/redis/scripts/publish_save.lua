-- Publishes a committed save: registers the head, moves the lease's base, announces. The session
-- remembers when its newest save was sent, so that an older one that arrives late is known as such.
--
-- KEYS[1] session; one of another file has no part in it
-- KEYS[2] file
-- KEYS[3] lock
-- KEYS[4] events
-- KEYS[5] intents
-- KEYS[6] upkeep
-- ARGV[1] save id
-- ARGV[2] file id
-- ARGV[3] epoch that the save was committed under; 0 for none
-- ARGV[4] fingerprint
-- ARGV[5] version
-- ARGV[6] last modified, us
-- ARGV[7] size, bytes
-- ARGV[8] sequence
-- ARGV[9] sha256
-- ARGV[10] session that wrote it; '' for the management API
-- ARGV[11] attempt, ticks
-- ARGV[12] '1' where document_saved is to be announced
-- ARGV[13] intents older than this are dropped, ms since 1970
-- ARGV[14] how the file is entered for upkeep
-- ARGV[15] editor that saved; '' where it is not known
-- ARGV[16] '1' where the file had no bytes before
-- ARGV[17] when the bytes came, us, where they waited; else 0: the base stays where the lease has seen
--         the document loaded since
-- ARGV[18]... fields of the event, as name and value in turn
--
-- Emits document_saved.
-- Returns: 'ok'.
-- Safe to run twice: whoever removes the intent announces; the head only moves forward.
-- include: moment
-- include: event
-- include: ticks
local first = redis.call('ZREM', KEYS[5], ARGV[1] .. ' ' .. ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', ARGV[13])
if tonumber(ARGV[8]) > tonumber(redis.call('HGET', KEYS[2], 'seq') or '0') then
  redis.call('HSET', KEYS[2], 'fp', ARGV[4], 'version', ARGV[5], 'lm', ARGV[6], 'size', ARGV[7],
    'seq', ARGV[8], 'sha', ARGV[9], 'session', ARGV[10], 'wepoch', ARGV[3], 'attempt', ARGV[11],
    'save_id', ARGV[1])
end
local is_head = redis.call('HGET', KEYS[2], 'version') == ARGV[5]
if is_head and ARGV[10] ~= '' then redis.call('HSET', KEYS[2], 'seen:' .. ARGV[15], ARGV[5]) end
if is_head and ARGV[16] == '1' then redis.call('HSET', KEYS[2], 'filled_sha', ARGV[9]) end
if is_head and ARGV[3] ~= '0' and redis.call('HGET', KEYS[3], 'epoch') == ARGV[3] then
  local loaded = tonumber(redis.call('HGET', KEYS[3], 'read_us') or '0')
  if ARGV[17] == '0' or loaded < tonumber(ARGV[17]) then redis.call('HSET', KEYS[3], 'base', ARGV[5]) end
end
local session = redis.call('HMGET', KEYS[1], 'context', 'attempt', 'fid')
if session[3] ~= ARGV[2] then session = {} end
if session[1] and is_later(ARGV[11], session[2] or '0') then
  redis.call('HSET', KEYS[1], 'attempt', ARGV[11])
end
if first == 1 and ARGV[12] == '1' and session[1] then
  emit(KEYS[4], KEYS[2], 'document_saved', session[1], now_us(), unpack(ARGV, 18))
end
redis.call('ZADD', KEYS[6], 'NX', math.floor(now_us() / 1000) + 60000, ARGV[14])
return 'ok'
