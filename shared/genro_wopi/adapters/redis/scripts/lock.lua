-- Locks a file, or refreshes the lock when the same string of the same editor holds it.
--
-- KEYS[1] session
-- KEYS[2] file
-- KEYS[3] lock
-- KEYS[4] released
-- KEYS[5] events
-- KEYS[6] open
-- ARGV[1] session id
-- ARGV[2] file id
-- ARGV[3] lock
-- ARGV[4] life of the lock, ms
-- ARGV[5] client's time of sending, ticks; 0 where unknown
-- ARGV[6] name of the holder
-- ARGV[7] '1' with the right to edit; a reader's LOCK succeeds and locks nothing
-- ARGV[8] grace after the session's end, us
-- ARGV[9] how long an ended session is kept, us
-- ARGV[10] editor that locks; '' where it is not known
-- ARGV[11] how long it is remembered who opened the file, ms
--
-- Emits lock_acquired when the file was unlocked, and document_opened for a session whose editor has the
-- document now. The lease's base is the version that the session read last; else the head, if this session
-- wrote it or it is 5 s older than the session. A session that has ended refreshes as refresh_lock.lua has
-- it; it takes no lock.
--
-- Returns: {'ended'} | {'ok', version} | {'mismatch', lock row}.
-- Safe to run twice: the second run is a refresh.
-- include: moment
-- include: event
-- include: session
-- include: use
-- include: opening
-- include: same_editor
-- include: refresh
-- include: records
local now = now_us()
local phase = phase_of(KEYS[1], KEYS[2], KEYS[3], ARGV[2], now, ARGV[8])
local file, lock = file_row(KEYS[2]), lock_row(KEYS[3])
if ARGV[7] ~= '1' then
  if phase == 'ended' or not file[1] then return {'ended'} end
  return {'ok', file[5] or ''}
end
local is_other = lock[1] and (lock[1] ~= ARGV[3] or is_apart(lock[9], ARGV[10]))
local may = may_refresh(KEYS[1], ARGV[1], KEYS[6], phase, lock[1] and not is_other)
if not file[1] or not (may or (phase == 'grace' and is_other)) then return {'ended'} end
if is_other then return {'mismatch', lock, int(now)} end
if not lock[1] then
  local s = redis.call('HMGET', KEYS[1], 'read', 'created_us', 'context')
  local base = s[1] or ''
  local older = tonumber(file[6] or '0') < tonumber(s[2]) - 5000000
  if base == '' and (file[10] == ARGV[1] or older) then base = file[5] or '' end
  redis.call('HSET', KEYS[3], 'lock', ARGV[3], 'epoch', next_epoch(KEYS[2], now), 'session', ARGV[1],
    'base', base, 'first_attempt', ARGV[5], 'since_us', int(now), 'holder', ARGV[6], 'editor', ARGV[10],
    'read_us', redis.call('HGET', KEYS[2], 'loaded:' .. ARGV[10]) or '0')
  redis.call('DEL', KEYS[4])
  begin_use(KEYS[2], ARGV[3], ARGV[4], now)
  emit(KEYS[5], KEYS[2], 'lock_acquired', s[3], now,
    'lock_expires_at_us', int(now + tonumber(ARGV[4]) * 1000))
end
redis.call('PEXPIRE', KEYS[3], ARGV[4])
if phase == 'active' then
  lives_on(KEYS[1], KEYS[2], KEYS[3], now, ARGV[9])
  opens(KEYS[1], ARGV[1], KEYS[2], KEYS[6], KEYS[5], now, file[5] or '', ARGV[11])
else touch(KEYS[2], now) end
return {'ok', file[5] or ''}
