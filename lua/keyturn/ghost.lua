-- Ghost text for any Neovim from 0.7 on: shows the server's suggestion behind the cursor and
-- accepts all of it, a word or a line. Typing along it redraws without asking the server.
local M = {}

local namespace = vim.api.nvim_create_namespace('keyturn')
local inline = vim.fn.has('nvim-0.10') == 1

-- What is shown: buffer, row and col (bytes, from 0) where `text` goes in, `replaced` bytes behind
-- it that it replaces, all `items` and the `index` of the one shown. nil when nothing is.
local shown = nil
local asked = nil -- { client, id } of the request under way
local settled = nil -- the place that needs no new request: buffer, changedtick, row, col

local function keyturn()
  return require('keyturn')
end

local function cursor()
  local position = vim.api.nvim_win_get_cursor(0)
  return position[1] - 1, position[2]
end

local function line_at(buffer, row)
  return vim.api.nvim_buf_get_lines(buffer, row, row + 1, false)[1] or ''
end

local function clear()
  if shown and vim.api.nvim_buf_is_valid(shown.buffer) then
    vim.api.nvim_buf_clear_namespace(shown.buffer, namespace, 0, -1)
  end
end

local function hide()
  clear()
  shown = nil
end

local function cancel()
  if asked then
    keyturn().cancel(asked.client, asked.id)
    asked = nil
  end
end

local function draw()
  clear()
  local lines = vim.split(shown.text, '\n', { plain = true })
  local mark = {
    virt_text = { { lines[1], 'KeyturnGhost' } },
    virt_text_pos = inline and 'inline' or 'overlay',
    hl_mode = 'combine',
  }
  for number = 2, #lines do
    mark.virt_lines = mark.virt_lines or {}
    table.insert(mark.virt_lines, { { lines[number], 'KeyturnGhost' } })
  end
  vim.api.nvim_buf_set_extmark(shown.buffer, namespace, shown.row, shown.col, mark)
end

local function show(buffer, items, index, encoding)
  local row, col = cursor()
  local item = items[index]
  local text = item.insertText
  if type(text) == 'table' then
    text = text.value
  end
  text = text:gsub('\r\n', '\n')
  local replaced = 0
  if item.range and item.range['end'].line == row then
    local stop = require('keyturn.bytes').at(buffer, item.range['end'], encoding) or col
    replaced = math.max(0, stop - col)
  end
  shown = {
    buffer = buffer, row = row, col = col, text = text, replaced = replaced,
    items = items, index = index, encoding = encoding, command = item.command,
  }
  draw()
end

