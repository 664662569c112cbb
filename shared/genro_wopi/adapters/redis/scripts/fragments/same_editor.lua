-- Fragment: whether two requests come from one editor. An editor that is a pool of servers names the one
-- that a session was given to, since OnlyOffice locks with the same string from all of them. Empty: not
-- known, and taken for the same.
local function is_apart(editor, other)
  return editor and other and editor ~= '' and other ~= '' and editor ~= other
end
