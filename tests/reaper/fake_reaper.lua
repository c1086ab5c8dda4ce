-- A REAPER that is none: it takes the calls that the scripts make, refuses those that REAPER's own documentation does
-- not have or that come with other arguments, and prints what became of the project as JSON.
-- Called as: lua fake_reaper.lua SCRIPT TRACKS OUTBOX ANSWER

local script, tracks, told, answer = arg[1], tonumber(arg[2]), arg[3], arg[4]
local project = {items = {}, boxes = {}, undo = {}, depth = 0, refresh = 0, updated = 0, commands = {}, asked = 0}
local state = {outbox = told}

local function is(kind) return function(value) return type(value) == kind end end
local function handle(kind) return function(value) return type(value) == "table" and value.kind == kind end end
local text, flag = is("string"), is("boolean")
local number, whole = is("number"), function(value) return math.type(value) == "integer" end

local listing = {}
local function list(folder)
  listing = {}
  local pipe = io.popen("ls -a '" .. folder:gsub("'", "'\\''") .. "'")
  for name in pipe:lines() do
    if name ~= "." and name ~= ".." then listing[#listing + 1] = name end
  end
  pipe:close()
end

local function wave_seconds(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read("a")
  file:close()
  local at, rate, block = 13, nil, nil
  while at < #bytes do
    local id, size = bytes:sub(at, at + 3), string.unpack("<I4", bytes, at + 4)
    if id == "fmt " then rate, block = string.unpack("<I4", bytes, at + 12), string.unpack("<I2", bytes, at + 20) end
    if id == "data" then return size / block / rate end
    at = at + 8 + size + size % 2
  end
end

-- Each function with what its arguments have to be, as in the ReaScript documentation.
local api = {
  GetSelectedTrack = {{whole, whole}, function(_, index) return index < tracks and {kind = "track"} or nil end},
  GetExtState = {{text, text}, function(_, key) return state[key] or "" end},
  SetExtState = {{text, text, text, flag}, function(_, key, value) state[key] = value; project.kept = value end},
  GetUserInputs = {{text, whole, text, text}, function()
    project.asked = project.asked + 1
    return answer ~= "", answer
  end},
  ShowMessageBox = {{text, text, whole}, function(sentence) project.boxes[#project.boxes + 1] = sentence; return 1 end},
  EnumerateFiles = {{text, whole}, function(folder, index)
    if index < 0 then return list(folder) end
    return listing[index + 1]
  end},
  AddMediaItemToTrack = {{handle("track")}, function()
    local item = {kind = "item", takes = {}, values = {}, active = 0}
    project.items[#project.items + 1] = item
    return item
  end},
  AddTakeToMediaItem = {{handle("item")}, function(item)
    local take = {kind = "take", item = item, number = #item.takes}
    item.takes[#item.takes + 1] = take
    return take
  end},
  PCM_Source_CreateFromFile = {{text}, function(path) return {kind = "source", path = path} end},
  SetMediaItemTake_Source = {{handle("take"), handle("source")}, function(take, source) take.path = source.path; return true end},
  GetSetMediaItemTakeInfo_String = {{handle("take"), text, text, flag}, function(take, key, value)
    take[key] = value
    return true, value
  end},
  GetMediaSourceLength = {{handle("source")}, function(source) return wave_seconds(source.path), false end},
  SetActiveTake = {{handle("take")}, function(take) take.item.active = take.number end},
  SetMediaItemInfo_Value = {{handle("item"), text, number}, function(item, key, value) item.values[key] = value; return true end},
  SetMediaItemSelected = {{handle("item"), flag}, function(item, on) item.selected = on end},
  SelectAllMediaItems = {{whole, flag}, function() for _, item in ipairs(project.items) do item.selected = false end end},
  GetCursorPosition = {{}, function() return 12.5 end},
  ColorToNative = {{whole, whole, whole}, function(r, g, b) return r | g << 8 | b << 16 end},
  Undo_BeginBlock = {{}, function() project.depth = project.depth + 1 end},
  Undo_EndBlock = {{text, whole}, function(title) project.depth = project.depth - 1; project.undo[#project.undo + 1] = title end},
  PreventUIRefresh = {{whole}, function(by) project.refresh = project.refresh + by end},
  UpdateArrange = {{}, function() project.updated = project.updated + 1 end},
  Main_OnCommand = {{whole, whole}, function(id) project.commands[#project.commands + 1] = id end},
}

reaper = setmetatable({}, {__index = function(_, name) error("REAPER has no " .. tostring(name), 2) end})
for name, entry in pairs(api) do
  rawset(reaper, name, function(...)
    local given = select("#", ...)
    assert(given == #entry[1], name .. " takes " .. #entry[1] .. " arguments, not " .. given)
    for index, check in ipairs(entry[1]) do
      assert(check((select(index, ...))), name .. ": argument " .. index .. " is " .. tostring((select(index, ...))))
    end
    return entry[2](...)
  end)
end

dofile(script)

local function show(value)
  if type(value) == "string" then
    return '"' .. value:gsub('[%c"\\]', function(sign) return string.format("\\u%04x", sign:byte()) end) .. '"'
  end
  if type(value) ~= "table" then return tostring(value) end
  local parts = {}
  if #value > 0 or next(value) == nil then
    for _, one in ipairs(value) do parts[#parts + 1] = show(one) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  for key, one in pairs(value) do
    if key ~= "item" and key ~= "kind" then parts[#parts + 1] = show(key) .. ":" .. show(one) end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end
print(show(project))
