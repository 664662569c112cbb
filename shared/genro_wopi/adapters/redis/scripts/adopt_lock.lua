-- Takes a lease again that was lost (a failover, an expiry), for a save with evidence that it had it.
--
-- KEYS[1] session
-- KEYS[2] file
-- KEYS[3] lock
-- KEYS[4] events
-- ARGV[1] session id
-- ARGV[2] lock
-- ARGV[3] version that the save was made from
-- ARGV[4] life of the lock, ms
-- ARGV[5] name of the holder
-- ARGV[6] editor that it belongs to; '' where it is not known
--
-- Emits lock_acquired.
-- Returns: {'other'} where another lock holds the file; else {'held', lock row, now}.
-- Safe to run twice: the second run finds its own lock.
-- include: moment
-- include: event
-- include: use
-- include: records
local now = now_us()
local held = redis.call('HGET', KEYS[3], 'lock')
if held and held ~= ARGV[2] then return {'other'} end
if not held then
  redis.call('HSET', KEYS[3], 'lock', ARGV[2], 'epoch', next_epoch(KEYS[2], now),
    'session', ARGV[1], 'base', ARGV[3], 'first_attempt', '0', 'since_us', int(now), 'holder', ARGV[5], 'editor', ARGV[6])
  begin_use(KEYS[2], ARGV[2], ARGV[4], now)
  redis.call('PEXPIRE', KEYS[3], ARGV[4])
  emit(KEYS[4], KEYS[2], 'lock_acquired', redis.call('HGET', KEYS[1], 'context') or '{}', now,
    'lock_expires_at_us', int(now + tonumber(ARGV[4]) * 1000))
end
return {'held', lock_row(KEYS[3]), int(now)}
