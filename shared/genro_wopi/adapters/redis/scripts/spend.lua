-- Takes an amount out of what a tenant may use up in a period, which begins with the first that is taken.
--
-- KEYS[1] spent: a number that is gone when the period is over
-- ARGV[1] amount
-- ARGV[2] most in a period; a larger amount is let through where nothing was spent yet
-- ARGV[3] the period, ms
--
-- Returns: 0 where it was taken; else how long the period still lasts, ms, and nothing was taken.
-- Safe to run twice: the second run takes the amount again, which costs its tenant and nobody else.
local spent = tonumber(redis.call('GET', KEYS[1]) or '0')
if spent > 0 and spent + tonumber(ARGV[1]) > tonumber(ARGV[2]) then
  return math.max(1, redis.call('PTTL', KEYS[1]))
end
if spent == 0 then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
else
  redis.call('INCRBY', KEYS[1], ARGV[1])
end
return 0
