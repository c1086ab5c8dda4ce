-- VocalDM: insert all variations as takes
-- Puts all clips of the newest request at the edit cursor on the selected track: one item, a take for each.
-- How they are told from other clips stands in vocaldm_clips.lua.

local here = debug.getinfo(1, "S").source:match("^@(.*[/\\])") or ""
local clips = dofile(here .. "vocaldm_clips.lua")

clips.action("VocalDM: insert all variations as takes", clips.variations)