-- Ask for what fits at the cursor; `invoked` is the user's explicit wish for several.
local function request(invoked)
  local buffer = vim.api.nvim_get_current_buf()
  local client = keyturn().client(buffer)
  cancel()
  if not client or vim.api.nvim_get_mode().mode:sub(1, 1) ~= 'i' then
    return
  end
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  params.context = { triggerKind = invoked and 1 or 2 }
  local tick = vim.api.nvim_buf_get_changedtick(buffer)
  local row, col = cursor()
  local this = { client = client }
  local function answered(err, result)
    if asked == this then
      asked = nil
    end
    local now_row, now_col = cursor()
    local moved = vim.api.nvim_get_current_buf() ~= buffer
      or vim.api.nvim_buf_get_changedtick(buffer) ~= tick
      or now_row ~= row
      or now_col ~= col
    if err or not result or moved or vim.api.nvim_get_mode().mode:sub(1, 1) ~= 'i' then
      return
    end
    local items = result.items or result
    if #items > 0 then
      hide()
      show(buffer, items, (invoked and #items > 1) and 2 or 1, client.offset_encoding)
    end
  end
  local method = 'textDocument/inlineCompletion'
  local sent, id = keyturn().request(client, method, params, answered, buffer)
  if sent then
    this.id = id
    asked = this
  end
end

-- The text changed or the cursor moved: keep what still fits, else ask anew.
local function follow()
  local buffer = vim.api.nvim_get_current_buf()
  local row, col = cursor()
  local tick = vim.api.nvim_buf_get_changedtick(buffer)
  local place = table.concat({ buffer, tick, row, col }, ':')
  if place == settled then
    return
  end
  settled = place
  if shown and shown.buffer == buffer and shown.row == row and col >= shown.col then
    local typed = line_at(buffer, row):sub(shown.col + 1, col)
    if vim.startswith(shown.text, typed) and #typed < #shown.text then
      shown.text = shown.text:sub(#typed + 1)
      shown.col = col
      draw()
      return
    end
  end
  hide()
  request(false)
end

-- The server can answer now: ask for what was typed before it could.
function M.resume()
  if not shown and not asked and vim.api.nvim_get_mode().mode:sub(1, 1) == 'i' then
    settled = nil
    follow()
  end
end

-- Put the first `count` bytes of the suggestion into the buffer.
local function insert(count)
  local text, rest = shown.text:sub(1, count), shown.text:sub(count + 1)
  local lines = vim.split(text, '\n', { plain = true })
  local taken = shown
  local replaced = rest == '' and taken.replaced or 0
  clear()
  vim.api.nvim_buf_set_text(
    taken.buffer, taken.row, taken.col, taken.row, taken.col + replaced, lines
  )
  local row = taken.row + #lines - 1
  local col = (#lines == 1 and taken.col or 0) + #lines[#lines]
  vim.api.nvim_win_set_cursor(0, { row + 1, col })
  if rest ~= '' then
    taken.row, taken.col, taken.text = row, col, rest
    local tick = vim.api.nvim_buf_get_changedtick(taken.buffer)
    settled = table.concat({ taken.buffer, tick, row, col }, ':')
    draw()
    return
  end
  shown = nil
  local client = keyturn().client(taken.buffer)
  if client and taken.command then
    local command = { command = taken.command.command, arguments = taken.command.arguments }
    keyturn().request(client, 'workspace/executeCommand', command, function() end, taken.buffer)
  end
end

-- Each of these returns true if there was something to do it to.

function M.accept()
  if not shown then
    return false
  end
  insert(#shown.text)
  return true
end

function M.accept_word()
  if not shown then
    return false
  end
  local _, stop = shown.text:find('^%s*[%w_\128-\255]+')
  if not stop then
    _, stop = shown.text:find('^%s*[^%w_%s]+')
  end
  insert(stop or #shown.text)
  return true
end

function M.accept_line()
  if not shown then
    return false
  end
  local stop = shown.text:find('\n', 2, true)
  insert(stop and stop - 1 or #shown.text)
  return true
end

function M.next()
  if not shown then
    request(true)
    return false
  end
  if #shown.items == 1 then
    request(true)
    return true
  end
  local items, index, encoding = shown.items, shown.index % #shown.items + 1, shown.encoding
  local buffer = shown.buffer
  hide()
  show(buffer, items, index, encoding)
  return true
end

function M.dismiss()
  cancel()
  if not shown then
    return false
  end
  hide()
  return true
end

-- The text shown, for statuslines and tests; nil when nothing is.
function M.text()
  return shown and shown.text
end

-- A key that does `action` when there is a suggestion and what it always does otherwise.
local function map(key, name)
  if not key or key == '' then
    return
  end
  vim.keymap.set('i', key, function()
    if shown then
      vim.schedule(M[name])
      return ''
    end
    local elsewhere = require('keyturn.next_edit')
    if name == 'accept' and elsewhere.is_near() then
      vim.schedule(elsewhere.go)
      return ''
    end
    if name == 'dismiss' and elsewhere.shown() then
      vim.schedule(elsewhere.dismiss)
      return ''
    end
    if name == 'next' then
      vim.schedule(M.next)
      return ''
    end
    return key
  end, { expr = true, desc = 'keyturn: ' .. name:gsub('_', ' ') })
end

function M.setup(group, keys)
  vim.api.nvim_set_hl(0, 'KeyturnGhost', { link = 'Comment', default = true })
  local changes = { 'TextChangedI', 'CursorMovedI', 'InsertEnter' }
  vim.api.nvim_create_autocmd(changes, { group = group, callback = follow })
  if vim.fn.exists('##LspAttach') == 1 then
    vim.api.nvim_create_autocmd('LspAttach', { group = group, callback = M.resume })
  end
  local known = vim.lsp.handlers['keyturn/status']
  vim.lsp.handlers['keyturn/status'] = function(err, result, ...)
    if result and result.phase == 'ready' then
      M.resume()
    end
    return known and known(err, result, ...)
  end
  vim.api.nvim_create_autocmd({ 'InsertLeave', 'BufLeave' }, {
    group = group,
    callback = function()
      settled = nil
      cancel()
      hide()
    end,
  })
  for _, name in ipairs({ 'accept', 'accept_word', 'accept_line', 'next', 'dismiss' }) do
    map(keys[name], name)
  end
end

return M
