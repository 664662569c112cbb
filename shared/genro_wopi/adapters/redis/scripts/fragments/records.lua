-- Fragment: a lock with what is left of its life, and a file's record, as the stores decode them.
local function lock_row(lock)
  local row = redis.call('HMGET', lock, 'lock', 'epoch', 'session', 'base', 'first_attempt',
    'since_us', 'holder')
  row[8] = row[1] and redis.call('PTTL', lock) or 0
  row[9] = redis.call('HGET', lock, 'editor')
  return row
end
-- The epoch of the next lease: above every earlier one, even where a failover took the file's record
-- back to an older state.
local function next_epoch(file, now)
  local last = tonumber(redis.call('HGET', file, 'epoch') or '0')
  local epoch = int(math.max(last + 1, math.floor(now / 1000)))
  redis.call('HSET', file, 'epoch', epoch)
  return epoch
end
local function file_row(file)
  return redis.call('HMGET', file, 'tenant', 'storage', 'path', 'fp', 'version', 'lm', 'size', 'seq',
    'sha', 'session', 'wepoch', 'attempt', 'save_id', 'move', 'move_by')
end
