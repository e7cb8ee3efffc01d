-- keyturn for Neovim: starts the language server, shows ghost text, sets the keys.
--
--   vim.lsp.enable('keyturn')             -- every default, on Neovim 0.11 and later
--   require('keyturn').setup()            -- the same on any Neovim
--   require('keyturn').setup({ native = true, keys = { accept = '<C-l>' } })
local M = {}

M.defaults = {
  -- Neovim's own display (0.12 and later) instead of ours, which also accepts words and lines.
  native = false,
  cmd = nil, -- { 'keyturn', 'lsp' }
  settings = {}, -- what :help keyturn-settings lists
  keys = {
    accept = '<Tab>',
    accept_word = '<M-Right>',
    accept_line = '<M-Down>',
    next = '<M-]>',
    dismiss = '<C-]>',
    refuse = '<Esc>', -- in normal mode, while a next edit is shown
  },
}

local function has_lsp_config()
  return vim.fn.has('nvim-0.11') == 1
end

-- Start the server for a buffer where vim.lsp.enable does not exist.
local function start_old(options, buffer)
  if vim.bo[buffer].buftype ~= '' then
    return
  end
  local config = {
    name = 'keyturn',
    cmd = options.cmd or { 'keyturn', 'lsp' },
    root_dir = vim.fn.getcwd(),
    settings = { keyturn = options.settings },
    init_options = { keyturn = options.settings },
  }
  config.capabilities = vim.lsp.protocol.make_client_capabilities()
  config.capabilities.textDocument.inlineCompletion = { dynamicRegistration = false }
  config.capabilities.experimental = { keyturn = { nextEdit = true } }
  if vim.lsp.start then
    vim.lsp.start(config, { bufnr = buffer })
    return
  end
  M._old_client = M._old_client or vim.lsp.start_client(config)
  if M._old_client then
    vim.lsp.buf_attach_client(buffer, M._old_client)
  end
end

function M.setup(given)
  local options = vim.tbl_deep_extend('force', M.defaults, given or {})
  if next(options.settings) == nil then
    options.settings = vim.empty_dict() -- JSON's {}; Lua's own is sent as []
  end
  M._group = vim.api.nvim_create_augroup('keyturn', { clear = true })
  if has_lsp_config() then
    local config = { init_options = { keyturn = options.settings } }
    config.settings = { keyturn = options.settings }
    config.cmd = options.cmd
    vim.lsp.config('keyturn', config)
    vim.lsp.enable('keyturn')
  else
    vim.api.nvim_create_autocmd({ 'FileType', 'BufEnter' }, {
      group = M._group,
      callback = function(event)
        start_old(options, event.buf)
      end,
    })
    start_old(options, vim.api.nvim_get_current_buf())
  end
  M._show(options)
end

-- What setup() shows, every default, where nobody has called it.
function M.show()
  if not M._group then
    M._group = vim.api.nvim_create_augroup('keyturn', { clear = true })
    M._show(M.defaults)
  end
end

function M._show(options)
  if options.native and vim.lsp.inline_completion then
    vim.lsp.inline_completion.enable(true)
    M._native_keys(options.keys)
  else
    require('keyturn.ghost').setup(M._group, options.keys)
  end
  require('keyturn.next_edit').setup(options.keys)
  M._command()
end

function M._native_keys(keys)
  if keys.accept and keys.accept ~= '' then
    vim.keymap.set('i', keys.accept, function()
      if vim.lsp.inline_completion.get() then
        return ''
      end
      local elsewhere = require('keyturn.next_edit')
      if elsewhere.is_near() then
        vim.schedule(elsewhere.go)
        return ''
      end
      return keys.accept
    end, { expr = true, desc = 'keyturn: accept' })
  end
  if keys.next and keys.next ~= '' then
    vim.keymap.set('i', keys.next, function()
      vim.lsp.inline_completion.select()
    end, { desc = 'keyturn: next suggestion' })
  end
end

