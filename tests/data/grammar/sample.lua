-- Stock.
local Store = {}
Store.__index = Store
local LIMIT <const> = 0xff

--[[ a long
comment ]]
function Store.new(name, ...)
  local self = setmetatable({ name = name, items = { ... }, [1] = "x", n = 1.5e3; }, Store)
  return self
end

function Store:add(item)
  if not item or #self.items >= LIMIT then
    return nil, "full: " .. tostring(item)
  elseif item == 'x' then
    goto done
  else
    self.items[#self.items + 1] = item
  end
  ::done::
  for i = 1, 10, 2 do print(i) end
  for k, v in pairs(self.items) do
    if k ~= v then break end
  end
  while true do break end
  repeat local x = 3 until x > 2 and x // 1 == 3
  local text = [==[raw ]] string]==]
  return function(a, b) return a ^ b, -a % b, a << 1 | 3 end
end

print(Store.new "x":add { 1, 2 })
return Store
