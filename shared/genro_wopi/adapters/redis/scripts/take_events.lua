-- Moves new events from the stream into one lane per file, then claims the heads of lanes that are due.
--
-- KEYS[1] events
-- KEYS[2] due
-- KEYS[3] attempts
-- KEYS[4] unaudited
-- KEYS[5] dead
-- KEYS[6] backlog
-- ARGV[1] prefix of the lanes' keys; they share the hash tag
-- ARGV[2] most events to move
-- ARGV[3] most lanes to claim
-- ARGV[4] how long a claim lasts if its worker dies, ms
-- ARGV[5] tenants that get nothing now, and for how long their lanes are parked, ms; JSON object
-- ARGV[6] most due lanes to look at
-- ARGV[7] tenants of which enough events wait, with the reason; JSON object
--
-- A lane is named tenant/file. Of one tenant one lane is claimed at a time, so that a tenant with many
-- lanes does not fill a worker. The first lanes of tenants that get nothing now are passed over, so that
-- they are there as soon as there is a place; further ones are parked, so that they do not hide others. Of
-- a tenant whose backlog is full the oldest events stay in their lanes and new ones become dead letters.
-- Returns: for each claimed lane its name, the number of the attempt, and the event as JSON.
-- Safe to run twice: moved events are gone from the stream; a claim that is lost lapses.
-- include: moment
local now = math.floor(now_us() / 1000)
local moved, full = {}, cjson.decode(ARGV[7])
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[2])) do
  local fields, file_id, tenant_id = entry[2], '', ''
  for i = 1, #fields, 2 do
    if fields[i] == 'context' then
      local context = cjson.decode(fields[i + 1])
      file_id, tenant_id = context['file_id'] or '', context['tenant_id'] or ''
    end
  end
  table.insert(fields, 1, entry[1])
  local encoded = cjson.encode(fields)
  redis.call('XADD', KEYS[4], '*', 'event', encoded)
  if full[tenant_id] then
    redis.call('XADD', KEYS[5], '*', 'event', encoded, 'reason', full[tenant_id])
  else
    redis.call('RPUSH', ARGV[1] .. file_id, encoded)
    redis.call('HINCRBY', KEYS[6], tenant_id, 1)
    redis.call('ZADD', KEYS[2], 'NX', now, tenant_id .. '/' .. file_id)
  end
  moved[#moved + 1] = entry[1]
end
if #moved > 0 then redis.call('XDEL', KEYS[1], unpack(moved)) end
local parked, taken = cjson.decode(ARGV[5]), {}
local served, passed = {}, 0
for _, lane in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, ARGV[6])) do
  if #taken >= tonumber(ARGV[3]) then break end
  local tenant_id, file_id = string.match(lane, '^(.*)/(.*)$')
  if not tenant_id then tenant_id, file_id = '', lane end
  if parked[tenant_id] then
    passed = passed + 1
    if passed > tonumber(ARGV[6]) / 4 then redis.call('ZADD', KEYS[2], now + parked[tenant_id], lane) end
  elseif not served[tenant_id] then
    local event = redis.call('LINDEX', ARGV[1] .. file_id, 0)
    if event then
      redis.call('ZADD', KEYS[2], now + tonumber(ARGV[4]), lane)
      taken[#taken + 1] = {lane, redis.call('HINCRBY', KEYS[3], lane, 1), event}
      served[tenant_id] = true
    else
      redis.call('ZREM', KEYS[2], lane)
    end
  end
end
return taken
