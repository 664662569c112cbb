-- Notes that a session was told an address at which it reads a version by itself: a presigned one.
--
-- KEYS[1] session
-- KEYS[2] file
-- KEYS[3] lock
-- KEYS[4] events
-- KEYS[5] open
-- ARGV[1] session id
-- ARGV[2] version
-- ARGV[3] editor that reads; '' where it is not known
-- ARGV[4] '1' where what is read may be saved by that editor; '' where it is only shown
-- ARGV[5] how long it is remembered who opened the file, ms
--
-- Emits document_opened the first time.
-- Returns: 1; 0 where the session is gone.
-- Safe to run twice: it notes the same again.
-- include: moment
-- include: event
-- include: opening
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
opens(KEYS[1], ARGV[1], KEYS[2], KEYS[5], KEYS[4], now_us(), ARGV[2], ARGV[5])
reads(KEYS[1], ARGV[1], KEYS[2], KEYS[3], ARGV[2], ARGV[3], ARGV[4])
return 1
