-- JSON: text into Lua values, as much of it as VocalDM's files need, which is all of RFC 8259.
--
-- decode(text) gives tables, strings, numbers (integers stay integers), booleans, and json.null for null.
-- It raises an error with the place where the text is no JSON.

local json = {null = setmetatable({}, {__tostring = function() return "null" end})}

local DEEPEST = 100
local ESCAPES = {
  ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t",
}

local read_value

local function fail(at, what)
  error(string.format("not JSON at byte %d: %s", at, what), 0)
end

local function skip(text, at)
  return text:find("[^ \t\r\n]", at) or #text + 1
end

local function hex(text, at)
  local digits = text:match("^%x%x%x%x", at)
  if not digits then fail(at, "four hexadecimal digits belong there") end
  return tonumber(digits, 16)
end

local function read_string(text, at)
  local parts, begin = {}, at + 1
  at = begin
  while true do
    local stop = text:find('["\\%c]', at)
    if not stop then fail(at, "a string does not end") end
    parts[#parts + 1] = text:sub(at, stop - 1)
    local sign = text:sub(stop, stop)
    if sign == '"' then return table.concat(parts), stop + 1 end
    if sign ~= "\\" then
      if sign:byte() ~= 127 then fail(stop, "a control character in a string") end
      parts[#parts + 1], at = sign, stop + 1
    else
      local kind = text:sub(stop + 1, stop + 1)
      if kind == "u" then
        local code = hex(text, stop + 2)
        at = stop + 6
        -- Letters beyond the first 65536 come as two halves.
        if code >= 0xD800 and code < 0xDC00 and text:sub(at, at + 1) == "\\u" then
          local low = hex(text, at + 2)
          if low >= 0xDC00 and low < 0xE000 then
            code = 0x10000 + (code - 0xD800) * 0x400 + (low - 0xDC00)
            at = at + 6
          end
        end
        if code >= 0xD800 and code < 0xE000 then code = 0xFFFD end
        parts[#parts + 1] = utf8.char(code)
      elseif ESCAPES[kind] then
        parts[#parts + 1], at = ESCAPES[kind], stop + 2
      else
        fail(stop, "an unknown escape")
      end
    end
  end
end

local function read_number(text, at)
  local whole = text:match("^-?%d+", at)
  if not whole or whole:find("^-?0%d") then fail(at, "a number or another value belongs there") end
  local part = text:match("^%.%d+", at + #whole) or ""
  local power = text:match("^[eE][+-]?%d+", at + #whole + #part) or ""
  return tonumber(whole .. part .. power), at + #whole + #part + #power
end

local function read_list(text, at, depth)
  local list = {}
  at = skip(text, at + 1)
  if text:sub(at, at) == "]" then return list, at + 1 end
  while true do
    list[#list + 1], at = read_value(text, at, depth)
    at = skip(text, at)
    local sign = text:sub(at, at)
    if sign == "]" then return list, at + 1 end
    if sign ~= "," then fail(at, "a comma or ] belongs there") end
    at = skip(text, at + 1)
  end
end

local function read_object(text, at, depth)
  local object = {}
  at = skip(text, at + 1)
  if text:sub(at, at) == "}" then return object, at + 1 end
  while true do
    if text:sub(at, at) ~= '"' then fail(at, "a name in quotes belongs there") end
    local name
    name, at = read_string(text, at)
    at = skip(text, at)
    if text:sub(at, at) ~= ":" then fail(at, "a colon belongs there") end
    object[name], at = read_value(text, skip(text, at + 1), depth)
    at = skip(text, at)
    local sign = text:sub(at, at)
    if sign == "}" then return object, at + 1 end
    if sign ~= "," then fail(at, "a comma or } belongs there") end
    at = skip(text, at + 1)
  end
end

local WORDS = {["true"] = true, ["false"] = false, ["null"] = json.null}

function read_value(text, at, depth)
  if depth > DEEPEST then fail(at, "nested too deep") end
  local sign = text:sub(at, at)
  if sign == "{" then return read_object(text, at, depth + 1) end
  if sign == "[" then return read_list(text, at, depth + 1) end
  if sign == '"' then return read_string(text, at) end
  local word = text:match("^%a+", at)
  if word then
    if WORDS[word] == nil then fail(at, "an unknown word") end
    return WORDS[word], at + #word
  end
  return read_number(text, at)
end

function json.decode(text)
  text = text:gsub("^\239\187\191", "")
  local value, at = read_value(text, skip(text, 1), 0)
  at = skip(text, at)
  if at <= #text then fail(at, "more text after the value") end
  return value
end

return json
