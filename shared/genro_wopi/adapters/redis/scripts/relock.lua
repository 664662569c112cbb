-- Replaces one lock by another, never leaving the file unlocked; the lease stays the same.
--
-- KEYS[1] session
-- KEYS[2] file
-- KEYS[3] lock
-- KEYS[4] open
-- ARGV[1] file id
-- ARGV[2] new lock
-- ARGV[3] lock that must hold the file
-- ARGV[4] life of the lock, ms
-- ARGV[5] request id
-- ARGV[6] grace after the session's end, us
-- ARGV[7] how long an ended session is kept, us
-- ARGV[8] session id
-- ARGV[9] editor that asks; '' where it is not known
--
-- Returns: {'ended'} | {'ok', version} | {'mismatch', lock row}.
-- Safe to run twice: the swap is remembered with its request id.
-- include: moment
-- include: session
-- include: same_editor
-- include: refresh
-- include: records
local now = now_us()
local phase = phase_of(KEYS[1], KEYS[2], KEYS[3], ARGV[1], now, ARGV[6])
local lock = lock_row(KEYS[3])
local again = lock[1] == ARGV[2] and redis.call('HGET', KEYS[3], 'swap') == ARGV[5]
local is_held = (lock[1] == ARGV[3] or again) and not is_apart(lock[9], ARGV[9])
if not may_refresh(KEYS[1], ARGV[8], KEYS[4], phase, is_held) and phase ~= 'grace' then return {'ended'} end
if not is_held then return {'mismatch', lock, int(now)} end
redis.call('HSET', KEYS[3], 'lock', ARGV[2], 'swap', ARGV[5])
redis.call('HSET', KEYS[2], 'use_lock', ARGV[2])
redis.call('PEXPIRE', KEYS[3], ARGV[4])
if phase == 'active' then lives_on(KEYS[1], KEYS[2], KEYS[3], now, ARGV[7])
else touch(KEYS[2], now) end
return {'ok', redis.call('HGET', KEYS[2], 'version') or ''}
