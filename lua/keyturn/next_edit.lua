-- The change that you may want to make next, elsewhere in the buffer: what goes is struck through,
-- what comes stands behind it, and a sign says where. The first <Tab> jumps there, the next applies.
local M = {}

local namespace = vim.api.nvim_create_namespace('keyturn_next')
local inline = vim.fn.has('nvim-0.10') == 1

-- What is proposed in each buffer: `number`, `new`, `old`, `why`, and `mark`, which keeps its place
-- while the buffer is edited.
local proposed = {}
-- By buffer, the one in which the next change is, if it is another one.
local elsewhere = {}

local function keyturn()
  return require('keyturn')
end

-- Where a proposal is now: row, col, end row and end col; nil if its text is another one.
local function place(buffer)
  local this = proposed[buffer]
  if not this or not vim.api.nvim_buf_is_valid(buffer) then
    return nil
  end
  local mark = vim.api.nvim_buf_get_extmark_by_id(buffer, namespace, this.mark, { details = true })
  if #mark == 0 or mark[3].invalid then
    return nil
  end
  local row, col, last_row, last_col = mark[1], mark[2], mark[3].end_row, mark[3].end_col
  local text = vim.api.nvim_buf_get_text(buffer, row, col, last_row, last_col, {})
  if table.concat(text, '\n') ~= this.old then
    return nil
  end
  return row, col, last_row, last_col
end

local function hide(buffer)
  proposed[buffer] = nil
  if vim.api.nvim_buf_is_valid(buffer) then
    vim.api.nvim_buf_clear_namespace(buffer, namespace, 0, -1)
  end
end

local function draw(buffer, edit, row, col, last_row, last_col)
  local lines = vim.split(edit.text, '\n', { plain = true })
  local mark = {
    end_row = last_row, end_col = last_col, hl_group = 'KeyturnNextOld', hl_mode = 'combine',
    right_gravity = true, end_right_gravity = false,
    sign_text = '»', sign_hl_group = 'KeyturnNextNew',
  }
  local id = vim.api.nvim_buf_set_extmark(buffer, namespace, row, col, mark)
  local new = { virt_text = { { lines[1], 'KeyturnNextNew' } }, hl_mode = 'combine' }
  new.virt_text_pos = inline and 'inline' or 'eol'
  for number = 2, #lines do
    new.virt_lines = new.virt_lines or {}
    table.insert(new.virt_lines, { { lines[number], 'KeyturnNextNew' } })
  end
  vim.api.nvim_buf_set_extmark(buffer, namespace, last_row, last_col, new)
  return id
end

-- One was applied, and the next one may come: until when, and whether its key was pressed already.
local LED_ON_MS = 400
local leading = { till = 0, again = false }

local function is_leading()
  return vim.loop.now() < leading.till
end

-- The buffer in which the next change is, if it is not this one.
local function other_than(buffer)
  local other = elsewhere[buffer]
  return other and place(other) and other or nil
end

-- A word at the end of the cursor's line.
local function leads_to(buffer, there)
  local window = vim.fn.bufwinid(buffer)
  if window == -1 then
    return
  end
  local row = vim.api.nvim_win_get_cursor(window)[1] - 1
  local name = vim.fn.fnamemodify(vim.uri_to_fname(there.textDocument.uri), ':.')
  local text = ('» %s:%d: %s'):format(name, there.range.start.line + 1, there.why)
  vim.api.nvim_buf_set_extmark(buffer, namespace, row, 0, {
    virt_text = { { text, 'KeyturnNextNew' } }, virt_text_pos = 'eol',
  })
end

-- What the server says is proposed, or nothing any more.
local function told(_, result, context)
  local buffer = vim.uri_to_bufnr(result.textDocument.uri)
  hide(buffer)
  elsewhere[buffer] = nil
  if result.elsewhere then
    elsewhere[buffer] = vim.uri_to_bufnr(result.elsewhere.textDocument.uri)
    leads_to(buffer, result.elsewhere)
  end
  local edit = result.edit
  local client = vim.lsp.get_client_by_id(context.client_id)
  if not client or type(edit) ~= 'table' or not vim.api.nvim_buf_is_loaded(buffer) then
    return
  end
  local bytes = require('keyturn.bytes')
  local first, last = edit.range.start, edit.range['end']
  local col = bytes.at(buffer, first, client.offset_encoding)
  local last_col = bytes.at(buffer, last, client.offset_encoding)
  if not col or not last_col then
    return
  end
  local old = vim.api.nvim_buf_get_text(buffer, first.line, col, last.line, last_col, {})
  edit.text = edit.text:gsub('\r\n', '\n')
  local mark = draw(buffer, edit, first.line, col, last.line, last_col)
  proposed[buffer] = {
    number = edit.number, new = edit.text, old = table.concat(old, '\n'), why = edit.why,
    mark = mark,
  }
  local goes = leading.again and is_leading() and buffer == vim.api.nvim_get_current_buf()
  leading = { till = 0, again = false }
  if goes then
    M.go()
  end
