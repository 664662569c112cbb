-- Moves new events from the stream into one lane per file, then claims the heads of lanes that are due.
--
-- KEYS[1] events
-- KEYS[2] due
-- KEYS[3] attempts
-- ARGV[1] prefix of the lanes' keys; they share the hash tag
-- ARGV[2] most events to move
-- ARGV[3] most lanes to claim
-- ARGV[4] how long a claim lasts if its worker dies, ms
--
-- Returns: for each claimed lane its file id, the number of the attempt, and the event as JSON.
-- Safe to run twice: moved events are gone from the stream; a claim that is lost lapses.
-- include: moment
local now = math.floor(now_us() / 1000)
local moved = {}
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[2])) do
  local fields, file_id = entry[2], ''
  for i = 1, #fields, 2 do
    if fields[i] == 'context' then file_id = cjson.decode(fields[i + 1])['file_id'] or '' end
  end
  table.insert(fields, 1, entry[1])
  redis.call('RPUSH', ARGV[1] .. file_id, cjson.encode(fields))
  redis.call('ZADD', KEYS[2], 'NX', now, file_id)
  moved[#moved + 1] = entry[1]
end
if #moved > 0 then redis.call('XDEL', KEYS[1], unpack(moved)) end
local taken = {}
for _, file_id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, ARGV[3])) do
  local event = redis.call('LINDEX', ARGV[1] .. file_id, 0)
  if event then
    redis.call('ZADD', KEYS[2], now + tonumber(ARGV[4]), file_id)
    taken[#taken + 1] = {file_id, redis.call('HINCRBY', KEYS[3], file_id, 1), event}
  else
    redis.call('ZREM', KEYS[2], file_id)
  end
end
return taken