-- The client of a buffer, on any version.
function M.client(buffer)
  local get = vim.lsp.get_clients or vim.lsp.get_active_clients
  for _, client in pairs(get({ bufnr = buffer })) do
    if client.name == 'keyturn' and vim.lsp.buf_is_attached(buffer, client.id) then
      return client
    end
  end
end

-- client:request(…) from 0.11 on, client.request(…) before.
function M.request(client, method, params, handler, buffer)
  if vim.fn.has('nvim-0.11') == 1 then
    return client:request(method, params, handler, buffer)
  end
  return client.request(method, params, handler, buffer)
end

function M.cancel(client, id)
  if vim.fn.has('nvim-0.11') == 1 then
    return client:cancel_request(id)
  end
  return client.cancel_request(id)
end

local COMMANDS = {
  toggle = 'keyturn.toggle',
  model = 'keyturn.cycleModel',
  refresh = 'keyturn.refresh',
  status = 'keyturn.showStatus',
  why = 'keyturn.why',
}

-- How the last suggestion came to be, a line for each definition that the model was shown.
local function why(account)
  if not account then
    return 'nothing was suggested in this buffer yet'
  end
  local format = account.known and 'suggested by %s, known already (%.0f ms when it was computed)'
    or 'suggested by %s in %.0f ms'
  local lines = { format:format(account.model, account.totalMs) }
  if account.shown == false then
    table.insert(lines, 'held back, because it is probably wrong')
  end
  if type(account.likely) == 'number' then -- null is vim.NIL
    table.insert(lines, ('confidence: %.0f %% for its first line'):format(100 * account.likely))
  end
  if account.promptTokens > 0 then -- a model has read it
    local of_file = account.promptTokens - account.chunkTokens
    local more = #account.chunks > 0 and (' and %d of its project:'):format(account.chunkTokens)
    table.insert(lines, ('read %d tokens of this file%s'):format(of_file, more or ''))
    if #account.chunks == 0 then
      table.insert(lines, "nothing of the project's other files: none was wanted, or none was ready yet")
    end
  end
  for _, chunk in ipairs(account.chunks) do
    local name = chunk.name ~= '' and chunk.name or '(code like this)'
    local place = ('%s:%d %s'):format(chunk.path, chunk.line, name)
    table.insert(lines, '  ' .. place:gsub('%c', '?'))
  end
  if account.missing > 0 then
    table.insert(lines, ('not ready yet: %d more of the project'):format(account.missing))
  end
  return table.concat(lines, '\n')
end

-- What came of each, in words.
local ANSWERS = {
  why = why,
  toggle = function(result)
    return result.enabled and 'suggestions are on' or 'suggestions are off'
  end,
  model = function(result)
    if not result.model or result.model == '' then
      return 'there is no other model: name some in `model.cycle` of config.toml'
    end
    return 'the model is ' .. result.model
  end,
  refresh = function()
    return 'the caches are being brought up to date'
  end,
  status = function(result)
    local said = result.message and result.message ~= '' and ': ' .. result.message or ''
    return ('%s, %s%s (more: keyturn daemon status)'):format(result.model, result.phase, said)
  end,
}

function M._command()
  vim.api.nvim_create_user_command('Keyturn', function(call)
    local buffer = vim.api.nvim_get_current_buf()
    local client = M.client(buffer)
    local command = COMMANDS[call.args]
    if not client or not command then
      local wrong = client and 'toggle, model, refresh, status or why' or 'not running in this buffer'
      vim.notify('keyturn: ' .. wrong, vim.log.levels.WARN)
      return
    end
    local arguments = call.args == 'why' and { vim.uri_from_bufnr(buffer) } or {}
    M.request(client, 'workspace/executeCommand', { command = command, arguments = arguments },
      function(err, result)
        local failed = err and err.message or result and result.error
        vim.notify('keyturn: ' .. (failed or ANSWERS[call.args](result)),
          failed and vim.log.levels.ERROR or vim.log.levels.INFO)
      end, buffer)
  end, {
    nargs = 1,
    complete = function()
      return vim.tbl_keys(COMMANDS)
    end,
  })
end

return M
