-- Locks a file, or refreshes the lock when the same string holds it.
--
-- KEYS[1] session
-- KEYS[2] file
-- KEYS[3] lock
-- KEYS[4] released
-- KEYS[5] events
-- ARGV[1] session id
-- ARGV[2] file id
-- ARGV[3] lock
-- ARGV[4] life of the lock, ms
-- ARGV[5] client's time of sending, ticks; 0 where unknown
-- ARGV[6] name of the holder
-- ARGV[7] '1' with the right to edit; a reader's LOCK succeeds and locks nothing
-- ARGV[8] grace after the session's end, us
-- ARGV[9] how long an ended session is kept, us
--
-- Emits lock_acquired when the file was unlocked. The lease's base is the version that the session
-- read last; else the head, if this session wrote it or it is 5 s older than the session.
--
-- Returns: {'ended'} | {'ok', version} | {'mismatch', lock row}.
-- Safe to run twice: the second run is a refresh.
-- include: moment
-- include: event
-- include: session
-- include: records
local now = now_us()
local phase = phase_of(KEYS[1], ARGV[2], now, ARGV[8])
local file = file_row(KEYS[2])
if phase == 'ended' or not file[1] then return {'ended'} end
if ARGV[7] ~= '1' then return {'ok', file[5] or ''} end
local held = redis.call('HGET', KEYS[3], 'lock')
if held and held ~= ARGV[3] then return {'mismatch', lock_row(KEYS[3]), int(now)} end
if not held then
  if phase == 'grace' then return {'ended'} end
  local s = redis.call('HMGET', KEYS[1], 'read', 'created_us', 'context')
  local base = s[1] or ''
  local older = tonumber(file[6] or '0') < tonumber(s[2]) - 5000000
  if base == '' and (file[10] == ARGV[1] or older) then base = file[5] or '' end
  redis.call('HSET', KEYS[3], 'lock', ARGV[3], 'epoch', next_epoch(KEYS[2], now),
    'session', ARGV[1], 'base', base, 'first_attempt', ARGV[5], 'since_us', int(now), 'holder', ARGV[6])
  redis.call('DEL', KEYS[4])
  emit(KEYS[5], KEYS[2], 'lock_acquired', s[3], now,
    'lock_expires_at_us', int(now + tonumber(ARGV[4]) * 1000))
end
redis.call('PEXPIRE', KEYS[3], ARGV[4])
if phase == 'active' then slide(KEYS[1], now, ARGV[9]) end
return {'ok', file[5] or ''}
