-- VocalDM: insert newest clip
-- Puts the newest clip of VocalDM Live at the edit cursor on the selected track, named and coloured.

local here = debug.getinfo(1, "S").source:match("^@(.*[/\\])") or ""
local clips = dofile(here .. "vocaldm_clips.lua")

clips.action("VocalDM: insert newest clip", function(newest) return {newest} end)
