-- Replaces one lock by another, never leaving the file unlocked; the lease stays the same.
--
-- KEYS[1] session
-- KEYS[2] file
-- KEYS[3] lock
-- ARGV[1] file id
-- ARGV[2] new lock
-- ARGV[3] lock that must hold the file
-- ARGV[4] life of the lock, ms
-- ARGV[5] request id
-- ARGV[6] grace after the session's end, us
--
-- Returns: {'ended'} | {'ok', version} | {'mismatch', lock row}.
-- Safe to run twice: the swap is remembered with its request id.
-- include: moment
-- include: session
-- include: records
local now = now_us()
if phase_of(KEYS[1], ARGV[1], now, ARGV[6]) == 'ended' then return {'ended'} end
local held = redis.call('HMGET', KEYS[3], 'lock', 'swap')
local again = held[1] == ARGV[2] and held[2] == ARGV[5]
if held[1] ~= ARGV[3] and not again then return {'mismatch', lock_row(KEYS[3]), int(now)} end
redis.call('HSET', KEYS[3], 'lock', ARGV[2], 'swap', ARGV[5])
redis.call('PEXPIRE', KEYS[3], ARGV[4])
return {'ok', redis.call('HGET', KEYS[2], 'version') or ''}
