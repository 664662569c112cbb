-- Gives a lock its full life again.
--
-- KEYS[1] session
-- KEYS[2] file
-- KEYS[3] lock
-- KEYS[4] open
-- ARGV[1] file id
-- ARGV[2] lock
-- ARGV[3] life of the lock, ms
-- ARGV[4] grace after the session's end, us
-- ARGV[5] how long an ended session is kept, us
-- ARGV[6] session id
-- ARGV[7] editor that refreshes; '' where it is not known
--
-- A session that has expired keeps its lock; one that was closed or revoked keeps it for others who have
-- the document.
--
-- Returns: {'ended'} | {'ok', version} | {'mismatch', lock row}.
-- Safe to run twice: it only moves the expiry.
-- include: moment
-- include: session
-- include: same_editor
-- include: refresh
-- include: records
local now = now_us()
local phase = phase_of(KEYS[1], KEYS[2], KEYS[3], ARGV[1], now, ARGV[4])
local lock = lock_row(KEYS[3])
local is_held = lock[1] == ARGV[2] and not is_apart(lock[9], ARGV[7])
if not may_refresh(KEYS[1], ARGV[6], KEYS[4], phase, is_held) and phase ~= 'grace' then return {'ended'} end
if not is_held then return {'mismatch', lock, int(now)} end
redis.call('PEXPIRE', KEYS[3], ARGV[3])
if phase == 'active' then lives_on(KEYS[1], KEYS[2], KEYS[3], now, ARGV[5])
else touch(KEYS[2], now) end
return {'ok', redis.call('HGET', KEYS[2], 'version') or ''}
