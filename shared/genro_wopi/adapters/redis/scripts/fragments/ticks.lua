-- Fragment: times of sending, in ticks of 100 ns.
--
-- They are above 2^53, where Lua's numbers skip some, so they are compared as digits.
local function is_later(ticks, other)
  if #ticks ~= #other then return #ticks > #other end
  return ticks > other
end
