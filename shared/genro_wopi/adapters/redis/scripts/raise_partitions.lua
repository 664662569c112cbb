-- Notes that partitions are used up to a number; the number never falls.
--
-- KEYS[1] partitions
-- ARGV[1] how many
--
-- Returns: how many are in use now.
-- Safe to run twice: the higher number stays.
local known = tonumber(redis.call('GET', KEYS[1]) or '0')
if tonumber(ARGV[1]) <= known then return known end
redis.call('SET', KEYS[1], ARGV[1])
return tonumber(ARGV[1])
