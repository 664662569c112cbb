-- Gives a lock its full life again.
--
-- KEYS[1] session
-- KEYS[2] file
-- KEYS[3] lock
-- ARGV[1] file id
-- ARGV[2] lock
-- ARGV[3] life of the lock, ms
-- ARGV[4] grace after the session's end, us
-- ARGV[5] how long an ended session is kept, us
--
-- Returns: {'ended'} | {'ok', version} | {'mismatch', lock row}.
-- Safe to run twice: it only moves the expiry.
-- include: moment
-- include: session
-- include: records
local now = now_us()
local phase = phase_of(KEYS[1], ARGV[1], now, ARGV[4])
if phase == 'ended' then return {'ended'} end
if redis.call('HGET', KEYS[3], 'lock') ~= ARGV[2] then
  return {'mismatch', lock_row(KEYS[3]), int(now)}
end
redis.call('PEXPIRE', KEYS[3], ARGV[3])
if phase == 'active' then slide(KEYS[1], now, ARGV[5]) end
return {'ok', redis.call('HGET', KEYS[2], 'version') or ''}
