-- Fragment: whose request keeps a lock. Editors refresh with the token of one person for all of them,
-- also after that one has left; so what counts is who else has the document. `open` holds those who
-- opened it and were not seen to have ended.
local function may_refresh(session, session_id, open, phase, is_held)
  if phase == 'active' then return true end
  if not is_held then return false end
  if phase == 'grace' then return true end
  local state = redis.call('HGET', session, 'state')
  if phase == 'late' and state == 'active' then return true end
  return redis.call('HLEN', open) > redis.call('HEXISTS', open, session_id)
end
