-- For wrk: POSTs of objects that differ in their names. Arguments: what stands before the number in the body, and behind it.

local before, behind
local number = 0

function init(arguments)
  before, behind = arguments[1], arguments[2]
end

function request()
  number = number + 1
  return wrk.format("POST", nil, nil, before .. number .. behind)
end
