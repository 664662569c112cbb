-- Claims the place of a storage, unless it overlaps with another tenant's, live or deleted.
--
-- KEYS[1] names of all places, sorted
-- KEYS[2] whose they are, by name
-- ARGV[1] name of the place; it ends with a slash
-- ARGV[2] tenant
-- ARGV[3]... claims of others that are taken over, as name and value in turn; they count only while
--            they are the same
--
-- A claim is `tenant us taken`: taken is 1 where the place was another tenant's before.
--
-- Returns: {'own'}; {'taken'} where it was another's before; {'others', name, value, ...} where it is
-- another's, and nothing was claimed.
-- Safe to run twice: the second run finds the tenant's own claim.
-- include: moment
local name, tenant = ARGV[1], ARGV[2]
local given, found, others, mine, taken = {}, {}, {'others'}, {}, '0'
for i = 3, #ARGV, 2 do given[ARGV[i]] = ARGV[i + 1] end
local at = string.find(name, '/', 1, true)
while at do
  table.insert(found, string.sub(name, 1, at))
  at = string.find(name, '/', at + 1, true)
end
for _, below in ipairs(redis.call('ZRANGEBYLEX', KEYS[1], '(' .. name, '(' .. name .. '\255')) do
  table.insert(found, below)
end
for _, place in ipairs(found) do
  local value = redis.call('HGET', KEYS[2], place)
  if value then
    local owner, was_taken = string.match(value, '^(%S+) %d+ ([01])$')
    if owner == tenant then
      if was_taken == '1' then taken = '1' end
    elseif given[place] == value then
      taken = '1'
      table.insert(mine, place)
    elseif #others < 20 then
      table.insert(others, place)
      table.insert(others, value)
    end
  end
end
if #others > 1 then return others end
table.insert(mine, name)
for _, place in ipairs(mine) do
  redis.call('ZADD', KEYS[1], 0, place)
  redis.call('HSET', KEYS[2], place, tenant .. ' ' .. int(now_us()) .. ' ' .. taken)
end
return {taken == '1' and 'taken' or 'own'}