end

-- Whether a key may be taken for it: something is proposed, and nobody is indenting a line.
function M.is_near()
  local buffer = vim.api.nvim_get_current_buf()
  local row = place(buffer)
  if not row and not other_than(buffer) then
    return is_leading()
  end
  local position = vim.api.nvim_win_get_cursor(0)
  local before = vim.api.nvim_get_current_line():sub(1, position[2])
  local is_inserting = vim.api.nvim_get_mode().mode:sub(1, 1) == 'i'
  return not (is_inserting and before:match('^%s*$') and row ~= position[1] - 1)
end

-- Show the other buffer, with the cursor where something is to be changed.
local function go_to(other)
  local row, col = place(other)
  vim.cmd("normal! m'")
  local window = vim.fn.bufwinid(other)
  if window ~= -1 then
    vim.api.nvim_set_current_win(window)
  elseif not pcall(vim.cmd.buffer, other) then -- what is not written cannot be left
    vim.cmd.sbuffer(other)
  end
  vim.api.nvim_win_set_cursor(0, { row + 1, col })
  proposed[other].is_reached = true
  return true
end

-- Jump there, or apply it if the cursor is there already.
function M.go()
  local buffer = vim.api.nvim_get_current_buf()
  local row, col, last_row, last_col = place(buffer)
  if not row and other_than(buffer) then
    return go_to(other_than(buffer))
  end
  if not row then
    leading.again = is_leading()
    return leading.again
  end
  if not vim.bo[buffer].modifiable then
    return false
  end
  local this = proposed[buffer]
  local position = vim.api.nvim_win_get_cursor(0)
  if not this.is_reached or position[1] - 1 ~= row then
    this.is_reached = true
    vim.cmd("normal! m'") -- <C-o> leads back
    vim.api.nvim_win_set_cursor(0, { row + 1, col })
    return true
  end
  local lines = vim.split(this.new, '\n', { plain = true })
  hide(buffer)
  leading = { till = vim.loop.now() + LED_ON_MS, again = false }
  if vim.api.nvim_get_mode().mode:sub(1, 1) == 'i' then
    vim.cmd('let &undolevels = &undolevels') -- each is undone alone
  end
  vim.api.nvim_buf_set_text(buffer, row, col, last_row, last_col, lines)
  local end_col = (#lines == 1 and col or 0) + #lines[#lines]
  vim.api.nvim_win_set_cursor(0, { row + #lines, math.max(0, end_col) })
  return true
end

-- Never mind: it does not come back.
function M.dismiss()
  local here = vim.api.nvim_get_current_buf()
  local buffer = proposed[here] and here or other_than(here) or here
  local this = proposed[buffer]
  if not this then
    return false
  end
  hide(here)
  hide(buffer)
  elsewhere[here] = nil
  local client = keyturn().client(buffer)
  if client then
    local arguments = { vim.uri_from_bufnr(buffer), this.number }
    local command = { command = 'keyturn.nextEditRefused', arguments = arguments }
    keyturn().request(client, 'workspace/executeCommand', command, function() end, buffer)
  end
  return true
end

-- What is proposed in the current buffer: `old`, `new`, `why` and the `line` from 1; or nil.
function M.shown()
  local buffer = vim.api.nvim_get_current_buf()
  local row = place(buffer)
  if not row then
    return nil
  end
  local this = proposed[buffer]
  return { old = this.old, new = this.new, why = this.why, line = row + 1 }
end

function M.setup(keys)
  vim.api.nvim_set_hl(0, 'KeyturnNextOld', { link = 'DiffDelete', default = true })
  vim.api.nvim_set_hl(0, 'KeyturnNextNew', { link = 'DiffAdd', default = true })
  vim.lsp.handlers['keyturn/nextEditChanged'] = told
  if keys.accept and keys.accept ~= '' then
    vim.keymap.set('n', keys.accept, function()
      if M.is_near() then
        vim.schedule(M.go)
        return ''
      end
      return keys.accept
    end, { expr = true, desc = 'keyturn: go to the next edit, or apply it' })
  end
  if keys.refuse and keys.refuse ~= '' then
    vim.keymap.set('n', keys.refuse, function()
      local buffer = vim.api.nvim_get_current_buf()
      if proposed[buffer] or other_than(buffer) then
        vim.schedule(M.dismiss)
        return ''
      end
      return keys.refuse
    end, { expr = true, desc = 'keyturn: refuse the next edit' })
  end
end

return M
