-- Places as the server counts them, in bytes.
local M = {}

-- Bytes before `units` units of the client's encoding.
function M.before(line, units, encoding)
  if encoding == 'utf-8' then
    return math.min(units, #line)
  end
  if vim.fn.has('nvim-0.11') == 1 then
    return vim.str_byteindex(line, encoding, units, false)
  end
  local ok, index = pcall(vim.str_byteindex, line, units, encoding == 'utf-16')
  return ok and index or #line
end

-- The column in bytes of a position in a buffer; nil if there is no such line.
function M.at(buffer, position, encoding)
  local line = vim.api.nvim_buf_get_lines(buffer, position.line, position.line + 1, false)[1]
  return line and M.before(line, position.character, encoding)
end

return M
