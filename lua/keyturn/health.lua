-- :checkhealth keyturn
local M = {}

local health = vim.health or {}
local start = health.start or health.report_start or require('health').report_start
local ok = health.ok or health.report_ok or require('health').report_ok
local warn = health.warn or health.report_warn or require('health').report_warn
local fail = health.error or health.report_error or require('health').report_error

local function run(command)
  local output = vim.fn.system(command)
  return vim.v.shell_error == 0, vim.trim(output)
end

function M.check()
  start('keyturn')
  if vim.lsp.inline_completion then
    ok('Neovim shows inline completions itself')
  elseif vim.fn.has('nvim-0.7') == 1 then
    ok('ghost text comes from keyturn; Neovim 0.12 can show it itself')
  else
    fail('Neovim 0.7 or later is needed')
  end
  if vim.fn.executable('keyturn') ~= 1 then
    fail('the keyturn command is not on the PATH', { 'install it, or set `cmd` in setup()' })
    return
  end
  local works, version = run({ 'keyturn', '--version' })
  if works then
    ok(version)
  else
    fail('keyturn does not run: ' .. version)
  end
  local running, status = run({ 'keyturn', 'daemon', 'status' })
  if running then
    ok(status)
  else
    warn('the daemon is not running; the first suggestion starts it')
  end
  local attached = 0 -- the current buffer is this report
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buffer) and require('keyturn').client(buffer) then
      attached = attached + 1
    end
  end
  if attached > 0 then
    ok(('the language server is attached to %d buffer%s'):format(attached, attached > 1 and 's' or ''))
  else
    warn('the language server is attached to no buffer')
  end
end

return M
