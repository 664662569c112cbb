-- Takes over a move whose mover is dead, or calls it off.
--
-- KEYS[1] file
-- ARGV[1] target of the move
-- ARGV[2] 'take' (go on with it) | 'drop' (it did not happen)
-- ARGV[3] after this the new mover is taken for dead, ms
--
-- Returns: 1 where it was taken or dropped; 0 where its mover is alive or it is over.
-- Safe to run twice: taken again only after its time.
-- include: moment
local move = redis.call('HMGET', KEYS[1], 'move', 'move_until')
if move[1] ~= ARGV[1] then return 0 end
if ARGV[2] == 'drop' then return redis.call('HDEL', KEYS[1], 'move', 'move_by', 'move_until') and 1 end
local now = now_us()
if tonumber(move[2]) > now then return 0 end
redis.call('HSET', KEYS[1], 'move_until', int(now + tonumber(ARGV[3]) * 1000))
return 1
