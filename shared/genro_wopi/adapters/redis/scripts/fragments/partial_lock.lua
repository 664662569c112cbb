-- Fragment: whether a request shows the lock that holds a file. Microsoft 365 locks are JSON objects
-- whose fields change; a save may show some of the fields, each of which must be as it is held.
local function shows(held, shown, in_part)
  if held == shown then return true end
  if not in_part then return false end
  local read, whole = pcall(cjson.decode, held)
  local read_too, part = pcall(cjson.decode, shown)
  if not read or not read_too or type(whole) ~= 'table' or type(part) ~= 'table' then return false end
  if next(part) == nil then return false end
  for name, value in pairs(part) do
    if whole[name] ~= value then return false end
  end
  return true
end
