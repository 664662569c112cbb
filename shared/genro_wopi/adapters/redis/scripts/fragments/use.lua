-- Fragment: the beginning and the end of a file's use; see session.lua.
--
-- A lock that is taken again by the same string while it was in use (it lapsed, a failover forgot it)
-- goes on with the use that it protected.
local function begin_use(file, lock_id, life_ms, now)
  local f = redis.call('HMGET', file, 'use_lock', 'used_us')
  local goes_on = f[1] == lock_id and f[2] and tonumber(f[2]) + tonumber(life_ms) * 1000 > now
  local at = string.format('%.0f', now)
  redis.call('HSET', file, 'use_lock', lock_id, 'used_us', at)
  if not goes_on then redis.call('HSET', file, 'since_us', at) end
end
local function end_use(file)
  local used = redis.call('HGET', file, 'used_us')
  redis.call('HINCRBY', file, 'use', 1)
  redis.call('HDEL', file, 'used_us', 'since_us', 'least_us', 'use_lock')
  if used then redis.call('HSET', file, 'before_us', used) end
end
