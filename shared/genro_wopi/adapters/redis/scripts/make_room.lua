-- Notes a recovery copy that counts against its session and its tenant, where there is room for it.
--
-- KEYS[1] aside: "ms size sha256 session" by the copy's id
-- ARGV[1] id of the copy
-- ARGV[2] session
-- ARGV[3] size, bytes
-- ARGV[4] sha256
-- ARGV[5] now, ms since 1970
-- ARGV[6] most copies of a session
-- ARGV[7] most bytes of a session; one copy may be larger
-- ARGV[8] most copies of the tenant
-- ARGV[9] most bytes of the tenant
--
-- Of one session the newest copy takes the place of the oldest. A tenant's copies give way to nobody.
--
-- Returns: {'ok', ids of copies that gave way...} | {'same', id of the session's copy of the same bytes}
-- | {'full'}, and nothing was noted.
-- Safe to run twice: the second run finds its own note.
local size, own, own_bytes, count, bytes = tonumber(ARGV[3]), {}, 0, 0, 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local at, length, sha, session = string.match(all[i + 1], '^(%d+) (%d+) (%S+) (%S+)$')
  if session == ARGV[2] and sha == ARGV[4] then return {'same', all[i]} end
  count, bytes = count + 1, bytes + tonumber(length)
  if session == ARGV[2] then
    own[#own + 1] = {tonumber(at), tonumber(length), all[i]}
    own_bytes = own_bytes + tonumber(length)
  end
end
table.sort(own, function(a, b) return a[1] < b[1] end)
local reply, left = {'ok'}, #own
for _, copy in ipairs(own) do
  if left < tonumber(ARGV[6]) and own_bytes + size <= tonumber(ARGV[7]) then break end
  reply[#reply + 1] = copy[3]
  left, own_bytes, count, bytes = left - 1, own_bytes - copy[2], count - 1, bytes - copy[2]
end
if count >= tonumber(ARGV[8]) or bytes + size > tonumber(ARGV[9]) then return {'full'} end
for i = 2, #reply do redis.call('HDEL', KEYS[1], reply[i]) end
redis.call('HSET', KEYS[1], ARGV[1], table.concat({ARGV[5], ARGV[3], ARGV[4], ARGV[2]}, ' '))
return reply
