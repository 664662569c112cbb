-- Fragment: the server's clock, in microseconds since 1970, and numbers written without exponent.
local function now_us()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000000 + tonumber(t[2])
end
local function int(n) return string.format('%.0f', n) end
