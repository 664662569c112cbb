-- Fragment: in which phase a session is, and how it slides.
--
-- 'active'  may do what its permissions allow
-- 'grace'   ended (draining, or expired by time) less than grace_us ago: may still save
-- 'ended'   may do nothing: unknown, of another file, revoked, closed, or past its grace
local function phase_of(session, file_id, now, grace_us)
  local s = redis.call('HMGET', session, 'fid', 'state', 'expires_us')
  if not s[1] or s[1] ~= file_id or (s[2] ~= 'active' and s[2] ~= 'draining') then return 'ended' end
  local expires = tonumber(s[3])
  if s[2] == 'active' and expires > now then return 'active' end
  if expires + tonumber(grace_us) > now then return 'grace' end
  return 'ended'
end
-- A session in use lives ttl_us from now, never longer than ends_us. Written at most once per
-- sixteenth of its life, so that busy sessions do not fill the append-only file.
local function slide(session, now, keep_us)
  local s = redis.call('HMGET', session, 'expires_us', 'ttl_us', 'ends_us')
  local ttl = tonumber(s[2])
  local expires = math.min(now + ttl, tonumber(s[3]))
  if expires - tonumber(s[1]) < ttl / 16 then return end
  redis.call('HSET', session, 'expires_us', string.format('%.0f', expires))
  redis.call('PEXPIRE', session, math.ceil((expires - now + tonumber(keep_us)) / 1000))
end
