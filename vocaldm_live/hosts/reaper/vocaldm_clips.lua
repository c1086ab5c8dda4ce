-- Clips: what the outbox of VocalDM Live holds, and how a clip becomes an item. The two actions beside this file use it.

local here = debug.getinfo(1, "S").source:match("^@(.*[/\\])") or ""
local json = dofile(here .. "vocaldm_json.lua")

local clips = {}

local LARGEST_SEED = 2147483647
local BURST = 120 -- seconds between the neighbours of one request; a clip takes about one

-- Files ---------------------------------------------------------------------------------------------------

local function read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("a")
  file:close()
  return text
end

local function read_json(path)
  local text = read(path)
  if not text then return nil, path .. " can't be read" end
  local good, value = pcall(json.decode, text)
  if not good or type(value) ~= "table" then return nil, path .. " is " .. tostring(value) end
  return value
end

local function split(path)
  return path:match("^(.*[/\\])([^/\\]*)$")
end

local function is_file(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

-- The outbox: the folder that `vocaldm hosts reaper` wrote beside this file, else the one that was answered
-- before, else the user is asked.
function clips.outbox()
  local noted = (read(here .. "vocaldm_outbox.txt") or ""):gsub("[\r\n]+$", "")
  local told = reaper.GetExtState("VocalDM", "outbox")
  for _, folder in ipairs({noted, told}) do
    if folder ~= "" and is_file(folder .. "/latest.json") then return folder end
  end
  local good, answer = reaper.GetUserInputs(
    "VocalDM: no clip is there yet, or the outbox is elsewhere", 1, "Folder of the clips:,extrawidth=300", told ~= "" and told or noted)
  if not good or answer == "" then return nil end
  if not is_file(answer .. "/latest.json") then
    return nil, answer .. " holds no latest.json: make a clip with VocalDM Live first, or give its outbox."
  end
  reaper.SetExtState("VocalDM", "outbox", answer, true)
  return answer
end

-- The newest clip: {path, recipe, name}. The recipe is empty where it can't be read; the clip is there all the same.
function clips.newest(outbox)
  local latest, why = read_json(outbox .. "/latest.json")
  if not latest then return nil, why .. ": make another clip with VocalDM Live." end
  if type(latest.clip) ~= "string" then return nil, "latest.json names no clip: make another with VocalDM Live." end
  -- The folder may have been moved, or be seen from another machine: then the clip lies beside latest.json.
  local _, name = split(latest.clip)
  local path = is_file(latest.clip) and latest.clip or outbox .. "/" .. (name or latest.clip)
  if not is_file(path) then return nil, latest.clip .. " is not there any more: make another with VocalDM Live." end
  return clips.clip(path)
end

function clips.clip(path)
  local recipe = read_json((path:gsub("%.[wW][aA][vV]$", "")) .. ".json")
  return {path = path, recipe = recipe or {}}
end

-- Which clips are of one request --------------------------------------------------------------------------
--
-- A recipe names no request. The variations of one are told by what they share: the same imitation (its
-- imitation_sha256), words, preset and settings, and seeds that count up by one, because the variations of a
-- request take seed, seed + 1, and so on. They lie in the outbox under one name with growing numbers
-- (..._0007.wav, ..._0008.wav), and were made within two minutes of each other. So from the newest clip we go
-- down, seed by seed, each time to the nearest lower number, until one is missing. "Again" begins at another
-- random seed and "refine" has other steps, so neither is taken for a variation.

local SAME = {"imitation_sha256", "preset_sha256", "steps", "guidance", "follow", "sampler", "eta", "tail",
  "duration", "like_sha256", "like_weight", "anchor", "text", "text_weight", "negative", "format"}

local function same_request(one, other)
  for _, name in ipairs(SAME) do
    if one[name] ~= other[name] then return false end
  end
  return true
end

-- Seconds since an arbitrary day for "2026-11-21T10:00:00+00:00"; recipes are always in UTC.
local function seconds(text)
  local y, m, d, h, min, s = tostring(text):match("^(%d+)-(%d+)-(%d+)T(%d+):(%d+):(%d+)")
  if not y then return 0 end
  y, m = tonumber(y), tonumber(m)
  if m <= 2 then y, m = y - 1, m + 12 end
  local days = 365 * y + y // 4 - y // 100 + y // 400 + (153 * (m - 3) + 2) // 5 + tonumber(d)
  return days * 86400 + tonumber(h) * 3600 + tonumber(min) * 60 + tonumber(s)
end

-- All clips of the newest one's request, the first variation first.
function clips.variations(newest)
  local folder, file = split(newest.path)
  local stem, number = file:match("^(.*)_(%d+)%.[wW][aA][vV]$")
  if not stem or not newest.recipe.seed then return {newest} end
  local by_seed = {}
  reaper.EnumerateFiles(folder, -1) -- forget what it knew: the folder has just changed
  local index = 0
  while true do
    local name = reaper.EnumerateFiles(folder, index)
    if not name then break end
    local other = name:match("_(%d+)%.[wW][aA][vV]$")
    if other and name:sub(1, #stem + 1) == stem .. "_" and #name - #other - 4 == #stem + 1
      and tonumber(other) < tonumber(number) then
      local clip = clips.clip(folder .. name)
      if clip.recipe.seed and same_request(clip.recipe, newest.recipe) then
        local list = by_seed[clip.recipe.seed] or {}
        list[#list + 1] = {clip = clip, number = tonumber(other)}
        by_seed[clip.recipe.seed] = list
      end
    end
    index = index + 1
  end
  local found, at, last = {newest}, tonumber(number), newest
  while true do
    local wanted = last.recipe.seed == 0 and LARGEST_SEED or last.recipe.seed - 1
    local nearest = nil
    for _, one in ipairs(by_seed[wanted] or {}) do
      if one.number < at and (not nearest or one.number > nearest.number) then nearest = one end
    end
    if not nearest or seconds(last.recipe.created) - seconds(nearest.clip.recipe.created) > BURST then break end
    table.insert(found, 1, nearest.clip)
    at, last = nearest.number, nearest.clip
  end
  return found
end

-- Into the project ----------------------------------------------------------------------------------------

-- The title in the clip's UCS name, and its seed, which tells variations apart.
function clips.name(clip)
  local _, file = split(clip.path)
  local title = file:match("^[^_]*_([^_]+)_") or file:gsub("%.%w+$", "")
  return clip.recipe.seed and string.format("%s (seed %d)", title, clip.recipe.seed) or title
end

-- A colour for each gesture, so that its clips are seen to belong together: a hue from the imitation's hash.
function clips.colour(clip)
  local hash = tostring(clip.recipe.imitation_sha256 or "")
  local hue = (tonumber(hash:sub(1, 4), 16) or 0) / 65536 * 6
  local function channel(shift)
    local place = (shift + hue) % 6
    return math.floor(80 + 130 * math.max(0, math.min(1, place, 4 - place)) + 0.5)
  end
  return reaper.ColorToNative(channel(5), channel(3), channel(1)) | 0x1000000
end

-- One item at the edit cursor of the track, with a take for each clip; the item.
function clips.insert(track, list)
  local item = reaper.AddMediaItemToTrack(track)
  local longest = 0
  for number, clip in ipairs(list) do
    local take = reaper.AddTakeToMediaItem(item)
    local source = reaper.PCM_Source_CreateFromFile(clip.path)
    reaper.SetMediaItemTake_Source(take, source)
    reaper.GetSetMediaItemTakeInfo_String(take, "P_NAME", clips.name(clip), true)
    longest = math.max(longest, (reaper.GetMediaSourceLength(source)))
    if number == 1 then reaper.SetActiveTake(take) end
  end
  reaper.SetMediaItemInfo_Value(item, "D_POSITION", reaper.GetCursorPosition())
  reaper.SetMediaItemInfo_Value(item, "D_LENGTH", longest)
  -- A shorter take must not begin anew at its end.
  reaper.SetMediaItemInfo_Value(item, "B_LOOPSRC", 0)
  reaper.SetMediaItemInfo_Value(item, "I_CUSTOMCOLOR", clips.colour(list[1]))
  return item
end

-- What both actions do: find, insert, one undo point; a sentence in a box where it can't be done.
function clips.action(title, choose)
  local function complain(sentence)
    reaper.ShowMessageBox(sentence, title, 0)
  end
  local track = reaper.GetSelectedTrack(0, 0)
  if not track then return complain("No track is selected: select the one that takes the clip.") end
  local outbox, why = clips.outbox()
  if not outbox then return why and complain(why) end
  local newest
  newest, why = clips.newest(outbox)
  if not newest then return complain(why) end
  local list = choose(newest)
  reaper.Undo_BeginBlock()
  reaper.PreventUIRefresh(1)
  reaper.SelectAllMediaItems(0, false)
  local item = clips.insert(track, list)
  reaper.SetMediaItemSelected(item, true)
  reaper.PreventUIRefresh(-1)
  reaper.UpdateArrange()
  reaper.Main_OnCommand(40047, 0) -- Peaks: Build any missing peaks
  reaper.Undo_EndBlock(title, -1)
end

return clips
