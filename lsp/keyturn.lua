-- Neovim 0.11 and later find this file on the runtimepath: vim.lsp.enable('keyturn') is all. Ghost
-- text, keys and :Keyturn come with the server, unless setup() has brought them.
return {
  cmd = { 'keyturn', 'lsp' },
  root_markers = { '.git', 'keyturn.toml' },
  capabilities = {
    -- Neovim 0.11 does not declare it, and then the server would fill the completion menu instead.
    textDocument = { inlineCompletion = { dynamicRegistration = false } },
    experimental = { keyturn = { nextEdit = true } },
  },
  on_init = function()
    require('keyturn').show()
  end,
  settings = { keyturn = vim.empty_dict() },
}
